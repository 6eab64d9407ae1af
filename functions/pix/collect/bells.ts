import { once } from 'node:events';
import { Injectable } from '@nestjs/common';
import { Config } from '../../platform/config.js';
import { PostgresListener } from '../../platform/stores/postgres-listener.js';
import { Log } from '../../platform/telemetry/log.js';

/** The payload of a notification is the ISPB. */
const CHANNEL = 'pix_waiting';

/** What wakes one poll. A ring is kept until it is taken: one that comes while the poll reads is not lost (P8). */
export class Bell {
  #rungAt: number | undefined;
  #wake: () => void = () => {};

  ring(): void {
    this.#rungAt ??= performance.now();
    this.#wake();
  }

  /** When it first rang since the last take, by `performance.now()`; undefined: it did not. */
  take(): number | undefined {
    const rungAt = this.#rungAt;
    this.#rungAt = undefined;
    return rungAt;
  }

  /** Resolves at a ring, also at one that was not taken; after `ms`; and when one of `ends` aborts. */
  wait(ms: number, ends: readonly AbortSignal[]): Promise<void> {
    return new Promise((resolve) => {
      if (this.#rungAt !== undefined || ends.some(({ aborted }) => aborted)) return resolve();
      const wake = (): void => {
        clearTimeout(timer);
        for (const end of ends) end.removeEventListener('abort', wake);
        this.#wake = () => {};
        resolve();
      };
      const timer = setTimeout(wake, ms);
      for (const end of ends) end.addEventListener('abort', wake);
      this.#wake = wake;
    });
  }
}

/** The bells of all polls of this process, by ISPB. A notification rings all of its ISPB; those that find nothing wait on. */
@Injectable()
export class Bells {
  readonly #bells = new Map<string, Set<Bell>>();
  /** Aborts with the first poll. */
  readonly #wanted = new AbortController();

  constructor(
    private readonly config: Config,
    private readonly log: Log,
  ) {}

  /** A bell for a poll of this ISPB, to be removed when the poll ends. */
  hang(ispb: string): Bell {
    const bell = new Bell();
    this.#bells.set(ispb, (this.#bells.get(ispb) ?? new Set()).add(bell));
    // Not each time: a reason with a stack is made for every call.
    if (!this.#wanted.signal.aborted) this.#wanted.abort();
    return bell;
  }

  remove(ispb: string, bell: Bell): void {
    const bells = this.#bells.get(ispb);
    bells?.delete(bell);
    if (bells?.size === 0) this.#bells.delete(ispb);
  }

  /** Listens from the first poll on, until told to stop. In a function nobody calls it: a frozen process hears nothing. */
  async loop(stop: AbortSignal): Promise<void> {
    if (!this.#wanted.signal.aborted) await Promise.race([once(this.#wanted.signal, 'abort'), once(stop, 'abort')]);
    const listener = new PostgresListener({
      databaseUrl: this.config.databaseUrl,
      channel: CHANNEL,
      onNotice: (ispb) => this.#ring(ispb),
      // What came during a break was not heard.
      onListening: () => {
        for (const ispb of this.#bells.keys()) this.#ring(ispb);
      },
      log: this.log,
    });
    await listener.run(stop);
  }

  #ring(ispb: string): void {
    for (const bell of this.#bells.get(ispb) ?? []) bell.ring();
  }
}
