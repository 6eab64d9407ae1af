import { AsyncLocalStorage } from 'node:async_hooks';
import { ServiceUnavailable } from './problem.js';

/** 503: the request was not done in time, and nothing of it is or will be. */
export class DeadlinePassed extends ServiceUnavailable {
  constructor() {
    super('the request took too long, and nothing of it was done');
  }
}

/** When a request is given up, in milliseconds from now. */
export interface Limits {
  /** A request that has not stored anything by now stores nothing any more. */
  refuseMs: number;
  /** Nor does any other: what it has stored is answered as it is. */
  endMs: number;
}

/**
 * By when a request must have been answered. Whoever commits asks it, and so does whoever answers: either it is stored first
 * and the answer says so, or the answer says that it is not and no COMMIT is sent after it. Known to all that a request calls.
 */
export class Deadline {
  static readonly #running = new AsyncLocalStorage<Deadline>();
  readonly #controller = new AbortController();
  readonly #timers: NodeJS.Timeout[];
  /** By `performance.now()`. */
  readonly #refuseAt: number;
  #stored = false;

  constructor({ refuseMs, endMs }: Limits) {
    this.#refuseAt = performance.now() + refuseMs;
    this.#timers = [
      setTimeout(() => {
        if (!this.#stored) this.pass();
      }, refuseMs),
      setTimeout(() => this.pass(), endMs),
    ];
  }

  /** Of the request that calls; undefined where nobody waits for so short a time, as on the plain server. */
  static current(): Deadline | undefined {
    return Deadline.#running.getStore();
  }

  /** Does `work`, and all that it calls, under this deadline. */
  run<T>(work: () => T): T {
    return Deadline.#running.run(this, work);
  }

  /** Aborted, with a DeadlinePassed, once nothing may be committed any more. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether a COMMIT was sent: it may be stored, whatever else went wrong. */
  get stored(): boolean {
    return this.#stored;
  }

  /** A COMMIT is about to be sent. Throws where it is too late, also by the clock: a timer may be late itself. */
  storing(): void {
    if (!this.#stored && performance.now() >= this.#refuseAt) this.pass();
    this.signal.throwIfAborted();
    this.#stored = true;
  }

  /** From here on nothing is committed. */
  pass(): void {
    this.#controller.abort(new DeadlinePassed());
  }

  /** The request is answered: what goes on behind it has time. */
  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }
}

/** What `work` comes to, or what `late` returns or throws when that takes longer than `ms`. The work itself goes on. */
export async function withDeadline<T>(ms: number, work: Promise<T>, late: () => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    return await Promise.race([work, over.then(late)]);
  } finally {
    clearTimeout(timer);
  }
}
