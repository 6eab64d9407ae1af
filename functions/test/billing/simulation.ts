import type pg from 'pg';
import { Actors } from '../simulation/actors.js';
import { type Actor, Scheduler } from '../simulation/scheduler.js';
import { checkEnd } from './end.js';
import type { File, Line } from './files.js';
import { Invariants, readTables, type Tables } from './invariants.js';
import { Mailer } from './mailer.js';
import { Outside } from './outside.js';
import { People } from './people.js';
import { Workers } from './workers.js';

/** How many connections a simulation needs, with the one that looks on. */
export const CONNECTIONS = 14;
const QUIET_STEPS = 10_000;
const CRASH = 0.04;
const FREEZE = 0.03;
/** Enough for others to do all the work meanwhile, or for little of it. */
const FROZEN_STEPS = [15, 60, 200];
const COMPANIES = [1, 2];
const CONTENTS = [100, 250];

/**
 * Small ones, in which all meet at one debt, and larger ones. `resends`: companies that mail again where nobody knows.
 * `deletes`: one company is deleted meanwhile.
 */
const WORLDS: World[] = [
  { debts: 1, companies: 1, files: 2, chaosSteps: 200, resends: false },
  { debts: 1, companies: 1, files: 1, chaosSteps: 200, resends: true },
  { debts: 3, companies: 1, files: 3, chaosSteps: 250, resends: false },
  { debts: 4, companies: 2, files: 4, chaosSteps: 300, resends: false },
  { debts: 3, companies: 2, files: 2, chaosSteps: 250, resends: true },
  { debts: 2, companies: 2, files: 2, chaosSteps: 250, resends: false, deletes: true },
];

interface World {
  debts: number;
  companies: number;
  files: number;
  chaosSteps: number;
  resends: boolean;
  deletes?: boolean;
}

/** How much is left to do, by who would do it. */
interface Owed {
  upload: number;
  merge: number;
  issue: number;
  mail: number;
  sweep: number;
  writeOff: number;
}

/**
 * One run: the real functions on real connections, in an order that a seed decides. Files overlap, workers die anywhere, the
 * bank and the mail server answer late or not at all, debtors pay twice, a person cancels, resolves and sends again.
 */
export class Simulation {
  readonly scheduler: Scheduler;
  readonly outside: Outside;
  readonly people = new People(this);
  readonly resends: boolean;
  readonly debtIds: string[];
  readonly files: File[];
  /** At the last look. */
  tables: Tables = { imports: [], debts: [], deliveries: [], attempts: [], payments: [] };
  chaos = true;
  readonly #invariants = new Invariants();
  readonly #actors: Actors<'worker' | 'person' | 'clock'>;
  readonly #world: World;
  /** Who stands still as after SIGSTOP, until which step, and how fast it is otherwise. */
  readonly #frozen: { actor: Actor; until: number; speed: number }[] = [];
  #looked = -1;
  #step = 0;

