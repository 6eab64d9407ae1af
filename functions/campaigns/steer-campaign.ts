import { Injectable } from '@nestjs/common';
import { PublishCampaign } from '../ledger/publish/publish-campaign.js';
import { type CampaignRow, type CampaignView, viewOf } from '../ledger/read/campaign-row.js';
import { LedgerReader } from '../ledger/read/ledger-reader.js';
import { Steering } from '../ledger/steer/steering.js';
import { CampaignNotFound, InvalidTransition } from './campaigns.errors.js';

/** Pause, resume and cancel: one guarded update each, and the answer is read after it (R9). The same call again is fine. */
@Injectable()
export class SteerCampaign {
  constructor(
    private readonly steering: Steering,
    private readonly ledger: LedgerReader,
    private readonly publishing: PublishCampaign,
  ) {}

  /** Throws CampaignNotFound, InvalidTransition. What was paused too late is all sent, and says so. */
  async pause(userId: string, id: string): Promise<CampaignView> {
    const changed = await this.steering.pause(userId, id);
    return this.after(userId, id, 'pause', (row) => changed || (row.paused && !row.cancelled));
  }

  /** Everything unstored goes out again; the consumers let go what is there already. Throws as pause does. */
  async resume(userId: string, id: string): Promise<CampaignView> {
    if (await this.steering.resume(userId, id)) {
      await this.publishing.brieflyIfOwed(id);
      return this.after(userId, id, 'resume', () => true);
    }
    return this.after(userId, id, 'resume', (row) => !row.cancelled && !row.paused);
  }

  /** Final. Throws as pause does. */
  async cancel(userId: string, id: string): Promise<CampaignView> {
    const changed = await this.steering.cancel(userId, id);
    return this.after(userId, id, 'cancel', (row) => changed || row.cancelled);
  }

  private async after(
    userId: string,
    id: string,
    command: string,
    isDone: (row: CampaignRow) => boolean,
  ): Promise<CampaignView> {
    const row = await this.ledger.find(userId, id);
    if (!row) throw new CampaignNotFound();
    if (!isDone(row)) throw new InvalidTransition(command, row.status);
    return viewOf(row);
  }
}
