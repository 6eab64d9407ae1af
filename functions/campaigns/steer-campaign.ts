import { Injectable } from '@nestjs/common';
import { PublishCampaign } from '../ledger/publish/publish-campaign.js';
import { type CampaignRow, type CampaignView, viewOf } from '../ledger/read/campaign-row.js';
import { LedgerReader } from '../ledger/read/ledger-reader.js';
import { Steering } from '../ledger/steer/steering.js';
import { CampaignNotFound, InvalidTransition } from './campaigns.errors.js';

/**
 * Pause, resume and cancel: one guarded change each. The campaign is read after it, for the answer (R9). A repeated call is
 * fine.
 */
@Injectable()
export class SteerCampaign {
  constructor(
    private readonly steering: Steering,
    private readonly ledger: LedgerReader,
    private readonly publishing: PublishCampaign,
  ) {}

  /**
   * Throws CampaignNotFound, InvalidTransition. If the last numbers are stored just after the pause, the status is
   * `enviado`.
   */
  async pause(userId: string, id: string): Promise<CampaignView> {
    const changed = await this.steering.pause(userId, id);
    return this.after(userId, id, 'pause', (row) => changed || (row.paused && !row.cancelled));
  }

  /** Everything unstored goes out again; consumers let go what is stored already. Throws as pause does. */
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
