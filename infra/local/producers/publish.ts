import { pause } from '@disparo/contract';
import type { Message, Stream } from './stream.js';

/** Where messages are published. */
export interface Outlet {
  /** Messages that are sent together, at most. */
  readonly batch: number;
  /** Batches in flight, at most. */
  readonly window: number;
  /**
   * Resolves when all are confirmed and counted: it waits while the other side is away, and sends them again as they were.
   * Rejects with what waiting does not heal.
   */
  send(messages: readonly Message[]): Promise<void>;
  /** Messages that wait on the queue. */
  waiting(): Promise<number>;
  close(): Promise<void>;
}

/** So long a burst may be, in seconds: what is due while the other side is away for longer is not made up for. */
const BURST_S = 1;
/** Messages are handed out for a time like this together, in seconds. */
const TICK_S = 0.02;

/** Hands out the messages of a stream at a rate, until there were enough or it is told to stop. */
export class Supply {
  #due = 0;
  #at = performance.now();

  constructor(
    private readonly stream: Stream,
    private readonly options: { rate: number; count: number },
    private readonly stop: AbortSignal,
  ) {}

  /** Waits until some are due, and returns up to `most`. Empty: there will be no more. */
  async take(most: number): Promise<Message[]> {
    const { rate } = this.options;
    const left = this.options.count - this.stream.made;
    const wanted = Math.min(most, left, Math.max(1, Math.floor(rate * TICK_S)));
    if (wanted === 0) return [];
    while (!this.stop.aborted) {
      const now = performance.now();
      this.#due = Math.min(this.#due + ((now - this.#at) / 1_000) * rate, Math.max(wanted, rate * BURST_S));
      this.#at = now;
      if (this.#due >= wanted) {
        const count = Math.min(most, left, Math.floor(this.#due));
        this.#due -= count;
        return Array.from({ length: count }, () => this.stream.next());
      }
      await pause(this.stop, Math.max(1, ((wanted - this.#due) / rate) * 1_000));
    }
    return [];
  }
}

/** Publishes all that is supplied. Resolves when all of it is confirmed; rejects as `send` does. */
export async function publishAll(supply: Supply, outlet: Outlet): Promise<void> {
  const inFlight = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let wake = () => {};
  while (failures.length === 0) {
    const room = outlet.window - inFlight.size;
    if (room === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      continue;
    }
    const messages = await supply.take(room * outlet.batch);
    if (messages.length === 0) break;
    for (let at = 0; at < messages.length; at += outlet.batch) {
      const sending = outlet
        .send(messages.slice(at, at + outlet.batch))
        .catch((error: unknown) => void failures.push(error))
        .finally(() => {
          inFlight.delete(sending);
          wake();
        });
      inFlight.add(sending);
    }
  }
  // The others may wait for a service that is away.
  if (failures.length > 0) throw failures[0];
  await Promise.all(inFlight);
  if (failures.length > 0) throw failures[0];
}
