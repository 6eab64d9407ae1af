import type pg from 'pg';
import { QuarantineNotFound, QuarantineResolved } from '../../events/events.errors.js';
import type { Delivery } from '../../events/intake/event-source.js';
import { EventsMeter } from '../../events/intake/events-meter.js';
import { IntakeRepository } from '../../events/intake/intake.repository.js';
import type { Outcome } from '../../events/intake/outcome.js';
import { StoreEvents, sqlStateOfRefusal } from '../../events/intake/store-events.js';
import { Quarantine } from '../../events/quarantine/quarantine.js';
import { QuarantineRepository } from '../../events/quarantine/quarantine.repository.js';
import { RegistryRepository } from '../../events/registry/registry.repository.js';
import { UpkeepRepository } from '../../events/upkeep/upkeep.repository.js';
import { createLog } from '../../platform/telemetry/log.js';
import { Metrics } from '../../platform/telemetry/metrics.js';
import { Actors } from '../simulation/actors.js';
import { Scheduler } from '../simulation/scheduler.js';
import type { Session } from '../simulation/session.js';
import { assertTables, NOTHING, readTables, type Seen } from './invariants.js';
import { registryOn } from './registry-on.js';

/** Connections of one simulation at a time. */
export interface Connections {
  processors: pg.Client[];
  sender: pg.Client;
  registrar: pg.Client;
  member: pg.Client;
  retention: pg.Client;
  monitor: pg.Client;
}

const CHAOS_STEPS = 120;
const QUIET_STEPS = 600;
const CRASH = 0.08;
const MESSAGES = 14;
const CHANGES = 6;
const CLIENTS = ['a', 'b', 'c'];
/** Of versions of a type: one takes all, one the message 1, one nothing. */
const SCHEMAS = [null, '{"type":"integer","maximum":1}', '{"type":"integer","maximum":0}'];
const KEEP_DAYS = 30;

/** A message on the queue: held by nobody, by a processor, or acknowledged. */
interface Queued {
  delivery: Delivery;
  client: string;
  state: 'ready' | 'held' | 'done';
}

const silent = createLog('silent');

/**
 * One run: the real triage and the real call on real connections, in an order that a seed decides. Processors crash anywhere,
 * and what they held comes again. Few clients and keys are sent many times, over the queue and over HTTP, while clients and
 * types are registered, deleted and registered again, what is in quarantine is replayed, mended and discarded, and retention
 * deletes what is old.
 */
export class Simulation {
  readonly scheduler: Scheduler;
  readonly #actors: Actors<'processor' | 'sender' | 'registrar' | 'member' | 'retention'>;
  readonly #queue: Queued[];
  readonly #seen: Seen = { events: new Map(), stored: new Set(), aged: new Set(), told: [], last: NOTHING };
  #chaos = true;
  #looked = -1;

  constructor(
    readonly seed: number,
    private readonly connections: Connections,
  ) {
    this.scheduler = new Scheduler(seed, connections.monitor);
    this.#actors = new Actors(this.scheduler);
    this.#queue = Array.from({ length: MESSAGES }, (_, n) => this.#message(n));
  }

  /** Throws what went wrong, with the seed and the last steps. */
  async run(): Promise<void> {
    const { processors, sender, registrar, member, retention, monitor } = this.connections;
    try {
      await monitor.query('TRUNCATE events, event_quarantine, event_deliveries');
      await monitor.query(`UPDATE event_clients SET deleted = client_id = 'c'`);
      await monitor.query('DELETE FROM event_types WHERE version > 1');
      await monitor.query('UPDATE event_types SET deleted = false');
      await monitor.query('UPDATE event_registry SET version = version + 1');
      for (const client of processors) this.#actors.start('processor', client, (session) => this.#process(session));
      this.#actors.start('sender', sender, (session) => this.#send(session));
      this.#actors.start('registrar', registrar, (session) => this.#change(session));
      this.#actors.start('member', member, (session) => this.#end(session));
      this.#actors.start('retention', retention, (session) => this.#sweep(session));
      await this.scheduler.settle();
      for (let step = 0; step < CHAOS_STEPS; step++) {
        if (this.scheduler.chance() < CRASH) await this.#crash();
        await this.scheduler.step();
        await this.#look();
      }
      this.#chaos = false;
      for (let steps = 0; await this.scheduler.step(); steps++) {
        if (steps > QUIET_STEPS) throw new Error(`still working after ${QUIET_STEPS} steps`);
        await this.#look();
      }
      const left = this.#queue.filter(({ state }) => state !== 'done');
      if (left.length > 0) throw new Error(`never settled: ${left.map(({ delivery }) => delivery.body)}`);
    } catch (error) {
      const steps = this.scheduler.trace.slice(-60).join('\n  ');
      throw new Error(`EVENTS_SEED=${this.seed}: ${String(error)}\n  ${steps}`, { cause: error });
    } finally {
      await this.#actors.stop();
    }
  }

