import type pg from 'pg';
import type { Delivery } from '../../events/intake/event-source.js';
import { EventsMeter } from '../../events/intake/events-meter.js';
import { IntakeRepository } from '../../events/intake/intake.repository.js';
import type { Outcome } from '../../events/intake/outcome.js';
import { StoreEvents } from '../../events/intake/store-events.js';
import { createLog } from '../../platform/telemetry/log.js';
import { Metrics } from '../../platform/telemetry/metrics.js';
import { Actors } from '../simulation/actors.js';
import { Scheduler } from '../simulation/scheduler.js';
import type { Session } from '../simulation/session.js';
import { assertTables, readTables, type Seen } from './invariants.js';
import { registryOn } from './registry-on.js';

/** Connections of one simulation at a time. */
export interface Connections {
  processors: pg.Client[];
  sender: pg.Client;
  registrar: pg.Client;
  monitor: pg.Client;
}

const CHAOS_STEPS = 60;
const QUIET_STEPS = 600;
const CRASH = 0.08;
const MESSAGES = 14;
const CHANGES = 4;
const CLIENTS = ['a', 'b', 'c'];

/** A message on the queue: held by nobody, by a processor, or acknowledged. */
interface Queued {
  delivery: Delivery;
  client: string;
  state: 'ready' | 'held' | 'done';
}

const silent = createLog('silent');

/**
 * One run: the real triage and the real call on real connections, in an order that a seed decides. Processors crash anywhere,
 * and what they held comes again. Few clients and keys are sent many times, over the queue and over HTTP, while clients are
 * registered, deleted and registered again.
 */
export class Simulation {
  readonly scheduler: Scheduler;
  readonly #actors: Actors<'processor' | 'sender' | 'registrar'>;
  readonly #queue: Queued[];
  readonly #seen: Seen = {
    events: new Map(),
    quarantine: new Set(),
    stored: new Set(),
    settled: [],
    registered: new Set(),
  };
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
    const { processors, sender, registrar, monitor } = this.connections;
    try {
      await monitor.query('TRUNCATE events, event_quarantine, event_deliveries');
      await monitor.query(`UPDATE event_clients SET deleted = client_id = 'c'`);
      await monitor.query('UPDATE event_registry SET version = version + 1');
      for (const client of processors) this.#actors.start('processor', client, (session) => this.#process(session));
      this.#actors.start('sender', sender, (session) => this.#send(session));
      this.#actors.start('registrar', registrar, (session) => this.#change(session));
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
    const id = this.scheduler.pick(['1', '2', '3']);
    const message = this.scheduler.pick(['x', 'x', 'y']);
    const type = this.scheduler.pick(['t', 't', 't', 'unknown']);
    const isBad = this.scheduler.chance() < 0.15;
    const body = isBad ? `bad ${id}` : JSON.stringify({ event_type: type, client_id: client, message, id });
    return { delivery: { body: Buffer.from(body), key: `b:${n}` }, client, state: 'ready' };
  }

  /** What a processor that dies has not acknowledged is ready again. */
  async #crash(): Promise<void> {
    await this.scheduler.crash(this.#actors.pick('processor'));
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
        await this.scheduler.gate(session.actor, 'settle');
        for (const [at, each] of batch.entries()) {
          const outcome = outcomes[at] as Outcome;
          each.state = 'done';
          this.#told(each.delivery, each.client, outcome);
          this.#seen.settled.push({ body: each.delivery.body, outcome });
        }
        held.clear();
      }
    } finally {
      for (const each of held) each.state = 'ready';
    }
  }

  /** The same outcomes over HTTP, where nothing is kept that is refused. */
  async #send(session: Session): Promise<void> {
    const store = storeOn(session);
    for (let sent = 0; sent < 3; sent++) {
      await this.scheduler.gate(session.actor, 'send', () => this.#chaos);
      const { delivery, client } = this.#message(100 + sent);
      const [outcome] = await store.store([delivery], false);
      if (outcome) this.#told(delivery, client, outcome);
    }
    await this.scheduler.gate(session.actor, 'over', () => false);
  }

  /** Nobody hears twice that one key of one client was stored now. */
  #told({ body }: Delivery, client: string, outcome: Outcome): void {
    if (outcome.kind !== 'stored') return;
    if (this.#seen.stored.has(outcome.eventId)) throw new Error(`stored twice: ${client} ${body}`);
    this.#seen.stored.add(outcome.eventId);
  }

  /** Deletes a client, or registers it again; the version last, as the registry does. */
  async #change(session: Session): Promise<void> {
    for (let changes = 0; changes < CHANGES; changes++) {
      await this.scheduler.gate(session.actor, 'change', () => this.#chaos);
      const client = this.scheduler.pick(CLIENTS);
      await session.transaction(async (sql) => {
        await sql.query('UPDATE event_clients SET deleted = NOT deleted WHERE client_id = $1', [client]);
        await sql.query('UPDATE event_registry SET version = version + 1');
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
