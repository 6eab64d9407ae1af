import { Injectable } from '@nestjs/common';
import { Broker } from '../../platform/stores/rabbitmq.js';
import { OutboxRepository } from './outbox.repository.js';
import { PublishCampaign } from './publish-campaign.js';

/** A partition that refuses is tried again after this long, then after twice as long each time, up to a minute. */
const RETRY_MS = 2_000;
const MAX_RETRY_MS = 60_000;

/** What one run did: campaigns that owe nothing any more, and campaigns that were claimed and still owe. */
type Published = { published: number; failed: number };

/**
 * Publishes what is owed soon after a store has come back or a lease has expired, where the process stays and need not wait
 * for the next pass of dispatch.
 */
@Injectable()
export class PublishOwed {
  private seen = new Set<string>();
  private brokerIsAway = false;
  private readonly retries = new Map<number, { afterMs: number; at: number }>();

  constructor(
    private readonly outbox: OutboxRepository,
    private readonly publishing: PublishCampaign,
    private readonly broker: Broker,
  ) {}

  /**
   * Claims only what was owed in the run before, too: what a request or a pass is about to publish is left to it. Asks the
   * broker first, and writes nothing while it is away. Throws when PostgreSQL or the broker cannot be reached.
   */
  async run(stop: AbortSignal): Promise<Published> {
    const done: Published = { published: 0, failed: 0 };
    await this.publishing.releaseAgain();
    const owing = await this.outbox.withoutPublisher(this.refusing());
    const due = owing.filter(({ id }) => this.seen.has(id));
    this.seen = new Set(owing.map(({ id }) => id));
    // Once it was away it is asked until it answers, so that the end of an outage is the end of it.
    if (due.length === 0 && !this.brokerIsAway) return done;
    this.brokerIsAway = true;
    await this.broker.ping();
    this.brokerIsAway = false;
    for (const { id, partition } of due) {
      if (stop.aborted) break;
      if (this.refusing().includes(partition)) continue;
      const claim = await this.outbox.claim({ id });
      if (!claim) continue;
      const outcome = await this.publishing.publish(claim, stop);
      if (outcome === 'failed') this.postpone(partition);
      else this.retries.delete(partition);
      done[outcome === 'all' ? 'published' : 'failed']++;
    }
    return done;
  }

  /** Partitions whose queue is full, closed by a policy or without a leader, and whose next try is still to come. */
  private refusing(): number[] {
    const now = Date.now();
    return [...this.retries].filter(([, { at }]) => at > now).map(([partition]) => partition);
  }

  private postpone(partition: number): void {
    const before = this.retries.get(partition);
    const afterMs = before ? Math.min(2 * before.afterMs, MAX_RETRY_MS) : RETRY_MS;
    this.retries.set(partition, { afterMs, at: Date.now() + afterMs });
  }
}
