import { Injectable } from '@nestjs/common';
import { ServiceUnavailable } from '../platform/problem.js';
import { Log } from '../platform/telemetry/log.js';
import { HealChunks } from './heal/heal-chunks.js';
import { OutboxRepository, type Owing } from './publish/outbox.repository.js';
import { PublishCampaign } from './publish/publish-campaign.js';

/** The result of one pass. */
type Pass = {
  /** Campaigns that owe nothing any more. */
  published: number;
  /** Campaigns that were claimed and still owe. */
  failed: number;
  /** Numbers that were late and went back to the outbox. */
  healed: number;
};

/**
 * The dispatcher: puts lost numbers back into the outbox, then publishes what is owed. Several may run at once, thanks to
 * the lease, SKIP LOCKED and statements that are safe to repeat.
 */
@Injectable()
export class DispatchCampaigns {
  constructor(
    private readonly outbox: OutboxRepository,
    private readonly publishing: PublishCampaign,
    private readonly healing: HealChunks,
    private readonly log: Log,
  ) {}

  /** Publishes all campaigns that owe, oldest first, each tried once. Throws when PostgreSQL cannot be reached. */
  async pass(stop: AbortSignal): Promise<Pass> {
    const pass: Pass = { published: 0, failed: 0, healed: await this.heal() };
    const tried: string[] = [];
    while (!stop.aborted) {
      const claim = await this.outbox.claim({ except: tried });
      if (!claim) break;
      tried.push(claim.id);
      const outcome = await this.publishing.publish(claim, stop);
      pass[outcome === 'all' ? 'published' : 'failed']++;
    }
    return pass;
  }

  /** Campaigns that owe at this moment. */
  owing(): Promise<Owing> {
    return this.outbox.owing();
  }

  /**
   * A healing that fails does not stop the publishing: the next pass heals again. But without PostgreSQL neither is possible.
   * Returns the numbers given back.
   */
  private async heal(): Promise<number> {
    return this.healing.heal().catch((error: unknown) => {
      if (error instanceof ServiceUnavailable) throw error;
      this.log.error({ err: error }, 'healing failed; the next pass retries');
      return 0;
    });
  }
}
