import { Injectable } from '@nestjs/common';
import type { CampaignQuery, CampaignStatus, Slice } from '../../campaigns/campaigns.schemas.js';
import { Postgres, type Sql, type Transaction } from '../../platform/stores/postgres.js';
import type { Reject } from '../../recipients/reject-list.js';

/** A campaign's row as answers show it. */
export interface CampaignRow {
  id: string;
  name: string;
  message: string;
  company_id: string;
  user_id: string;
  status: CampaignStatus;
  total: number;
  published: number;
  stored: number;
  percent: number;
  created_at: Date;
  updated_at: Date;
  deleted: boolean;
}

/** What steering looks at after its guarded update, whether the campaign's numbers are erased, and what is not kept of its file. */
export interface SteeredRow extends CampaignRow {
  paused: boolean;
  cancelled: boolean;
  erased: boolean;
  /** Invalid lines that were counted only. */
  rejects_not_kept: number;
}

/** A campaign as every answer shows it: what else a row carries stays inside. */
export function campaignOf(row: SteeredRow): CampaignRow {
  const { paused: _p, cancelled: _c, erased: _e, rejects_not_kept: _r, ...campaign } = row;
  return campaign;
}

const COLUMNS = `id, name, message, company_id, user_id, status, total, published, stored,
  floor(100.0 * stored / total)::int AS percent, created_at, updated_at, deleted`;
/** The tenant: living campaigns of the companies of user $1. */
const OF_USER = 'NOT deleted AND company_id IN (SELECT company_id FROM living_memberships WHERE user_id = $1)';

/** Campaigns as their users see and steer them. Each statement begins with the tenant. */
@Injectable()
export class CampaignsRepository {
  constructor(private readonly postgres: Postgres) {}

  /** One campaign, with what its status is made of. */
  find(userId: string, id: string, sql: Sql = this.postgres): Promise<SteeredRow | undefined> {
    return sql.one<SteeredRow>(
      `SELECT ${COLUMNS}, paused_at IS NOT NULL AS paused, cancelled_at IS NOT NULL AS cancelled,
              erasing_at IS NOT NULL AS erased, rejects_not_kept
         FROM campaigns WHERE ${OF_USER} AND id = $2`,
      [userId, id],
    );
  }

  /** Newest first. */
  async list(userId: string, query: CampaignQuery): Promise<{ data: CampaignRow[]; total: number }> {
    const where = `${OF_USER} AND ($2::text IS NULL OR company_id = $2) AND ($3::text IS NULL OR status = $3)`;
    const filter = [userId, query.company_id ?? null, query.status ?? null];
    const data = await this.postgres.query<CampaignRow>(
      `SELECT ${COLUMNS} FROM campaigns WHERE ${where} ORDER BY created_at DESC, id DESC LIMIT $4 OFFSET $5`,
      [...filter, query.page_size, (query.page - 1) * query.page_size],
    );
    const counted = await this.postgres.one<{ total: number }>(
      `SELECT count(*)::int AS total FROM campaigns WHERE ${where}`,
      filter,
    );
    return { data, total: counted?.total ?? 0 };
  }

  rename(userId: string, id: string, name: string): Promise<CampaignRow | undefined> {
    return this.postgres.one<CampaignRow>(
      `UPDATE campaigns SET name = $3, updated_at = clock_timestamp() WHERE ${OF_USER} AND id = $2 RETURNING ${COLUMNS}`,
      [userId, id, name],
    );
  }

  /** Rejected lines after a line, in file order. */
  rejects(id: string, { after, limit }: Slice): Promise<Reject[]> {
    return this.postgres.query<Reject>(
      'SELECT line, value, reason FROM campaign_rejects WHERE campaign_id = $1 AND line > $2 ORDER BY line LIMIT $3',
      [id, after, limit],
    );
  }

  /** R9, guard: runs and owes; one statement, nothing read before. Answers whether a row changed. */
  pause(userId: string, id: string): Promise<boolean> {
    return this.changes(
      this.postgres,
      `UPDATE campaigns SET paused_at = clock_timestamp(), updated_at = clock_timestamp()
        WHERE ${OF_USER} AND id = $2 AND cancelled_at IS NULL AND paused_at IS NULL AND stored < total RETURNING id`,
      [userId, id],
    );
  }

  /**
   * R6: lock, THEN a second statement with a fresh snapshot. Everything unstored goes back to the outbox; the new epoch
   * voids late stamps.
   */
  resume(userId: string, id: string): Promise<boolean> {
    return this.postgres.transaction(async (sql) => {
      // guard: paused, not cancelled
      const locked = await this.changes(
        sql,
        `SELECT id FROM campaigns WHERE ${OF_USER} AND id = $2 AND cancelled_at IS NULL AND paused_at IS NOT NULL
            FOR UPDATE`,
        [userId, id],
      );
      if (!locked) return false;
      await sql.query(
        `WITH back AS (
           UPDATE campaign_chunks SET published_at = NULL
            WHERE campaign_id = $1 AND stored_at IS NULL AND published_at IS NOT NULL RETURNING size)
         UPDATE campaigns
            SET paused_at = NULL, epoch = epoch + 1, lease_until = NULL, lease_holder = NULL, updated_at = clock_timestamp(),
                published = published - (SELECT coalesce(sum(size), 0) FROM back)
          WHERE id = $1`,
        [id],
      );
      return true;
    });
  }

  /** R9, guard: not yet cancelled, owes. */
  cancel(userId: string, id: string): Promise<boolean> {
    return this.changes(
      this.postgres,
      `UPDATE campaigns SET cancelled_at = clock_timestamp(), updated_at = clock_timestamp(),
              sweep_at = clock_timestamp()
        WHERE ${OF_USER} AND id = $2 AND cancelled_at IS NULL AND stored < total RETURNING id`,
      [userId, id],
    );
  }

  /** Guard: not yet deleted. */
  delete(userId: string, id: string): Promise<boolean> {
    return this.changes(
      this.postgres,
      `UPDATE campaigns SET deleted = true, deleted_at = clock_timestamp(), updated_at = clock_timestamp(),
              sweep_at = clock_timestamp()
        WHERE ${OF_USER} AND id = $2 RETURNING id`,
      [userId, id],
    );
  }

  /** All campaigns of a company that is being deleted. Locks in the order of id, as record_stored does (R2). */
  async deleteOfCompany(sql: Transaction, companyId: string): Promise<string[]> {
    const rows = await sql.query<{ id: string }>(
      'SELECT id FROM campaigns WHERE company_id = $1 AND NOT deleted ORDER BY id FOR UPDATE',
      [companyId],
    );
    const ids = rows.map(({ id }) => id);
    await sql.query(
      `UPDATE campaigns SET deleted = true, deleted_at = clock_timestamp(), updated_at = clock_timestamp(),
              sweep_at = clock_timestamp()
        WHERE id = ANY ($1::text[])`,
      [ids],
    );
    return ids;
  }

  private async changes(sql: Sql, statement: string, values: unknown[]): Promise<boolean> {
    return (await sql.query(statement, values)).length > 0;
  }
}
