import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Histogram } from 'prom-client';
import { Metrics } from '../../platform/telemetry/metrics.js';

/** Counts what polls of this process do. */
@Injectable()
export class PixMeter {
  readonly #polls: Gauge;
  readonly #handedOut: { batch: Counter; replay: Counter };
  readonly #wake: Histogram;

  constructor({ registry }: Metrics) {
    const registers = [registry];
    this.#polls = new Gauge({ name: 'disparo_pix_polls', help: 'Polls of collectors under way.', registers });
    this.#handedOut = {
      batch: new Counter({
        name: 'disparo_pix_batches_total',
        help: 'Batches handed out for the first time.',
        registers,
      }),
      replay: new Counter({
        name: 'disparo_pix_replays_total',
        help: 'Batches handed out again, as their answer was lost.',
        registers,
      }),
    };
    this.#wake = new Histogram({
      name: 'disparo_pix_wake_seconds',
      help: 'From a notification of the database until a poll that waited has claimed a batch.',
      buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1],
      registers,
    });
  }

  /** A poll begins, and later ends. */
  begins(): void {
    this.#polls.inc();
  }

  ends(): void {
    this.#polls.dec();
  }

  handsOut(what: 'batch' | 'replay'): void {
    this.#handedOut[what].inc();
  }

  /** @param ms From the ring to the claim. */
  woke(ms: number): void {
    this.#wake.observe(ms / 1_000);
  }
}
