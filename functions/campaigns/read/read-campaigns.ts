import { Injectable } from '@nestjs/common';
import { Memberships } from '../../accounts/companies/memberships.js';
import { type CampaignView, viewOf } from '../../ledger/read/campaign-row.js';
import { LedgerReader } from '../../ledger/read/ledger-reader.js';
import type { Page } from '../../platform/http/slices.js';
import { CampaignNotFound } from '../campaigns.errors.js';
import type { CampaignQuery } from '../campaigns.schemas.js';

/** Reads campaigns from the ledger. */
@Injectable()
export class ReadCampaigns {
  constructor(
    private readonly ledger: LedgerReader,
    private readonly memberships: Memberships,
  ) {}

  /** Throws CompanyNotFound when the query names a company that is not the user's. */
  async list(userId: string, query: CampaignQuery): Promise<Page<CampaignView>> {
    if (query.company_id !== undefined) await this.memberships.requireMember(userId, query.company_id);
    const { data, total } = await this.ledger.list(userId, query);
    return { data, page: query.page, page_size: query.page_size, total };
  }

  /** Throws CampaignNotFound. */
  async find(userId: string, id: string): Promise<CampaignView> {
    const row = await this.ledger.find(userId, id);
    if (!row) throw new CampaignNotFound();
    return viewOf(row);
  }
}
