import { AsyncLocalStorage } from 'node:async_hooks';
import { ServiceUnavailable } from './problem.js';

/** 503: the request was not done in time. Nothing of it was done, and nothing of it will be. */
export class DeadlinePassed extends ServiceUnavailable {
  constructor() {
    super('the request took too long, and nothing of it was done');
  }
}

/** When a request is given up, in milliseconds from now. */
interface Limits {
  /** A request that has stored nothing by then may store nothing any more. */
  refuseMs: number;
  /** From then on no request may store anything more. One that has stored something is answered with that. */
  endMs: number;
}

/**
 * The time by which a request must be answered. Code that commits asks it, and so does code that answers. So either the
 * COMMIT is sent first and the answer says so, or the answer says that nothing was stored and no COMMIT is sent after it.
 * All code that a request calls finds it by `current`.
 */
export class Deadline {
  static readonly #running = new AsyncLocalStorage<Deadline>();
  readonly #controller = new AbortController();
  readonly #timers: NodeJS.Timeout[];
  /** A time of `performance.now()`. */
  #refuseAt: number;
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

  /** The deadline of the calling request; undefined where requests have none, as on the plain server. */
  static current(): Deadline | undefined {
    return Deadline.#running.getStore();
  }

  /** Runs `work`, and all that it calls, under this deadline. */
  run<T>(work: () => T): T {
    return Deadline.#running.run(this, work);
  }

  /** Runs `work`, and all that it calls, under no deadline. What it stores is stored whatever becomes of the request. */
  static without<T>(work: () => T): T {
    return Deadline.#running.exit(work);
  }

  /** Aborts, with a DeadlinePassed, when nothing may be committed any more. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether a COMMIT was sent. Then something may be stored, whatever went wrong after it. */
  get stored(): boolean {
    return this.#stored;
  }

  /** Called just before a COMMIT is sent. Throws when it is too late, also by the clock: a timer may be late itself. */
  storing(): void {
    if (!this.#stored && performance.now() >= this.#refuseAt) this.pass();
    this.signal.throwIfAborted();
    this.#stored = true;
  }

  /** The deadline passes now: from here on nothing is committed. */
  pass(): void {
    this.#controller.abort(new DeadlinePassed());
  }

  /** Called when the request is answered: neither a timer nor the clock ends the work that goes on after the answer. */
  close(): void {
    this.#refuseAt = Number.POSITIVE_INFINITY;
    for (const timer of this.#timers) clearTimeout(timer);
  }
}

/** Settles as `work` does; when that takes longer than `ms`, as `late` returns or throws. The work itself goes on. */
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
