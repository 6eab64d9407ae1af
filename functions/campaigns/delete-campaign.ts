import { markMessagesDeleted } from '@disparo/contract';
import { Injectable } from '@nestjs/common';
import { CompanyDeletion } from '../accounts/company-deletion.js';
import { Log } from '../platform/log.js';
import { isMongoAway, Mongo } from '../platform/mongo.js';
import { CampaignNotFound } from './campaigns.errors.js';
import { CampaignsRepository } from './campaigns.repository.js';

/**
 * Deletes campaigns and marks their documents. A consumer that is just writing marks its own (step 5 of the loop). When
 * MongoDB is down the campaign is deleted all the same.
 */
@Injectable()
export class DeleteCampaign {
  constructor(
    private readonly campaigns: CampaignsRepository,
    private readonly mongo: Mongo,
    private readonly log: Log,
    deletion: CompanyDeletion,
  ) {
    deletion.onDelete(async (sql, companyId) => {
      const ids = await campaigns.deleteOfCompany(sql, companyId);
      return () => this.markDocuments(ids);
    });
  }

  /** Throws CampaignNotFound. */
  async delete(userId: string, id: string): Promise<void> {
    if (!(await this.campaigns.delete(userId, id))) throw new CampaignNotFound();
    await this.markDocuments([id]);
  }

  private async markDocuments(ids: string[]): Promise<void> {
    for (const id of ids) {
      try {
        const marked = await markMessagesDeleted(await this.mongo.messages(), id);
        this.log.info({ campaign_id: id, marked }, 'marked the documents of a deleted campaign');
      } catch (error) {
        this.log.error({ campaign_id: id, err: error }, 'could not mark the documents of a deleted campaign');
        // The others would wait for it one after the other.
        if (isMongoAway(error)) return;
      }
    }
  }
}
