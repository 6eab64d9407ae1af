import type pg from 'pg';
import { type Actor, Crash, type Scheduler } from './scheduler.js';
import { Session } from './session.js';

/** Some overtake the others many times in a run. */
const SPEEDS = [0.2, 1, 1, 4];

/** The processes of one run, each on a connection of its own, which is started again whenever it has crashed. */
export class Actors<Kind extends string> {
  readonly #slots: { now: Actor; kind: Kind }[] = [];
  readonly #lives: Promise<void>[] = [];
  #ended = false;
  #failure: unknown;

  constructor(private readonly scheduler: Scheduler) {}

  /** Starts one. What its life throws is the failure of the run, but for its own crash. */
  start(kind: Kind, client: pg.Client, life: (session: Session) => Promise<void>): void {
    const name = `${kind} ${this.#slots.filter((slot) => slot.kind === kind).length + 1}`;
    const speed = this.scheduler.pick(SPEEDS);
    const slot = { now: { name, dead: false, speed }, kind };
    this.#slots.push(slot);
    const live = async (): Promise<void> => {
      while (!this.#ended) {
        try {
          return await life(new Session(client, slot.now, this.scheduler));
        } catch (error) {
          if (!(error instanceof Crash)) return this.fail(error);
          slot.now = { name, dead: false, speed };
        }
      }
    };
    this.#lives.push(live());
  }

  /** One of these kinds, by chance. */
  pick(...kinds: Kind[]): Actor {
    return this.scheduler.pick(this.#slots.filter(({ kind }) => kinds.includes(kind))).now;
  }

  /** Notes why the run has failed; the first reason counts. */
  fail(error: unknown): void {
    this.#failure ??= error;
  }

  /** Throws what failed so far. */
  throwFailure(): void {
    if (this.#failure) throw this.#failure;
  }

  /** Ends all of them. */
  async stop(): Promise<void> {
    this.#ended = true;
    for (const { now } of this.#slots) await this.scheduler.crash(now);
    await Promise.all(this.#lives);
  }
}
