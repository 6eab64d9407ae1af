import { Injectable } from '@nestjs/common';
import { CompanyDeletion } from '../accounts/companies/company-deletion.js';
import { SweepCampaigns } from '../ledger/heal/sweep-campaigns.js';
import { Steering } from '../ledger/steer/steering.js';
import { isMongoAway } from '../platform/stores/mongo.js';
import { Log } from '../platform/telemetry/log.js';
import { CampaignNotFound } from './campaigns.errors.js';

/**
 * Deletes campaigns and marks their documents. A consumer that is writing at that moment marks its own documents (step 5 of
 * the loop). If MongoDB is down or a consumer dies, some documents stay unmarked: dispatch marks them later (R10).
 */
@Injectable()
export class DeleteCampaign {
  constructor(
    private readonly steering: Steering,
    private readonly sweeping: SweepCampaigns,
    private readonly log: Log,
    deletion: CompanyDeletion,
  ) {
    deletion.onDelete(async (sql, companyId) => {
      const ids = await steering.deleteOfCompany(sql, companyId);
      return () => this.markDocuments(ids);
    });
  }

  /** Throws CampaignNotFound. */
  async delete(userId: string, id: string): Promise<void> {
    if (!(await this.steering.delete(userId, id))) throw new CampaignNotFound();
    await this.markDocuments([id]);
  }

  private async markDocuments(ids: string[]): Promise<void> {
    for (const id of ids) {
      try {
        await this.sweeping.mark(id);
      } catch (error) {
        this.log.error(
          { campaign_id: id, err: error },
          'could not mark the documents of a deleted campaign; dispatch will',
        );
        // The other campaigns would wait for MongoDB too, one after another.
        if (isMongoAway(error)) return;
      }
    }
  }
}
