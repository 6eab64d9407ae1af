import type pg from 'pg';
import { ContactsRepository } from '../../contacts/contacts.repository.js';
import { Actors } from '../simulation/actors.js';
import { Scheduler } from '../simulation/scheduler.js';
import type { Session } from '../simulation/session.js';
import { type ContactBody, someContact } from './fixtures.js';
import { assertTables, readTables, type Seen, type Sent } from './invariants.js';

/** Connections of one simulation at a time. */
export interface Connections {
  accepters: pg.Client[];
  workers: pg.Client[];
  forgetter: pg.Client;
  monitor: pg.Client;
}

/** The trigger of the simulated store refuses this name, as a CHECK would. */
export const REFUSED = 'Refused by the store';

const CHAOS_STEPS = 50;
const QUIET_STEPS = 500;
const GROUPS_AN_ACCEPTER = 3;
const FORGOTTEN = 2;
/** How often a step is a crash, a COMMIT's answer is lost, and a caller sends what the store refuses. */
const [CRASH, LOST, REFUSAL] = [0.1, 0.25, 0.2];
/** In a run of three the store refuses something; in one of three contacts are forgotten. */
const SOME = 1 / 3;
/** A contact that is forgotten at once would not be there: most steps of who forgets are waiting. */
const THINKING = 0.7;
const DEADLOCK = '40P01';

/**
 * One run: the real statements on real connections, in an order that a seed decides, with processes that crash anywhere.
 * Few users with few contents are sent many times. First chaos, then it runs until nothing is owed.
 */
