import { setTimeout as sleep } from 'node:timers/promises';
import type { ConsumeMessage } from 'amqplib';
import { Delivery } from './decode.js';
import { Turn } from './turn.js';

/** Numbers of one batch, at most, unless a single delivery brings more. */
export const MAX_BATCH_NUMBERS = 10_000;
/** How long a batch that is not full waits for more, once. */
const LINGER_MS = 2;

/** Deliveries that were buffered together, in the order of the queue. */
export interface Batch {
  deliveries: Delivery[];
  /** When the first of them was there, by `performance.now()`: idle time is no part of a batch. */
  since: number;
  gatheredAt: Date;
  /** Its place among the batches of the queue. */
  turn: Turn;
}

/** The deliveries of one queue that were fetched and not gathered yet. */
export class Inbox {
  #deliveries: Delivery[] = [];
  #wake = () => {};
  #gathering: Promise<unknown> = Promise.resolve();
  #turn = Turn.first();

  /** At most `prefetch` deliveries make a batch. `over` fires when no further batch is to be gathered. */
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
   * Step 1. Waits for at least one delivery. `over` when no further batch is to be gathered; what is fetched then goes back
   * to the queue. The first caller gets the batch that is first in the queue.
   */
  gather(): Promise<Batch | 'over'> {
    const gathered = this.#gathering.then(() => this.#gatherNext());
    this.#gathering = gathered;
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
    const turn = this.#turn;
    this.#turn = turn.next();
    return { deliveries: this.#deliveries.splice(0, this.#fitting()), since, gatheredAt: new Date(), turn };
  }

  #isFull(): boolean {
    return this.#deliveries.length >= this.prefetch || this.#fitting() < this.#deliveries.length;
  }

  /**
   * How many deliveries from the front make a batch. One that would exceed the limit of numbers waits for the next batch.
   */
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
