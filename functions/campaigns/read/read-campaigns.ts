import { Injectable } from '@nestjs/common';
import { Memberships } from '../../accounts/companies/memberships.js';
import { type CampaignRow, CampaignsRepository, campaignOf } from '../../ledger/steer/steering.js';
import type { Page } from '../../platform/http/validation.js';
import { CampaignNotFound } from '../campaigns.errors.js';
import type { CampaignQuery } from '../campaigns.schemas.js';

/** Reads campaigns from the ledger, and renames them. All throw CampaignNotFound for what is not the user's. */
@Injectable()
export class ReadCampaigns {
  constructor(
    private readonly campaigns: CampaignsRepository,
    private readonly memberships: Memberships,
  ) {}

  /** Throws CompanyNotFound when the query names a company that is not the user's. */
  async list(userId: string, query: CampaignQuery): Promise<Page<CampaignRow>> {
    if (query.company_id !== undefined) await this.memberships.requireMember(userId, query.company_id);
    const { data, total } = await this.campaigns.list(userId, query);
    return { data, page: query.page, page_size: query.page_size, total };
  }

  async find(userId: string, id: string): Promise<CampaignRow> {
    const row = await this.campaigns.find(userId, id);
    if (!row) throw new CampaignNotFound();
    return campaignOf(row);
  }

  async rename(userId: string, id: string, name: string): Promise<CampaignRow> {
    const row = await this.campaigns.rename(userId, id, name);
    if (!row) throw new CampaignNotFound();
    return row;
  }
}
