import { Injectable } from '@nestjs/common';
import { Log } from '../platform/telemetry/log.js';
import { HealChunks } from './heal/heal-chunks.js';
import { OutboxRepository, type Owing } from './publish/outbox.repository.js';
import { PublishCampaign } from './publish/publish-campaign.js';

/** What one pass came to. */
export type Pass = {
  /** Campaigns of which nothing is owed any more. */
  published: number;
  /** Campaigns that it took on and that still owe. */
  failed: number;
  /** Numbers that were late and went back to the outbox. */
  healed: number;
};

/**
 * The dispatcher: gives back what was lost, then publishes what is owed. Several at once do no harm: lease, SKIP LOCKED,
 * statements that are safe to repeat.
 */
@Injectable()
export class DispatchCampaigns {
  constructor(
    private readonly outbox: OutboxRepository,
    private readonly publishing: PublishCampaign,
    private readonly healing: HealChunks,
    private readonly log: Log,
  ) {}

  /** Over all campaigns that owe, oldest first, each tried once. Throws when PostgreSQL cannot be reached. */
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

  /** What is lost waits for a later pass when it cannot be found now: the outbox does not wait for it. */
  private async heal(): Promise<number> {
    return this.healing.heal().catch((error: unknown) => {
      this.log.error({ err: error }, 'healing broke off; the next pass goes on');
      return 0;
    });
  }
}
