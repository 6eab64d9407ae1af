import { Injectable } from '@nestjs/common';
import type { CampaignView } from '../ledger/read/campaign-row.js';
import { Steering } from '../ledger/steer/steering.js';
import { CampaignNotFound } from './campaigns.errors.js';

/** Gives a campaign another name: its text and its numbers never change. */
@Injectable()
export class RenameCampaign {
  constructor(private readonly steering: Steering) {}

  /** Throws CampaignNotFound. */
  async rename(userId: string, id: string, name: string): Promise<CampaignView> {
    const view = await this.steering.rename(userId, id, name);
    if (!view) throw new CampaignNotFound();
    return view;
  }
}
