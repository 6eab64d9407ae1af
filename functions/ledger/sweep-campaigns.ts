import { Injectable } from '@nestjs/common';
import { Log } from '../platform/log.js';
import { HealingRepository, type StoppedCampaign } from './healing.repository.js';
import { MessageStore } from './message-store.js';

/** Campaigns of one pass; the others wait for the next. */
const CAMPAIGNS_A_PASS = 200;

/**
 * R10: goes over stopped campaigns again and again. Documents that were written after a delete are marked; what the store has
 * of a cancelled campaign is recorded, so that `stored` says what was sent.
 */
@Injectable()
export class SweepCampaigns {
  constructor(
    private readonly healing: HealingRepository,
    private readonly store: MessageStore,
    private readonly log: Log,
  ) {}

  /** Answers how many campaigns it went over. Throws when a store is away; what was done until then stays done. */
  async sweep(stop: AbortSignal): Promise<number> {
    let campaigns = 0;
    for (const campaign of await this.healing.toSweep(CAMPAIGNS_A_PASS)) {
      if (stop.aborted) break;
      if (campaign.deleted) await this.mark(campaign.id);
      else await this.record(campaign, stop);
      if (stop.aborted) break;
      await this.healing.swept(campaign);
      campaigns++;
    }
    return campaigns;
  }

  /** Marks the documents of a deleted campaign. Throws when MongoDB is away. */
  async mark(campaignId: string): Promise<void> {
    const marked = await this.store.markDeleted(campaignId);
    if (marked > 0) this.log.info({ campaign_id: campaignId, marked }, 'marked the documents of a deleted campaign');
  }

  /** A chunk counts when all of it is there: a part of one was written by a consumer that died, and stays uncounted. */
  private async record({ id }: StoppedCampaign, stop: AbortSignal): Promise<void> {
    let recorded = 0;
    for (const chunk of await this.healing.unstored(id)) {
      if (stop.aborted) break;
      if ((await this.store.countOf(id, chunk)) < chunk.size) continue;
      // At once, so that one who is stopped in the middle has got on.
      await this.healing.record(id, [chunk.first_sequence]);
      recorded++;
    }
    if (recorded > 0)
      this.log.info({ campaign_id: id, chunks: recorded }, 'recorded what was stored of a cancelled campaign');
  }
}
