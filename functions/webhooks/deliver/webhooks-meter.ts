import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Counter } from 'prom-client';
import type { Counts } from '../../platform/duties.js';
import { Log } from '../../platform/telemetry/log.js';
import { Metrics } from '../../platform/telemetry/metrics.js';

const SAY_EVERY_MS = 10_000;
const OUTCOMES = ['delivered', 'failed', 'dead', 'void'] as const;

/**
 * How an attempt ended. `failed`: there will be another one; `dead`: it was the last one; `void`: it changed nothing, since a
 * later claim had taken its place or the delivery was at its end.
 */
export type AttemptOutcome = (typeof OUTCOMES)[number];

/** Counts attempts that are settled. */
@Injectable()
export class WebhooksMeter implements OnApplicationShutdown {
  readonly #attempts: Counter<'outcome'>;
  /** Since the last line. */
  #untold = none();
  #saying: NodeJS.Timeout | undefined;

  constructor(
    private readonly log: Log,
    { registry }: Metrics,
  ) {
    this.#attempts = new Counter({
      name: 'disparo_webhooks_attempts_total',
      help: 'Requests to endpoints that are settled, by how they ended.',
      labelNames: ['outcome'],
      registers: [registry],
    });
    for (const outcome of OUTCOMES) this.#attempts.inc({ outcome }, 0);
  }

  /** Counts an attempt, and says within ten seconds how many there were: a line an attempt would fill a log. */
  count(outcome: AttemptOutcome): void {
    this.#attempts.inc({ outcome });
    this.#untold[outcome] += 1;
    this.#saying ??= setTimeout(() => this.#say(), SAY_EVERY_MS).unref();
  }

  /** What no line has said yet is said now. */
  onApplicationShutdown(): void {
    if (this.#saying) this.#say();
  }

  #say(): void {
    clearTimeout(this.#saying);
    this.#saying = undefined;
    this.log.info(this.#untold, 'webhooks settled');
    this.#untold = none();
  }
}

/** No attempt, by outcome. */
export function none(): Record<AttemptOutcome, number> & Counts {
  return { delivered: 0, failed: 0, dead: 0, void: 0 };
}
