import { Injectable } from '@nestjs/common';
import { Broker } from '../platform/stores/rabbitmq.js';
import { Log } from '../platform/telemetry/log.js';
import { HealChunks } from './heal/heal-chunks.js';
import { OutboxRepository, type Owing } from './publish/outbox.repository.js';
import { PublishCampaign } from './publish/publish-campaign.js';

/** After the first failure of a campaign; twice as long after each further one, until the next pass. */
const RETRY_MS = 2_000;

/** The result of publishing what is owed. */
export type Published = {
  /** Campaigns that owe nothing any more. */
  published: number;
  /** Campaigns that were claimed and still owe. */
  failed: number;
};

/** The result of one pass. */
export type Pass = Published & {
  /** Numbers that were late and went back to the outbox. */
  healed: number;
};

/**
 * The dispatcher: puts lost numbers back into the outbox, then publishes what is owed. Several may run at once, thanks to
 * the lease, SKIP LOCKED and statements that are safe to repeat.
 */
@Injectable()
export class DispatchCampaigns {
  /** Campaigns that failed since the last pass, and when `publishOwed` may try them again. */
  private readonly retries = new Map<string, { afterMs: number; at: number }>();

  constructor(
    private readonly outbox: OutboxRepository,
    private readonly publishing: PublishCampaign,
    private readonly healing: HealChunks,
    private readonly broker: Broker,
    private readonly log: Log,
  ) {}

  /** Publishes all campaigns that owe, oldest first, each tried once. Throws when PostgreSQL cannot be reached. */
  async pass(stop: AbortSignal): Promise<Pass> {
    const healed = await this.heal();
    this.retries.clear();
    return { ...(await this.publishAll(stop, [])), healed };
  }

  /**
   * Between two passes: publishes what is owed soon after a store has come back or a lease has expired. Does not write
   * while nothing is owed. Throws when PostgreSQL or the broker cannot be reached.
   */
  async publishOwed(stop: AbortSignal): Promise<Published> {
    await this.publishing.releaseAgain();
    const { running, leased } = await this.outbox.owing();
    if (running === leased) return { published: 0, failed: 0 };
    await this.broker.ping();
    const now = Date.now();
    return this.publishAll(
      stop,
      [...this.retries].filter(([, { at }]) => at > now).map(([id]) => id),
    );
  }

  /** Campaigns that owe at this moment. */
  owing(): Promise<Owing> {
    return this.outbox.owing();
  }

  private async publishAll(stop: AbortSignal, except: string[]): Promise<Published> {
    const done: Published = { published: 0, failed: 0 };
    const tried = [...except];
    while (!stop.aborted) {
      const claim = await this.outbox.claim({ except: tried });
      if (!claim) break;
      tried.push(claim.id);
      const outcome = await this.publishing.publish(claim, stop);
      if (outcome === 'failed') this.postpone(claim.id);
      else this.retries.delete(claim.id);
      done[outcome === 'all' ? 'published' : 'failed']++;
    }
    return done;
  }

  /** A queue that is full, or that a policy closes, is not tried every two seconds. */
  private postpone(id: string): void {
    const afterMs = 2 * (this.retries.get(id)?.afterMs ?? RETRY_MS / 2);
    this.retries.set(id, { afterMs, at: Date.now() + afterMs });
  }

  /** A healing that fails does not stop the publishing: the next pass heals again. Returns the numbers given back. */
  private async heal(): Promise<number> {
    return this.healing.heal().catch((error: unknown) => {
      this.log.error({ err: error }, 'healing failed; the next pass retries');
      return 0;
    });
  }
}
