import type pg from 'pg';
import { TestMessagesRepository } from '../../pix/test-messages.repository.js';
import { PixUpkeepRepository } from '../../pix/upkeep/upkeep.repository.js';
import { Actors } from '../simulation/actors.js';
import { Scheduler } from '../simulation/scheduler.js';
import type { Session } from '../simulation/session.js';
import { Collector } from './collector.js';
import { Book, readTables } from './invariants.js';
import { Processes } from './processes.js';

/** Connections of one simulation at a time. */
export interface Connections {
  processes: pg.Client[];
  maker: pg.Client;
  clock: pg.Client;
  duty: pg.Client;
  monitor: pg.Client;
}

const QUIET_STEPS = 10_000;
const CRASH = 0.02;
/**
 * Small ones, in which all meet at one message, larger ones, and one whose slots are all taken. `owed`: messages are made until
 * so many are not acknowledged; `leaves`: how likely a collector leaves its stream when it asks.
 */
const WORLDS = [
  { ispbs: ['32074986'], collectors: 2, owed: 1, leaves: 0.05, chaosSteps: 250 },
  { ispbs: ['32074986'], collectors: 3, owed: 3, leaves: 0.05, chaosSteps: 250 },
  { ispbs: ['32074986', '00000000'], collectors: 4, owed: 12, leaves: 0.1, chaosSteps: 250 },
  { ispbs: ['32074986'], collectors: 5, owed: 2, leaves: 0.8, chaosSteps: 200 },
];

/**
 * One run: the real repositories on real connections, in an order that a seed decides. Collectors ask twice, leave, hear late
 * and ask with tokens that are over; processes die anywhere, answers are lost, streams expire, and messages are made meanwhile.
 * In the end patient collectors fetch what is left.
 */
export class Simulation {
  readonly scheduler: Scheduler;
  readonly book = new Book();
  readonly processes: Processes;
  chaos = true;
  readonly #actors: Actors<'process' | 'collector' | 'maker' | 'clock' | 'duty'>;
  readonly #collectors: Collector[];
  readonly #world: (typeof WORLDS)[number];
  #looked = -1;

  constructor(
    readonly seed: number,
    private readonly connections: Connections,
  ) {
    this.scheduler = new Scheduler(seed, connections.monitor);
    this.#actors = new Actors(this.scheduler);
    this.#world = this.scheduler.pick(WORLDS);
    this.processes = new Processes(this.scheduler, this.book);
    const { ispbs, collectors, leaves } = this.#world;
    this.#collectors = Array.from(
      { length: collectors },
      (_, i) => new Collector(ispbs[i % ispbs.length] ?? '', leaves, this),
    );
  }

  /** Whether anything is left to do. */
  isGoing = (): boolean => this.chaos || this.book.owed > 0;

  /** Throws what went wrong, with the seed and the last steps. */
  async run(): Promise<void> {
    try {
      await this.#start();
      for (let step = 0; step < this.#world.chaosSteps; step++) {
        if (this.scheduler.chance() < CRASH) await this.scheduler.crash(this.#actors.pick('process'));
        await this.scheduler.step();
        await this.#look();
      }
      this.chaos = false;
      for (let steps = 0; await this.scheduler.step(); steps++) {
        if (steps > QUIET_STEPS) throw new Error(`still owed after ${QUIET_STEPS} steps: ${this.book.owed}`);
        await this.#look();
      }
      if (this.book.owed > 0) throw new Error(`forgotten: ${this.book.owed}`);
    } catch (error) {
      const steps = this.scheduler.trace.slice(-60).join('\n  ');
      throw new Error(`PIX_SEED=${this.seed}: ${String(error)}\n  ${steps}`, { cause: error });
    } finally {
      await this.#actors.stop();
    }
  }

  async #start(): Promise<void> {
    const { processes, maker, clock, duty, monitor } = this.connections;
    await monitor.query('TRUNCATE pix_messages, pix_waiting, pix_streams, pix_deliveries');
    for (const each of processes) this.#actors.start('process', each, (session) => this.processes.serve(session));
    // A collector has no connection to PostgreSQL.
    for (const each of this.#collectors) this.#actors.start('collector', maker, ({ actor }) => each.live(actor));
    this.#actors.start('maker', maker, (session) => this.#make(session));
    this.#actors.start('clock', clock, (session) => this.#pass(session));
    this.#actors.start('duty', duty, (session) => this.#upkeep(session));
    await this.scheduler.settle();
  }

  async #make(session: Session): Promise<void> {
    const repository = new TestMessagesRepository(session.postgres);
    const isWanted = () => this.chaos && this.book.owed < this.#world.owed;
    while (this.chaos) {
      await this.scheduler.gate(session.actor, 'make', isWanted);
      await repository.make(this.scheduler.pick(this.#world.ispbs), this.scheduler.pick([1, 1, 2]));
    }
    await this.scheduler.gate(session.actor, 'over', () => false);
  }

  /** Time passes for one stream. In the end only for those that nobody follows any more. */
  async #pass(session: Session): Promise<void> {
    for (;;) {
      const chance = await this.scheduler.gate(session.actor, 'time passes', this.isGoing);
      const ids = this.book.open.filter((id) => this.chaos || !this.#collectors.some(({ stream }) => stream === id));
      if (ids.length === 0) continue;
      const id = this.scheduler.pick(ids);
      if (chance < 0.5 || !this.chaos)
        await session.query(
          `UPDATE pix_streams SET expires_at = clock_timestamp() - interval '1 s' WHERE id = $1 AND closed_at IS NULL`,
          [id],
        );
      // A second is over, and the next read begins at the front.
      else
        await session.query(
          `UPDATE pix_streams SET swept_at = swept_at - interval '2 s', expires_at = expires_at - interval '2 s'
            WHERE id = $1 AND closed_at IS NULL`,
          [id],
        );
    }
  }

  async #upkeep(session: Session): Promise<void> {
    const repository = new PixUpkeepRepository(session.postgres);
    for (;;) {
      await this.scheduler.gate(session.actor, 'the duty', this.isGoing);
      await repository.expire();
    }
  }

  /** After a step: nothing failed, and what is committed holds together. */
  async #look(): Promise<void> {
    this.#actors.throwFailure();
    if (this.#looked === this.scheduler.statements) return;
    this.#looked = this.scheduler.statements;
    this.book.check(await readTables(this.connections.monitor));
  }
}
