import { setTimeout as delay } from 'node:timers/promises';
import type { Answer } from './answer.js';
import { Connection, NoAnswer, NotOpened, type Target } from './connection.js';
import { type Counts, clockMs, count, type Look } from './share.js';

/** Few enough for the smallest backlog that a server is likely to have, over all processes of a loader. */
const OPENING_AT_ONCE = 64;
/** How often a closed socket is opened again, in a row, before it is given up. */
export const MOST_FAILURES = 4;
const FIRST_PAUSE_MS = 250;

/** The sockets of a share, numbered from 0. */
export class Sockets {
  readonly #all: (Connection | undefined)[];
  readonly #givenUp = new Set<number>();
  #notOpened: Counts = {};

  constructor(
    count: number,
    private readonly targets: readonly Target[],
    /** Whether a socket that was closed is opened again. */
    private readonly again: boolean,
  ) {
    this.#all = Array.from({ length: count });
  }

  /** Opens those that are not open, once each, some at a time. `look` says which failed. */
  async open(withinMs: number): Promise<void> {
    const until = clockMs() + withinMs;
    const slots = [...this.#all.keys()].filter((slot) => !this.#all[slot] || this.#all[slot].closed).values();
    this.#notOpened = {};
    const opening = Array.from({ length: OPENING_AT_ONCE }, async () => {
      for (const slot of slots)
        await this.#open(slot, Math.max(1, until - clockMs())).catch((error: Error) => {
          this.#all[slot] = undefined;
          count(this.#notOpened, error.message);
        });
    });
    await Promise.all(opening);
  }

  look(): Look {
    const found: Look = { open: 0, notOpen: { ...this.#notOpened } };
    for (const socket of this.#all)
      if (socket?.closed) count(found.notOpen, socket.closed);
      else if (socket) found.open++;
    return found;
  }

  /** Whether a socket is open, opened again where it may be, before `stopAt`. Once it is given up, it stays so. */
  async isOpen(slot: number, stopAt: number, withinMs: number): Promise<boolean> {
    for (let failures = 0, pause = FIRST_PAUSE_MS; ; failures++, pause *= 2) {
      const left = stopAt - clockMs();
      if (left <= 0) return false;
      if (this.#all[slot] && !this.#all[slot].closed) return true;
      if (failures > MOST_FAILURES) this.#givenUp.add(slot);
      if (!this.again || this.#givenUp.has(slot)) return false;
      try {
        await this.#open(slot, Math.min(left, withinMs));
      } catch (error) {
        if (!(error instanceof NotOpened)) throw error;
        await delay(pause);
      }
    }
  }

  /** Sends a request on a socket and returns its answer. Throws NoAnswer. */
  async ask(slot: number, method: 'GET' | 'POST', path: string, body: Buffer | undefined, ms: number): Promise<Answer> {
    const socket = this.#all[slot];
    if (!socket) throw new NoAnswer('not connected');
    return socket.ask(method, path, body, Math.max(1, ms));
  }

  close(): void {
    for (const socket of this.#all) socket?.close();
  }

  async #open(slot: number, withinMs: number): Promise<void> {
    this.#all[slot] = await Connection.open(this.targets[slot % this.targets.length] as Target, withinMs);
  }
}
