import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigurationError } from './configuration.js';
import { describe } from './describe.js';
import { refusal } from './refusal.js';

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 10_000;
/** undefined_table and undefined_function: the migrations have not run yet. */
const TABLES_MISSING = new Set<unknown>(['42P01', '42883']);
/** Errors that a store never causes: a bug, which must not be retried for ever. */
const PROGRAMMING = [TypeError, RangeError, ReferenceError, SyntaxError, URIError, EvalError];

/** The current batch is dropped: the working signal fired, or the channel of the batch is gone. */
export class Interrupted extends Error {
  override name = 'Interrupted';
}

/** Where a change of a service is said, in one line. */
export interface Says {
  info(line: string): void;
  error(line: string): void;
}

/** A service: whether it is up, as the loop sees it. Logs each change once. */
export class Service {
  #state: 'unknown' | 'up' | 'lost' | 'down' | 'tables missing' = 'unknown';
  #everUp = false;

  constructor(
    readonly title: string,
    readonly variable: string,
    readonly url: string,
    private readonly log: Says,
    private readonly countRetry: () => void = () => {},
  ) {}

  get isUp(): boolean {
    return this.#state === 'up';
  }

  /** An attempt succeeded. */
  succeeded(): void {
    if (this.#state !== 'up' && this.#state !== 'unknown') this.log.info(`${this.title} is back`);
    this.#state = 'up';
    this.#everUp = true;
  }

  /** A connection that was up is gone; the next attempt tells whether the service is down. */
  lost(error: unknown): void {
    if (this.#state !== 'up') return;
    this.#state = 'lost';
    this.log.info(`lost the connection to ${this.title}: ${describe(error, this.url)}`);
  }

  /** An attempt failed. Throws what must not be retried: Interrupted, a bug, and before the first success a refusal. */
  failed(error: unknown): void {
    if (error instanceof Interrupted || PROGRAMMING.some((kind) => error instanceof kind)) throw error;
    if (error instanceof ConfigurationError && !this.#everUp) throw error;
    const refused = this.#everUp ? undefined : refusal(error);
    if (refused !== undefined) throw new ConfigurationError(this.variable, refused);
    this.countRetry();
    const missing = TABLES_MISSING.has((error as { code?: unknown }).code);
    const state = missing ? 'tables missing' : 'down';
    if (state === this.#state) return;
    this.#state = state;
    const reason = missing ? 'the tables do not exist yet' : describe(error, this.url);
    this.log.error(`waiting for ${this.title}: ${reason}`);
  }
}

/**
 * The wait after a number of failures in a row, in milliseconds:
 *
 * | failures | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 and more |
 * |---|---|---|---|---|---|---|---|---|
 * | at most | 100 | 200 | 400 | 800 | 1,600 | 3,200 | 6,400 | 10,000 |
 *
 * each shortened by a random part of up to a half, so that consumers do not come back all at once.
 */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  const longest = Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), LONGEST_RETRY_MS);
  return longest * (1 - random() / 2);
}

/** Waits, unless the signal fires; it never throws. */
export async function pause(signal: AbortSignal, milliseconds: number): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => {});
}

/** Waits for something and returns it. Throws Interrupted when the signal fires first. */
export async function unlessInterrupted<T>(signal: AbortSignal, awaited: Promise<T>): Promise<T> {
  if (signal.aborted) throw new Interrupted();
  let interrupt = () => {};
  const interrupted = new Promise<never>((_resolve, reject) => {
    interrupt = () => reject(new Interrupted());
  });
  signal.addEventListener('abort', interrupt);
  try {
    return await Promise.race([awaited, interrupted]);
  } finally {
    signal.removeEventListener('abort', interrupt);
  }
}

/** What an attempt came to: what the action returned, or that the service is down. */
export type Attempt<T> = { up: true; value: T } | { up: false };

/** One attempt. When the service is down, it also waits: when it returns, the next attempt may begin. */
export async function attempt<T>(
  signal: AbortSignal,
  service: Service,
  failures: number,
  action: () => Promise<T>,
): Promise<Attempt<T>> {
  if (signal.aborted) throw new Interrupted();
  try {
    const value = await action();
    service.succeeded();
    // Also when the signal fired meanwhile: the caller must know what was done.
    return { up: true, value };
  } catch (error) {
    service.failed(error);
  }
  await pause(signal, backoffMs(failures + 1));
  if (signal.aborted) throw new Interrupted();
  return { up: false };
}

/** Tries until the service is up. Throws Interrupted when the signal fires, and what a retry cannot heal. */
export async function untilUp<T>(signal: AbortSignal, service: Service, action: () => Promise<T>): Promise<T> {
  for (let failures = 0; ; failures++) {
    const attempted = await attempt(signal, service, failures, action);
    if (attempted.up) return attempted.value;
  }
}
