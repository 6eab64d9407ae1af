import { pause } from '@disparo/contract';

/** How often a consumer that stands by asks whether it is alone. */
const ASK_EVERY_MS = 1_000;

/**
 * Whether another consumer has the queue, and this one stands by. The broker does not say which is the active one: a delivery
 * proves it, and so does a queue that has no other consumer.
 */
export class Standby {
  #isOver = false;
  #end = () => {};
  /** Resolves when this consumer is the active one. */
  readonly over = new Promise<void>((resolve) => {
    this.#end = resolve;
  });

  get isOver(): boolean {
    return this.#isOver;
  }

  /** This consumer is the active one; only the first time counts. */
  end(): void {
    this.#isOver = true;
    this.#end();
  }

  /** Asks how many consumers the queue has until this is the only one, or `session` fires. Never throws. */
  async watch(consumers: () => Promise<number>, session: AbortSignal): Promise<void> {
    for (; !this.#isOver && !session.aborted; await pause(session, ASK_EVERY_MS)) {
      // A channel that breaks ends the session, which says so.
      const count = await consumers().catch(() => undefined);
      if (count === undefined) return;
      if (count === 1) this.end();
    }
  }
}