export class Simulation {
  readonly scheduler: Scheduler;
  readonly #actors: Actors<'accepter' | 'worker' | 'forgetter'>;
  readonly #contents: ContactBody[];
  readonly #sent: Sent = new Map();
  readonly #answered = new Set<string>();
  readonly #seen: Seen = {
    begun: new Set(),
    done: new Map(),
    ends: new Map(),
    stored: new Map(),
    forgotten: new Set(),
  };
  readonly #refuses: boolean;
  #chaos = true;
  /** A batch is accepted and not done. */
  #owes = false;
  #looked = -1;

  constructor(
    readonly seed: number,
    private readonly connections: Connections,
  ) {
    this.scheduler = new Scheduler(seed, connections.monitor);
    this.#actors = new Actors(this.scheduler);
    this.#refuses = this.scheduler.chance() < SOME;
    const users = Array.from({ length: 2 + Math.floor(this.scheduler.chance() * 3) }, () =>
      someContact({ id: this.#id() }),
    );
    this.#contents = users.flatMap((user) => [user, { ...user, age: 1 }, { ...user, logs: user.logs.toReversed() }]);
  }

  /** Throws what went wrong, with the seed and the last steps. */
  async run(): Promise<void> {
    const { accepters, workers, forgetter, monitor } = this.connections;
    try {
      await monitor.query('TRUNCATE contact_batches, contacts, contact_teams, contact_projects, contact_logs');
      for (const client of accepters) this.#actors.start('accepter', client, (session) => this.#accept(session));
      for (const client of workers) this.#actors.start('worker', client, (session) => this.#work(session));
      if (this.scheduler.chance() < SOME)
        this.#actors.start('forgetter', forgetter, (session) => this.#forget(session));
      await this.scheduler.settle();
      for (let step = 0; step < CHAOS_STEPS; step++) {
        if (this.scheduler.chance() < CRASH) await this.scheduler.crash(this.#actors.pick('accepter', 'worker'));
        await this.scheduler.step();
        await this.#look();
      }
      this.#chaos = false;
      await this.#untilQuiet();
      await this.#assertAllEnded();
    } catch (error) {
      const steps = this.scheduler.trace.slice(-60).join('\n  ');
      throw new Error(`CONTACTS_SEED=${this.seed}: ${String(error)}\n  ${steps}`, { cause: error });
    } finally {
      await this.#actors.stop();
    }
  }

  /** By chance of the seed, so that the order of users is that of the seed, too. */
  #id(): string {
    const last = Math.floor(this.scheduler.chance() * 16 ** 12);
    return `550e8400-e29b-41d4-a716-${last.toString(16).padStart(12, '0')}`;
  }

  /** A caller's group under an id known before its insert; a repeat of it under the same one. */
  async #accept(session: Session): Promise<void> {
    const repository = new ContactsRepository(session.postgres);
    for (let group = 0; group < GROUPS_AN_ACCEPTER; group++) {
      const chance = await this.scheduler.gate(session.actor, 'gather', () => this.#chaos);
      const id = await repository.nextBlock();
      const lines = Array.from({ length: 1 + Math.floor(chance * 4) }, () => this.#line());
      this.#sent.set(String(id), lines);
      const stored = await repository.accept(id, lines);
      if (!stored) throw new Error(`batch ${id} was there before it was sent`);
      if (this.scheduler.chance() < LOST) await this.#repeat(repository, id, lines);
      this.#answered.add(String(id));
    }
  }

  async #repeat(repository: ContactsRepository, id: bigint, lines: string[]): Promise<void> {
    if (await repository.accept(id, lines)) throw new Error(`batch ${id} is stored a second time`);
    // Of one that is done, what a contact that is gone held cannot be known any more.
    if (!(await repository.holds(id, lines)) && this.#seen.forgotten.size === 0)
      throw new Error(`batch ${id} is not known as its own`);
  }

  #line(): string {
    const user = this.scheduler.pick(this.#contents);
    const isRefused = this.#refuses && this.scheduler.chance() < REFUSAL;
    return JSON.stringify(isRefused ? { ...user, name: REFUSED } : user);
  }

  async #work(session: Session): Promise<void> {
    const repository = new ContactsRepository(session.postgres);
    for (;;) {
      const chance = await this.scheduler.gate(session.actor, 'look', () => this.#chaos || this.#owes);
      await repository.start();
      await repository.process(1 + Math.floor(chance * 3)).catch((error: { code?: string }) => {
        // One by one, lines are stored in the order of jobs, and two workers may meet in a circle.
        if (error.code !== DEADLOCK || !this.#refuses) throw error;
      });
    }
  }

  async #forget(session: Session): Promise<void> {
    for (let left = FORGOTTEN; left > 0; left--) {
      while ((await this.scheduler.gate(session.actor, 'think', () => this.#chaos)) < THINKING) this.scheduler.chance();
      const { id } = this.scheduler.pick(this.#contents);
      this.#seen.forgotten.add(id);
      // Its COMMIT is a step of its own: what it takes away was looked at before.
      await session.transaction((sql) => sql.query('SELECT forget_contact($1)', [id]));
    }
  }

  async #untilQuiet(): Promise<void> {
    await this.#look();
    for (let steps = 0; await this.scheduler.step(); steps++) {
      if (steps > QUIET_STEPS) throw new Error(`still working after ${QUIET_STEPS} steps`);
      await this.#look();
    }
  }

  /** After a step: nothing failed, and what is committed holds together. */
  async #look(): Promise<void> {
    this.#actors.throwFailure();
    if (this.#looked === this.scheduler.statements) return;
    this.#looked = this.scheduler.statements;
    const tables = await readTables(this.connections.monitor);
    this.#owes = tables.batches.some(({ done }) => done === null);
    assertTables(tables, this.#sent, this.#seen);
  }

  async #assertAllEnded(): Promise<void> {
    const { batches } = await readTables(this.connections.monitor);
    const lost = [...this.#answered].filter((id) => !batches.some((batch) => batch.id === id));
    if (lost.length > 0) throw new Error(`accepted and lost: ${lost}`);
    const owed = batches.filter(({ done }) => done === null);
    if (owed.length > 0) throw new Error(`still owed: ${JSON.stringify(owed)}`);
  }
}
