import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Counter, Histogram } from 'prom-client';
import { Log } from '../../platform/telemetry/log.js';
import { Metrics } from '../../platform/telemetry/metrics.js';
import type { Outcome } from './outcome.js';
import { REASONS } from './triage.js';

const WARN_EVERY_MS = 10_000;

/** What this process counts of events, from every door. */
@Injectable()
export class EventsMeter implements OnApplicationShutdown {
  readonly #events: Counter<'outcome' | 'reason'>;
  readonly #seconds: Histogram<'queue'>;
  /** What went into quarantine since the last warning, by queue and reason: of both there are a few, whatever is sent. */
  #untold: Record<string, Record<string, number>> = {};
  #warning: NodeJS.Timeout | undefined;

  constructor(
    private readonly log: Log,
    { registry }: Metrics,
  ) {
    this.#events = new Counter({
      name: 'disparo_events_total',
      help: 'Messages that came to an outcome, from queues and over HTTP. A refused one of a queue is in quarantine.',
      labelNames: ['outcome', 'reason'],
      registers: [registry],
    });
    this.#seconds = new Histogram({
      name: 'disparo_events_batch_seconds',
      help: 'Triage and store of a batch from a queue, waiting for PostgreSQL included.',
      labelNames: ['queue'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers: [registry],
    });
    for (const outcome of ['stored', 'duplicate']) this.#events.inc({ outcome, reason: '' }, 0);
    for (const reason of REASONS) this.#events.inc({ outcome: 'refused', reason }, 0);
  }

  /** A queue whose batches will be counted: it is scraped with none until the first. Once for each queue. */
  takesFrom(queue: string): void {
    this.#seconds.zero({ queue });
  }

  /** Counts what is committed, all of a kind at once: a counter looks its labels up each time. */
  count(outcomes: readonly Outcome[]): void {
    const { stored, duplicate, refused } = tallyOf(outcomes);
    this.#events.inc({ outcome: 'stored', reason: '' }, stored);
    this.#events.inc({ outcome: 'duplicate', reason: '' }, duplicate);
    for (const [reason, count] of Object.entries(refused)) this.#events.inc({ outcome: 'refused', reason }, count);
  }

  /** What triage lets pass can be stored: a row that is refused is a bug of ours. */
  refusedByStore(sqlState: string): void {
    this.log.error({ sqlstate: sqlState }, 'a bug: the store refused an event, which is put into quarantine');
  }

  /** One line for a batch that is settled; a warning, at once or within ten seconds, of what of it went into quarantine. */
  batch(queue: string, outcomes: readonly Outcome[], storeMs: number): void {
    this.#seconds.observe({ queue }, storeMs / 1_000);
    const { refused: quarantined, ...counts } = tallyOf(outcomes);
    const fields = { queue, ...counts, store_ms: Math.round(storeMs * 10) / 10 };
    this.log.info({ ...fields, quarantined }, 'events settled');
    for (const [reason, count] of Object.entries(quarantined)) {
      const untold = this.#untold[queue] ?? {};
      this.#untold[queue] = { ...untold, [reason]: (untold[reason] ?? 0) + count };
    }
    this.#warn();
  }

  /** What no warning has said yet is said now. */
  onApplicationShutdown(): void {
    clearTimeout(this.#warning);
    this.#warning = undefined;
    this.#warn();
  }

  /** Once in ten seconds for all batches of that time: a stream with bad messages must not fill a log. */
  #warn(): void {
    if (this.#warning || Object.keys(this.#untold).length === 0) return;
    for (const [queue, quarantined] of Object.entries(this.#untold))
      this.log.warn({ queue, quarantined }, 'messages are in quarantine');
    this.#untold = {};
    this.#warning = setTimeout(() => {
      this.#warning = undefined;
      this.#warn();
    }, WARN_EVERY_MS).unref();
  }
}

/** How many came to which outcome; of the refused ones, for which reason. */
function tallyOf(outcomes: readonly Outcome[]) {
  const tally = { stored: 0, duplicate: 0, refused: {} as Record<string, number> };
  for (const outcome of outcomes) {
    if (outcome.kind === 'refused') tally.refused[outcome.reason] = (tally.refused[outcome.reason] ?? 0) + 1;
    else tally[outcome.kind] += 1;
  }
  return tally;
}
