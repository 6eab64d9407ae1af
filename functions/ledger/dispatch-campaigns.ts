import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Chores } from '../platform/chores.js';
import { Log } from '../platform/telemetry/log.js';
import { HealChunks } from './heal/heal-chunks.js';
import { type Sweep, SweepCampaigns } from './heal/sweep-campaigns.js';
import { OutboxRepository, type Owing } from './publish/outbox.repository.js';
import { PublishCampaign } from './publish/publish-campaign.js';

/** What one pass did. */
export interface Pass extends Sweep {
  /** Campaigns of which nothing is owed any more. */
  published: number;
  /** Campaigns that it took on and that still owe. */
  failed: number;
  /** Numbers that were late and went back to the outbox. */
  healed: number;
}

/**
 * The dispatcher: each minute and at the start it gives back what was lost, publishes what is owed and sweeps stopped
 * campaigns, then does the chores of the rooms. Several at once do no harm: lease, SKIP LOCKED, statements that are safe to
 * repeat.
 */
@Injectable()
export class DispatchCampaigns {
  constructor(
    private readonly outbox: OutboxRepository,
    private readonly publishing: PublishCampaign,
    private readonly healing: HealChunks,
    private readonly sweeping: SweepCampaigns,
    private readonly chores: Chores,
    private readonly log: Log,
  ) {}

  /** One pass over all campaigns that owe, oldest first, each tried once. Throws when PostgreSQL cannot be reached. */
  async pass(stop: AbortSignal): Promise<Pass> {
    const pass: Pass = { published: 0, failed: 0, healed: 0, swept: 0, unswept: 0 };
    // Each does its part whatever the others meet: a MongoDB that is down keeps nothing from the queue.
    pass.healed = await this.orElse(0, 'healing', this.healing.heal());
    // Beside the publishing, which may take all the time that a function has.
    const sweeping = this.orElse<Sweep>({ swept: 0, unswept: 0 }, 'sweeping', this.sweeping.sweep(stop));
    try {
      await this.publishOwed(pass, stop);
    } finally {
      // Also when PostgreSQL went: whoever called is to find nothing under way any more.
      Object.assign(pass, await sweeping);
    }
    await this.chores.doAll();
    if (Object.values(pass).some((count) => count > 0)) this.log.info({ ...pass }, 'dispatched');
    return pass;
  }

  /** Passes at once and then every `intervalMs` until told to stop. A pass that fails is logged and the next one tries again. */
  async loop(intervalMs: number, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      await this.pass(stop).catch((error: unknown) => this.log.error({ err: error }, 'a dispatch pass failed'));
      await delay(intervalMs, undefined, { signal: stop }).catch(() => undefined);
    }
  }

  /** Campaigns that owe at this moment. */
  owing(): Promise<Owing> {
    return this.outbox.owing();
  }

  private async publishOwed(pass: Pass, stop: AbortSignal): Promise<void> {
    const tried: string[] = [];
    while (!stop.aborted) {
      const claim = await this.outbox.claim({ except: tried });
      if (!claim) return;
      tried.push(claim.id);
      const outcome = await this.publishing.publish(claim, stop);
      pass[outcome === 'all' ? 'published' : 'failed']++;
    }
  }

  private orElse<T>(nothing: T, what: string, work: Promise<T>): Promise<T> {
    return work.catch((error: unknown) => {
      this.log.error({ err: error }, `${what} broke off; the next pass goes on`);
      return nothing;
    });
  }
}
