import { chunkMessageOfLines } from '@disparo/contract';
import { type BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import { Counter } from 'prom-client';
import { withDeadline } from '../../platform/deadline.js';
import { ServiceUnavailable } from '../../platform/problem.js';
import { Runtime } from '../../platform/runtime.js';
import { Broker } from '../../platform/stores/rabbitmq.js';
import { NotPublished } from '../../platform/stores/rabbitmq-channel.js';
import { Log } from '../../platform/telemetry/log.js';
import { Metrics } from '../../platform/telemetry/metrics.js';
import { traceIdOf } from '../../platform/telemetry/trace.js';
import { type Claim, OutboxRepository } from './outbox.repository.js';

/** Confirms awaited at a time: enough to hide the round trip, few enough to stop soon. */
const WINDOW = 16;
/** A request waits this long for its publishing. The rest is published after the answer, or left to dispatch. */
const BEFORE_THE_ANSWER_MS = 2_000;
/** In a function the last window needs time to be confirmed and stamped before the process is frozen. */
const LAST_WINDOW_MS = 500;

/** What the broker made of a message. Each has its counter from the start, so that its first rise is seen. */
const OUTCOMES = ['confirmed', 'nacked', 'returned', 'timeout', 'unreachable', 'refused'] as const;

/**
 * How a publishing ended. `all`: nothing is owed any more. `stopped`: it was told to stop, or the campaign was stopped or
 * has another publisher. `failed`: the broker did not take a chunk, or an error ended it.
 */
export type Publishing = 'all' | 'stopped' | 'failed';

/** Publishes what campaigns owe: the only way to the queue (R5). */
@Injectable()
export class PublishCampaign implements BeforeApplicationShutdown {
  private readonly shutdown = new AbortController();
  private readonly confirms: Counter<'outcome'>;
  private readonly running = new Set<Promise<Publishing>>();
  /** Publishing has ended, but PostgreSQL was away when the lease was to be given back. */
  private readonly unreleased = new Set<Claim>();

  constructor(
    private readonly outbox: OutboxRepository,
    private readonly broker: Broker,
    private readonly runtime: Runtime,
    private readonly log: Log,
    metrics: Metrics,
  ) {
    this.confirms = new Counter({
      name: 'disparo_ledger_publish_confirms_total',
      help: 'Queue messages sent, by what the broker made of them. All but the confirmed ones are still owed.',
      labelNames: ['outcome'],
      registers: [metrics.registry],
    });
    for (const outcome of OUTCOMES) this.confirms.inc({ outcome }, 0);
  }

  /**
   * Publishes one campaign for at most two seconds. A plain server goes on after the answer. A function stops and leaves the
   * rest to dispatch, because a frozen process publishes nothing. Never throws: what is not published stays owed.
   */
  async briefly(claim: Claim): Promise<void> {
    const stop =
      this.runtime.kind === 'function' ? AbortSignal.timeout(BEFORE_THE_ANSWER_MS - LAST_WINDOW_MS) : undefined;
    await withDeadline<unknown>(BEFORE_THE_ANSWER_MS, this.publish(claim, stop), () => undefined);
  }

  /** Claims a campaign and publishes it as `briefly` does. Does nothing where it owes nothing, or has another publisher. */
  async brieflyIfOwed(campaignId: string): Promise<void> {
    const claim = await this.outbox.claim({ id: campaignId });
    if (claim) await this.briefly(claim);
  }

  /** Publishes a claimed campaign in order, window by window, until nothing is owed. Gives the lease back. Never throws. */
  publish(claim: Claim, stop?: AbortSignal): Promise<Publishing> {
    const signal = stop ? AbortSignal.any([stop, this.shutdown.signal]) : this.shutdown.signal;
    const publishing = this.windows(claim, signal)
      .catch((error: unknown): Publishing => {
        this.log.error({ campaign_id: claim.id, err: error }, 'publishing failed; the rest stays owed');
        return 'failed';
      })
      .finally(() => this.running.delete(publishing));
    this.running.add(publishing);
    return publishing;
  }

  /** Gives back the leases of publishings that ended while PostgreSQL was away. Rejects while it still is. */
  async releaseAgain(): Promise<void> {
    for (const claim of [...this.unreleased]) {
      this.unreleased.delete(claim);
      await this.release(claim);
    }
  }

  /** Before the stores close: stops at the next window and waits for the stamps. */
  async beforeApplicationShutdown(): Promise<void> {
    this.shutdown.abort();
    await Promise.all(this.running);
  }

  private async windows(claim: Claim, stop: AbortSignal): Promise<Publishing> {
    const started = Date.now();
    let chunks = 0;
    let outcome: Publishing = 'stopped';
    try {
      while (!stop.aborted) {
        const owed = await this.outbox.owed(claim, WINDOW);
        const confirmed = await this.window(claim, owed);
        if (confirmed.length > 0) await this.outbox.stamp(claim, confirmed);
        chunks += confirmed.length;
        if (confirmed.length < owed.length) outcome = 'failed';
        if (owed.length < WINDOW || outcome === 'failed') break;
      }
    } finally {
      // The ledger decides: the outbox of a paused campaign is empty too.
      if (await this.release(claim)) outcome = 'all';
    }
    const fields = { campaign_id: claim.id, company_id: claim.company_id, trace_id: traceIdOf(claim.traceparent) };
    this.log.info({ ...fields, chunks, publish_ms: Date.now() - started, outcome }, 'publishing ended');
    return outcome;
  }

  private async release(claim: Claim): Promise<boolean> {
    try {
      return await this.outbox.release(claim);
    } catch (error) {
      if (error instanceof ServiceUnavailable) this.unreleased.add(claim);
      throw error;
    }
  }

  /** Sends up to 16 chunks at once and returns those that are confirmed and routed. */
  private async window(claim: Claim, owed: { first_sequence: number; phone_numbers: string }[]): Promise<number[]> {
    const sent = await Promise.allSettled(
      owed.map(({ first_sequence, phone_numbers }) => {
        const { id: campaign_id, company_id, message, traceparent } = claim;
        const chunk = { campaign_id, company_id, message, first_sequence };
        return this.broker.publish(String(claim.partition), chunkMessageOfLines(chunk, phone_numbers, traceparent));
      }),
    );
    const failure = sent.find((result) => result.status === 'rejected');
    if (failure) this.log.warn({ campaign_id: claim.id, err: failure.reason }, 'the broker did not take a chunk');
    const confirmed = owed.filter((_, index) => sent[index]?.status === 'fulfilled');
    for (const result of sent) this.confirms.inc({ outcome: outcomeOf(result) });
    return confirmed.map(({ first_sequence }) => first_sequence);
  }
}

function outcomeOf(result: PromiseSettledResult<void>): (typeof OUTCOMES)[number] {
  if (result.status === 'fulfilled') return 'confirmed';
  return result.reason instanceof NotPublished ? result.reason.reason : 'unreachable';
}
