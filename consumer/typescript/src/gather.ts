import { setTimeout as sleep } from 'node:timers/promises';
import type { ConsumeMessage } from 'amqplib';
import { Delivery } from './decode.js';

/** Numbers of one batch, at most, unless a single delivery brings more. */
export const MAX_BATCH_NUMBERS = 10_000;
/** How long a batch that is not full waits for more, once. */
const LINGER_MS = 2;

/** Deliveries that were at hand together, in the order of the queue. */
export interface Batch {
  deliveries: Delivery[];
  /** When the first of them was at hand, by `performance.now()`: idle time is no part of a batch. */
  since: number;
  /** When it was gathered. */
  at: Date;
  /** Settles when the batch before is settled; never, when that one was dropped. */
  before: Promise<void>;
  /** To be called when this one is settled. */
  settled: () => void;
}

/** What was fetched and not yet gathered, on one channel. */
export class Waiting {
  #deliveries: Delivery[] = [];
  #wake = () => {};
  #gathered: Promise<unknown> = Promise.resolve();
  #before = Promise.resolve();

  /** At most `prefetch` deliveries make a batch. `over` fires when no more is to be gathered here. */
  constructor(
    private readonly prefetch: number,
    private readonly over: AbortSignal,
  ) {
    over.addEventListener('abort', () => this.#wake(), { once: true });
  }

  push(message: ConsumeMessage): void {
    this.#deliveries.push(new Delivery(message));
    this.#wake();
  }

  /**
   * Step 1. Waits for at least one delivery. `over` when no further batch is to be gathered; what is fetched then goes back to
   * the queue. Who asks first gets the batch that is first in the queue.
   */
  gather(): Promise<Batch | 'over'> {
    const gathered = this.#gathered.then(() => this.#gatherNext());
    this.#gathered = gathered;
    return gathered;
  }

  async #gatherNext(): Promise<Batch | 'over'> {
    while (this.#deliveries.length === 0 && !this.over.aborted)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    const since = performance.now();
    if (!this.over.aborted && !this.#isFull()) await sleep(LINGER_MS);
    if (this.over.aborted) return 'over';
    const before = this.#before;
    let settled = () => {};
    this.#before = new Promise((resolve) => {
      settled = resolve;
    });
    return { deliveries: this.#deliveries.splice(0, this.#fitting()), since, at: new Date(), before, settled };
  }

  #isFull(): boolean {
    return this.#deliveries.length >= this.prefetch || this.#fitting() < this.#deliveries.length;
  }

  /** How many from the front make a batch: one that goes over the numbers waits for the next. */
  #fitting(): number {
    let numbers = 0;
    const most = Math.min(this.#deliveries.length, this.prefetch);
    for (let count = 0; count < most; count++) {
      numbers += this.#deliveries[count]?.numbers ?? 0;
      if (numbers > MAX_BATCH_NUMBERS) return Math.max(1, count);
    }
    return most;
  }
}
