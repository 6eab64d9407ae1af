import { Injectable } from '@nestjs/common';
import type { PageQuery, Slice } from '../../platform/http/slices.js';
import { Postgres, type Sql } from '../../platform/stores/postgres.js';
import type { Reject } from '../../recipients/reject-list.js';
import { type CampaignRow, type CampaignStatus, type CampaignView, OF_USER, VIEW_COLUMNS } from './campaign-row.js';

/** Which campaigns a list has: of one company, of one status. */
interface CampaignFilter extends PageQuery {
  company_id?: string | undefined;
  status?: CampaignStatus | undefined;
}

/** Campaigns as their users see them. Each statement on `campaigns` begins with the tenant. */
@Injectable()
export class LedgerReader {
  constructor(private readonly postgres: Postgres) {}

  /** One campaign of the user's companies, or undefined. */
  find(userId: string, id: string, sql: Sql = this.postgres): Promise<CampaignRow | undefined> {
    return sql.one<CampaignRow>(
      `SELECT ${VIEW_COLUMNS}, paused_at IS NOT NULL AS paused, cancelled_at IS NOT NULL AS cancelled,
              erasing_at IS NOT NULL AS erased, rejects_not_kept
         FROM campaigns WHERE ${OF_USER} AND id = $2`,
      [userId, id],
    );
  }

  /** Newest first. */
  async list(userId: string, filter: CampaignFilter): Promise<{ data: CampaignView[]; total: number }> {
    const where = `${OF_USER} AND ($2::text IS NULL OR company_id = $2) AND ($3::text IS NULL OR status = $3)`;
    const values = [userId, filter.company_id ?? null, filter.status ?? null];
    const data = await this.postgres.query<CampaignView>(
      `SELECT ${VIEW_COLUMNS} FROM campaigns WHERE ${where} ORDER BY created_at DESC, id DESC LIMIT $4 OFFSET $5`,
      [...values, filter.page_size, (filter.page - 1) * filter.page_size],
    );
    const counted = await this.postgres.one<{ total: number }>(
      `SELECT count(*)::int AS total FROM campaigns WHERE ${where}`,
      values,
    );
    return { data, total: counted?.total ?? 0 };
  }

  /** Rejected lines after a line, in file order. No tenant here: the caller has found the campaign for its user. */
  rejects(id: string, { after, limit }: Slice): Promise<Reject[]> {
    return this.postgres.query<Reject>(
      'SELECT line, value, reason FROM campaign_rejects WHERE campaign_id = $1 AND line > $2 ORDER BY line LIMIT $3',
      [id, after, limit],
    );
  }
}