  #message(n: number): Queued {
    const client = this.scheduler.pick(CLIENTS);
    const isBad = this.scheduler.chance() < 0.15;
    const body = isBad ? Buffer.from(`bad ${n % 3}`) : this.#envelope(client);
    return { delivery: { body, key: `b:${n}` }, client, state: 'ready' };
  }

  #envelope(client: string): Buffer {
    const id = this.scheduler.pick(['1', '2', '3']);
    const message = this.scheduler.pick(['1', '1', '2']);
    const type = this.scheduler.pick(['t', 't', 't', 'u', 'unknown']);
    const version = this.scheduler.chance() < 0.2 ? { version: 1 } : {};
    return Buffer.from(JSON.stringify({ event_type: type, client_id: client, message, id, ...version }));
  }

  /** What a processor that dies has not acknowledged is ready again. */
  async #crash(): Promise<void> {
    await this.scheduler.crash(this.#actors.pick('processor', 'member', 'retention'));
  }

  async #process(session: Session): Promise<void> {
    const store = storeOn(session);
    const held = new Set<Queued>();
    try {
      for (;;) {
        const hasWork = () => this.#queue.some(({ state }) => state === 'ready');
        const chance = await this.scheduler.gate(session.actor, 'gather', hasWork);
        const ready = this.#queue.filter(({ state }) => state === 'ready');
        for (const each of ready.slice(0, 1 + Math.floor(chance * 5))) {
          each.state = 'held';
          held.add(each);
        }
        const batch = [...held];
        const outcomes = await store.store(
          batch.map(({ delivery }) => delivery),
          true,
        );
        for (const [at, { delivery }] of batch.entries()) this.#told(delivery, outcomes[at], true);
        await this.scheduler.gate(session.actor, 'settle');
        for (const each of batch) each.state = 'done';
        held.clear();
      }
    } finally {
      for (const each of held) each.state = 'ready';
    }
  }

  /** The same outcomes over HTTP, where nothing is kept that is refused, and a stranger is told nothing. */
  async #send(session: Session): Promise<void> {
    const store = storeOn(session);
    for (let sent = 0; sent < 5; sent++) {
      await this.scheduler.gate(session.actor, 'send', () => this.#chaos);
      const { delivery } = this.#message(100 + sent);
      const maySend = this.scheduler.chance() < 0.7;
      const [outcome] = await store.store([{ ...delivery, maySend: () => maySend }], false);
      if (maySend) this.#told(delivery, outcome, false);
      else if (outcome?.kind !== 'refused' || outcome.eventId !== undefined || !/envel|unreg/.test(outcome.reason))
        throw new Error(`told to a stranger: ${delivery.body} ${JSON.stringify(outcome)}`);
    }
    await this.scheduler.gate(session.actor, 'over', () => false);
  }

  /** Nobody hears twice that one event was stored now. */
  #told({ body, key }: Delivery, outcome: Outcome | undefined, isKept: boolean): void {
    if (!outcome) throw new Error(`no outcome: ${body}`);
    this.#storedOnce(body, outcome);
    this.#seen.told.push({ body, key, outcome, isKept });
  }

  #storedOnce(body: Buffer, outcome: Outcome): void {
    if (outcome.kind !== 'stored') return;
    if (this.#seen.stored.has(outcome.eventId)) throw new Error(`stored twice: ${body}`);
    this.#seen.stored.add(outcome.eventId);
  }

  /** Ends messages of quarantine: as they are, mended, under another id, or discarded. */
  async #end(session: Session): Promise<void> {
    const { postgres } = session;
    const repository = new QuarantineRepository(postgres);
    const quarantine = new Quarantine(repository, storeOn(session), postgres, new EventsMeter(silent, new Metrics()));
    for (;;) {
      await this.scheduler.gate(session.actor, 'end', () => this.#chaos && this.#seen.last.quarantine.length > 0);
      const ids = await repository.open('anyone', { after: 0, limit: 100 });
      if (ids.length === 0) continue;
      const id = this.scheduler.pick(ids);
      try {
        if (this.scheduler.chance() < 0.4) await quarantine.discard('anyone', id);
        else {
          const mended = this.scheduler.chance() < 0.5 ? this.#envelope(this.scheduler.pick(CLIENTS)) : undefined;
          const outcome = await quarantine.replay('anyone', id, mended);
          this.#storedOnce(mended ?? Buffer.from(`message ${id}`), outcome);
        }
      } catch (error) {
        if (!(error instanceof QuarantineResolved || error instanceof QuarantineNotFound)) throw error;
      }
    }
  }

  /** Lets an event and what was ended in quarantine be old, and deletes what is. */
  async #sweep(session: Session): Promise<void> {
    const upkeep = new UpkeepRepository(session.postgres);
    for (;;) {
      await this.scheduler.gate(session.actor, 'sweep', () => this.#chaos && this.#seen.last.events.length > 0);
      const { id } = this.scheduler.pick(this.#seen.last.events);
      this.#seen.aged.add(id);
      await session.query(`UPDATE events SET received_at = now() - interval '40 days' WHERE id = $1`, [id]);
      if (this.scheduler.chance() < 0.3) {
        await session.query(
          `UPDATE event_quarantine SET resolved_at = now() - interval '40 days' WHERE resolved_at IS NOT NULL`,
        );
        await upkeep.sweepQuarantine(KEEP_DAYS);
      }
      try {
        await upkeep.sweepEvents(KEEP_DAYS, '0');
      } catch (error) {
        // A replay has named an event of the page meanwhile, which stays then.
        if (sqlStateOfRefusal(error) !== '23503') throw error;
      }
    }
  }

  /** Deletes a client or registers it again, gives a type a version or deletes it; the version last, as the registry does. */
  async #change(session: Session): Promise<void> {
    for (let changes = 0; changes < CHANGES; changes++) {
      await this.scheduler.gate(session.actor, 'change', () => this.#chaos);
      const client = this.scheduler.pick(CLIENTS);
      const schema = this.scheduler.pick(SCHEMAS);
      const [text, values] = this.scheduler.pick<[string, unknown[]]>([
        ['UPDATE event_clients SET deleted = NOT deleted WHERE client_id = $1', [client]],
        [
          `INSERT INTO event_types (company_id, name, version, schema)
             SELECT 'acme', 't', max(version) + 1, $1::jsonb FROM event_types WHERE name = 't'`,
          [schema],
        ],
        [`UPDATE event_types SET deleted = true WHERE name = 't'`, []],
      ]);
      await session.transaction(async (sql) => {
        await sql.query(text, values);
        await new RegistryRepository().raiseVersion(sql);
      });
    }
    await this.scheduler.gate(session.actor, 'over', () => false);
  }

  /** After a step: nothing failed, and what is committed holds together. */
  async #look(): Promise<void> {
    this.#actors.throwFailure();
    if (this.#looked === this.scheduler.statements) return;
    this.#looked = this.scheduler.statements;
    assertTables(await readTables(this.connections.monitor), this.#seen);
  }
}

/** A process has a registry of its own, which it loads after each crash. */
function storeOn(session: Session): StoreEvents {
  const meter = new EventsMeter(silent, new Metrics());
  return new StoreEvents(registryOn(session), new IntakeRepository(session.postgres), meter);
}