  constructor(
    readonly seed: number,
    private readonly connections: readonly pg.Client[],
  ) {
    this.scheduler = new Scheduler(seed, connections[0] as pg.Client);
    this.#actors = new Actors(this.scheduler);
    this.#world = this.scheduler.pick(WORLDS);
    this.resends = this.#world.resends;
    this.outside = new Outside(this.resends);
    this.debtIds = Array.from({ length: this.#world.debts }, (_, i) => `00000000-0000-4000-8000-00000000000${i}`);
    this.files = Array.from({ length: this.#world.files }, () => this.#someFile());
  }

  isGoing = (): boolean => this.chaos || Object.values(this.owed()).some((count) => count > 0);

  owed = (): Owed => {
    // Of a company that is deleted only the bank's titles are owed.
    const [imports, owed, deliveries] = [
      living(this.tables.imports),
      living(this.tables.debts),
      living(this.tables.deliveries),
    ];
    const count = (status: string) => deliveries.filter((each) => each.status === status).length;
    return {
      upload: this.files.length - this.tables.imports.length,
      merge: imports.reduce((sum, { waiting }) => sum + waiting, 0),
      issue: owed.filter(({ status }) => status === 'importada').length,
      mail: count('pendente'),
      sweep: count('tentando'),
      // A title that the bank does not have is not written off; the bank is asked again for seven days.
      writeOff: this.tables.debts.filter(
        ({ seq, cancelled, written_off }) => cancelled && !written_off && this.outside.hasTitle(seq),
      ).length,
    };
  };

  someCompany(): number {
    return this.scheduler.pick(COMPANIES.slice(0, this.#world.companies));
  }

  /** Throws what went wrong, with the seed and the last steps. */
  async run(): Promise<void> {
    try {
      await this.#start();
      for (let step = 0; step < this.#world.chaosSteps; step++) {
        if (this.scheduler.chance() < CRASH) await this.scheduler.crash(this.#actors.pick('worker', 'person'));
        this.#step = step;
        if (this.scheduler.chance() < FREEZE) this.freeze(this.#actors.pick('worker'));
        this.#thaw(step);
        await this.scheduler.step();
        await this.#look();
      }
      this.chaos = false;
      this.#thaw();
      for (let steps = 0; await this.scheduler.step(); steps++) {
        if (steps > QUIET_STEPS) throw new Error(`still owed: ${JSON.stringify(this.owed())}`);
        await this.#look();
      }
      if (this.isGoing()) throw new Error(`forgotten: ${JSON.stringify(this.owed())}`);
      checkEnd(this);
    } catch (error) {
      const steps = this.scheduler.trace.slice(-60).join('\n  ');
      throw new Error(`BILLING_SEED=${this.seed}: ${String(error)}\n  ${steps}`, { cause: error });
    } finally {
      await this.#actors.stop();
    }
  }

  get deletes(): boolean {
    return this.#world.deletes ?? false;
  }

  /** SIGSTOP. A worker that has begun a mail asks for it itself: there it is most dangerous. */
  freeze(actor: Actor): void {
    this.scheduler.trace.push(`${actor.name} stands still`);
    if (actor.speed > 0)
      this.#frozen.push({ actor, until: this.#step + this.scheduler.pick(FROZEN_STEPS), speed: actor.speed });
    // It is picked only where nobody else can go.
    actor.speed = 0;
  }

  /** Lets those go on whose time is over. */
  #thaw(step = Number.POSITIVE_INFINITY): void {
    for (const { actor, until, speed } of this.#frozen) if (until <= step) actor.speed = speed;
  }

  async #start(): Promise<void> {
    const [monitor, ...clients] = this.connections as [pg.Client];
    await monitor.query(`TRUNCATE uploads, billing_imports, billing_import_chunks, billing_rejects, billing_debts, billing_invoices,
      billing_deliveries, billing_attempts, billing_payments RESTART IDENTITY`);
    await monitor.query('UPDATE companies SET deleted = false; UPDATE billing_companies SET deleted = false');
    const { merge, issue, writeOff } = new Workers(this);
    const { mail } = new Mailer(this);
    const { upload, pay, steer, sweep, pass } = this.people;
    const connection = () => clients.pop() as unknown as pg.Client;
    for (const life of [merge, issue, mail, merge, issue, mail, writeOff, sweep])
      this.#actors.start('worker', connection(), life);
    for (const life of [upload, pay, pay, steer]) this.#actors.start('person', connection(), life);
    this.#actors.start('clock', connection(), pass);
    await this.scheduler.settle();
  }

  /** Some of the debts, some of them twice, in any order, each with one of two contents. */
  #someFile(): File {
    const count = this.scheduler.pick([1, 2, 3, 4]) * this.debtIds.length;
    const lines: Line[] = Array.from({ length: count }, (_, i) => ({
      line: i + 2,
      debtId: this.scheduler.pick(this.debtIds),
      cents: this.scheduler.pick(CONTENTS),
    }));
    const chunks: Line[][] = [];
    while (lines.length > 0) chunks.push(lines.splice(0, this.scheduler.pick([1, 2, 3, 5])));
    return { company: this.someCompany(), chunks };
  }

  /** After a step: nothing failed, and what is committed holds together. */
  async #look(): Promise<void> {
    this.#actors.throwFailure();
    if (this.#looked === this.scheduler.statements) return;
    this.#looked = this.scheduler.statements;
    this.tables = await readTables(this.connections[0] as pg.Client);
    this.#invariants.check(this.tables);
    for (const each of this.tables.deliveries) this.outside.check(each);
  }
}

function living<T extends { gone: boolean }>(rows: readonly T[]): T[] {
  return rows.filter(({ gone }) => !gone);
}
