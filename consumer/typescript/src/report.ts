import type { RecordRow } from '@disparo/contract';
import type { Logger } from 'pino';
import { Counter, Histogram, Registry } from 'prom-client';
import type { Delivery } from './decode.js';
import type { Outcome } from './settle.js';
import type { Stopwatch } from './stopwatch.js';
import type { Written } from './store.js';

const MAX_TRACEPARENTS = 5;
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
const BATCH_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** A settled batch, without its deliveries: it may have waited long for a dead letter. */
export interface SettledBatch {
  queue: string;
  outcomes: readonly Outcome[];
  written: Pick<Written, 'stored' | 'repeated'>;
  campaigns: readonly RecordRow[];
  traceparents: readonly string[];
  watch: Stopwatch;
}

/** Step 7, and the metrics of the process; the names stand in consumer/README.md. */
export class Report {
  readonly registry = new Registry();
  readonly #batches = this.#counter('batches_total', 'Batches settled.');
  readonly #deliveries = this.#counter('deliveries_total', 'Deliveries settled.');
  readonly #stored = this.#counter('messages_stored_total', 'Documents written.');
  readonly #repeated = this.#counter('repeated_total', 'Deliveries or documents found already there.');
  readonly #letGo = this.#counter('let_go_total', 'Deliveries of paused, cancelled or deleted campaigns.');
  readonly #dead = this.#counter('dead_letters_total', 'Dead letters.', ['reason']);
  readonly #retries = this.#counter('store_retries_total', 'Attempts that failed because a store was down.', ['store']);
  readonly #seconds = new Histogram({
    name: 'disparo_consumer_batch_seconds',
    help: 'Gather to settle.',
    buckets: BATCH_SECONDS,
    registers: [this.registry],
  });

  constructor(private readonly log: Logger) {
    for (const store of ['postgres', 'mongodb']) this.#retries.inc({ store }, 0);
  }

  /** An attempt failed because this store was down. */
  countRetry(store: 'postgres' | 'mongodb'): void {
    this.#retries.inc({ store });
  }

  /** Step 7. One log line and the metrics; a line of its own for each dead letter and each deleted campaign. */
  batch({ queue, outcomes: all, written, campaigns, traceparents, watch }: SettledBatch): void {
    const counts = {
      messages: all.length,
      stored: written.stored,
      repeated: written.repeated + all.filter((outcome) => 'as' in outcome && outcome.as === 'repeated').length,
      let_go: all.filter((outcome) => 'as' in outcome && outcome.as === 'let_go').length,
      dead: all.filter((outcome) => outcome.gets === 'dead letter').length,
    };
    for (const outcome of all)
      if (outcome.gets === 'dead letter') this.#deadLetter(queue, outcome.reason, outcome.detail);
    for (const { id, deleted } of campaigns)
      if (deleted)
        this.log.info(
          { queue, campaign_id: id },
          'the campaign was deleted meanwhile; its documents are marked as deleted',
        );
    this.log.info(
      {
        queue,
        ...counts,
        campaigns: campaigns.map(({ id, status, stored, total }) => ({ id, status, stored, total })),
        ...watch.timings(),
        traceparents,
      },
      'batch settled',
    );
    this.#batches.inc();
    this.#deliveries.inc(counts.messages);
    this.#stored.inc(counts.stored);
    this.#repeated.inc(counts.repeated);
    this.#letGo.inc(counts.let_go);
    this.#seconds.observe(watch.seconds());
  }

  #deadLetter(queue: string, reason: string, detail: string): void {
    const level = reason === 'refused_by_store' ? 'error' : 'warn';
    this.log[level]({ queue, reason, detail }, 'dead letter');
    this.#dead.inc({ reason });
  }

  #counter<T extends string>(name: string, help: string, labelNames: T[] = []): Counter<T> {
    return new Counter({ name: `disparo_consumer_${name}`, help, labelNames, registers: [this.registry] });
  }
}

/**
 * Only values that have the form of a traceparent, different ones, five at most: a header may hold anything, even a phone
 * number.
 */
export function traceparentsOf(deliveries: Iterable<Delivery>): string[] {
  const found = new Set<string>();
  for (const { message } of deliveries) {
    const value: unknown = message.properties.headers?.traceparent;
    if (typeof value === 'string' && TRACEPARENT.test(value)) found.add(value);
    if (found.size === MAX_TRACEPARENTS) break;
  }
  return [...found];
}
