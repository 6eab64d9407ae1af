import { setImmediate as turn } from 'node:timers/promises';
import type pg from 'pg';
import { randomFrom } from '../../../testing/random.js';

/** Thrown at a gate to an actor that has died there: it does nothing any more, not even in its `finally`. */
export class Crash extends Error {}

/** A process of the simulation: it stops at gates and goes on when the scheduler lets it. */
export interface Actor {
  name: string;
  dead: boolean;
  /** How likely it is to go next, compared with the others: many overtake a slow one. */
  speed: number;
}

interface Gate {
  actor: Actor;
  label: string;
  isOpen: () => boolean;
  /** Passes the gate's own random number, so that all chance comes from the scheduler's one sequence. */
  pass: (chance: number) => void;
  die: () => void;
}

interface InFlight {
  pid: number;
}

/** Polls of the lock table begin after a statement has been silent for this long. */
const SILENCE_MS = 2;

/**
 * Lets one actor go one step at a time, in an order that a seed decides. A step ends when every actor stands at a gate
 * again, or waits for a lock that another's open transaction holds. So the interleavings are real and can be replayed.
 */
export class Scheduler {
  readonly trace: string[] = [];
  /** Statements completed so far. */
  statements = 0;
  readonly #random: () => number;
  #gates: Gate[] = [];
  readonly #inFlight = new Set<InFlight>();
  /** Those that were found blocked, and after how many statements. */
  #blocked = new Set<InFlight>();
  #judgedAfter = -1;
  #wake: () => void = () => {};

  constructor(
    seed: number,
    private readonly monitor: pg.Client,
  ) {
    this.#random = randomFrom(seed);
  }

  chance(): number {
    return this.#random();
  }

  pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.#random() * items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  /** Where an actor waits for its turn. Rejects with Crash when it dies there or is dead already. */
  gate(actor: Actor, label: string, isOpen: () => boolean = () => true): Promise<number> {
    if (actor.dead) return Promise.reject(new Crash());
    return new Promise((resolve, reject) => {
      this.#gates.push({ actor, label, isOpen, pass: resolve, die: () => reject(new Crash()) });
    });
  }

  /** Kills an actor wherever it stands. */
  async crash(actor: Actor): Promise<void> {
    this.trace.push(`${actor.name} crashes`);
    actor.dead = true;
    const standing = this.#gates.filter((gate) => gate.actor === actor);
    this.#gates = this.#gates.filter((gate) => gate.actor !== actor);
    for (const gate of standing) gate.die();
    await this.settle();
  }

  /** One step of one actor. Returns false when none can go. */
  async step(): Promise<boolean> {
    const open = this.#gates
      .filter((gate) => gate.isOpen())
      // Two actors that woke at once came in either order, so names decide. The gates of one actor keep their own order.
      .sort((a, b) => (a.actor.name === b.actor.name ? 0 : a.actor.name < b.actor.name ? -1 : 1));
    if (open.length === 0) return false;
    const gate = this.#next(open);
    this.#gates = this.#gates.filter((other) => other !== gate);
    this.trace.push(`${gate.actor.name}: ${gate.label}`);
    gate.pass(this.chance());
    await this.settle();
    return true;
  }

  #next(open: Gate[]): Gate {
    let left = this.#random() * open.reduce((sum, { actor }) => sum + actor.speed, 0);
    for (const gate of open) {
      left -= gate.actor.speed;
      if (left < 0) return gate;
    }
    return this.pick(open);
  }

  /** Runs a statement that may have to wait for a lock. */
  async run<T>(pid: number, statement: () => Promise<T>): Promise<T> {
    const entry: InFlight = { pid };
    this.#inFlight.add(entry);
    try {
      return await statement();
    } finally {
      this.statements++;
      this.#inFlight.delete(entry);
      this.#wake();
    }
  }

  /** Waits until every statement under way is completed or blocked. */
  async settle(): Promise<void> {
    for (;;) {
      await turn();
      // Only a statement releases a lock: if none has completed since, the blocked ones still are.
      const unsure =
        this.#judgedAfter !== this.statements || [...this.#inFlight].some((entry) => !this.#blocked.has(entry));
      if (this.#inFlight.size === 0 || !unsure) return;
      if ([...this.#inFlight].some((entry) => !this.#blocked.has(entry))) await this.#nextAnswer();
      await turn();
      const judgedAfter = this.statements;
      const waiting = [...this.#inFlight];
      if (waiting.length === 0 || !(await this.#areBlocked(waiting)) || judgedAfter !== this.statements) continue;
      this.#blocked = new Set(waiting);
      this.#judgedAfter = judgedAfter;
      return;
    }
  }

  /** Waits until a statement completes, or has been silent for SILENCE_MS. */
  #nextAnswer(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, SILENCE_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #areBlocked(waiting: InFlight[]): Promise<boolean> {
    const { rows } = await this.monitor.query<{ blocked: number }>({
      name: 'blocked',
      text: 'SELECT count(DISTINCT pid)::int AS blocked FROM pg_locks WHERE NOT granted AND pid = ANY ($1::int[])',
      values: [waiting.map(({ pid }) => pid)],
    });
    return rows[0]?.blocked === waiting.length;
  }
}
