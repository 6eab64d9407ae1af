import { Injectable } from '@nestjs/common';
import { ServiceUnavailable } from '../../platform/problem.js';
import { isMongoAway } from '../../platform/stores/mongo.js';
import { Log } from '../../platform/telemetry/log.js';
import { MessageStore } from '../message-store.js';
import { HealingRepository, type StoppedCampaign } from './healing.repository.js';

/** Campaigns of one pass; the others wait for the next. */
const CAMPAIGNS_A_PASS = 200;
/** Chunks counted in MongoDB at a time: at most 500,000 entries of its index. */
const CHUNKS_A_PAGE = 100;

/** The result of one pass over stopped campaigns. */
type Sweep = {
  /** Stopped campaigns that were swept. */
  swept: number;
  /** Those that failed: the log says why, and the next pass tries them again. */
  not_swept: number;
};

/**
 * R10: sweeps stopped campaigns again and again. Documents that were written after a delete are marked; what the store has
 * of a cancelled campaign is recorded, so that `stored` says what was sent.
 */
@Injectable()
export class SweepCampaigns {
  constructor(
    private readonly healing: HealingRepository,
    private readonly store: MessageStore,
    private readonly log: Log,
  ) {}

  /** One that fails does not stop the others, unless a store is away. Throws when PostgreSQL cannot list them. */
  async sweep(stop: AbortSignal): Promise<Sweep> {
    const sweep: Sweep = { swept: 0, not_swept: 0 };
    for (const campaign of await this.healing.toSweep(CAMPAIGNS_A_PASS)) {
      if (stop.aborted) break;
      try {
        if (campaign.deleted) await this.mark(campaign.id);
        else await this.record(campaign, stop);
        if (stop.aborted) break;
        await this.healing.swept(campaign);
        sweep.swept++;
      } catch (error) {
        sweep.not_swept++;
        this.log.error({ campaign_id: campaign.id, err: error }, 'a stopped campaign could not be swept');
        // The others would only wait for the same store, and the dispatcher would wait for them.
        if (isMongoAway(error) || error instanceof ServiceUnavailable) break;
      }
    }
    return sweep;
  }

  /** Marks the documents of a deleted campaign. Throws when MongoDB is away. */
  async mark(campaignId: string): Promise<void> {
    const marked = await this.store.markDeleted(campaignId);
    if (marked > 0) this.log.info({ campaign_id: campaignId, marked }, 'marked the documents of a deleted campaign');
  }

  /**
   * A chunk counts only when all of its documents are there. A part of a chunk was written by a consumer that died, and
   * stays uncounted.
   */
  private async record({ id }: StoppedCampaign, stop: AbortSignal): Promise<void> {
    const unstored = await this.healing.unstored(id);
    let recorded = 0;
    for (let from = 0; from < unstored.length && !stop.aborted; from += CHUNKS_A_PAGE) {
      const whole = await this.store.wholeOf(id, unstored.slice(from, from + CHUNKS_A_PAGE));
      // After each page, so that a sweep that is stopped halfway has made progress.
      if (whole.length > 0) await this.healing.record(id, whole);
      recorded += whole.length;
    }
    if (recorded > 0)
      this.log.info({ campaign_id: id, chunks: recorded }, 'recorded what was stored of a cancelled campaign');
  }
}
