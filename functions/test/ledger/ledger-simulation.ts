import { ADMIT_SQL, type AdmitRow, type Chunk, messageId, RECORD_STORED_SQL, type RecordRow } from '@disparo/contract';
import type pg from 'pg';
import { Registry } from 'prom-client';
import { HealChunks } from '../../ledger/heal/heal-chunks.js';
import { type ChunkPlace, HealingRepository } from '../../ledger/heal/healing.repository.js';
import { SweepCampaigns } from '../../ledger/heal/sweep-campaigns.js';
import type { MessageStore } from '../../ledger/message-store.js';
import { OutboxRepository } from '../../ledger/publish/outbox.repository.js';
import { PublishCampaign } from '../../ledger/publish/publish-campaign.js';
import { Steering } from '../../ledger/steer/steering.js';
import type { Config } from '../../platform/config.js';
import { Runtime } from '../../platform/runtime.js';
import type { Broker } from '../../platform/stores/rabbitmq.js';
import type { OutgoingMessage } from '../../platform/stores/rabbitmq-link.js';
import { Log } from '../../platform/telemetry/log.js';
import type { Metrics } from '../../platform/telemetry/metrics.js';
import { Actors } from '../simulation/actors.js';
import { type Actor, Crash, Scheduler } from '../simulation/scheduler.js';
import type { Session } from '../simulation/session.js';
import { COMPANY, USER } from './ledger-database.js';
import { assertInvariants, readLedger, type Seen } from './ledger-invariants.js';

/** One campaign of a run. Its numbers are known beforehand, so that what is stored can be compared with them. */
interface Planned {
  id: string;
  numbers: string[];
  chunkSize: number;
}

interface Delivery {
  campaignId: string;
  firstSequence: number;
  numbers: string[];
}

/** Connections of one simulation at a time: two publishers, two consumers, two users, and a monitor. */
export interface Connections {
  publishers: pg.Client[];
  consumers: pg.Client[];
  users: pg.Client[];
  monitor: pg.Client;
  /** Resumes what is still paused when the chaos is over. */
  lastUser: Steering;
}

const CHAOS_STEPS = 70;
const COMMANDS = [
  'pause',
  'pause',
  'pause',
  'pause',
  'resume',
  'resume',
  'resume',
  'resume',
  'cancel',
  'delete',
  'delete',
] as const;
const COMMANDS_A_USER = 4;
/** Of a hundred steps, how many are a fault of each kind. */
const FAULTS = { crash: 8, lease: 3, channelLost: 3, lost: 4, purged: 2 };
const QUIET_ROUNDS = 8;
/**
 * In one run of three the broker loses messages, and there is a healer. In the others a healer would hide what the ledger
 * loses.
 */
const LOSING = 1 / 3;
/** How often a publisher's pass in the chaos heals first. */
const HEALS = 0.5;

/** Thrown by the simulated broker in place of a confirm. */
class NotConfirmed extends Error {}

/**
 * One run: real repositories and the real publisher on real connections; a broker that loses, repeats and reorders; a store
 * that is a set by `_id`; users who steer. First chaos, then everything runs until it is quiet.
 */
export class Simulation {
  readonly scheduler: Scheduler;
  readonly #campaigns: Planned[];
  readonly #queue: Delivery[] = [];
  readonly #unacknowledged = new Map<Actor, Delivery[]>();
  readonly #store = new Map<string, { number: string; deleted: boolean }>();
  readonly #seen: Seen = new Map();
  readonly #actors: Actors<'publisher' | 'consumer' | 'user'>;
  #faulty = true;
  #passes = 0;
  readonly #loses: boolean;
  #looked = 0;

  constructor(
    readonly seed: number,
    private readonly connections: Connections,
  ) {
    this.scheduler = new Scheduler(seed, connections.monitor);
    this.#actors = new Actors(this.scheduler);
    this.#loses = this.scheduler.chance() < LOSING;
    const count = 1 + Math.floor(this.scheduler.chance() * 2);
    this.#campaigns = Array.from({ length: count }, (_, index) => this.#plan(index));
  }

  /** Throws what went wrong, with the seed and the last steps. */
  async run(): Promise<void> {
    try {
      await this.#accept();
      this.#startAll();
      await this.scheduler.settle();
      for (let step = 0; step < CHAOS_STEPS; step++) {
        await this.#fault();
        await this.scheduler.step();
        await this.#look();
      }
      await this.#untilQuiet();
      await this.#assertEnd();
    } catch (error) {
      const steps = this.scheduler.trace.slice(-60).join('\n  ');
      throw new Error(`LEDGER_SEED=${this.seed}: ${String(error)}\n  ${steps}`, { cause: error });
    } finally {
      await this.#actors.stop();
    }
  }

  #plan(index: number): Planned {
    const total = 1 + Math.floor(this.scheduler.chance() * 7);
    const numbers = Array.from({ length: total }, (_, i) => `+5511${987_650_000 + index * 1_000 + i}`);
    const id = `c${this.seed}x${index}x${Date.now().toString(36)}`;
    return { id, numbers, chunkSize: 1 + Math.floor(this.scheduler.chance() * 3) };
  }

  /** By plain SQL, at once; half of the campaigns with the lease of a publisher that has died before its first step. */
  async #accept(): Promise<void> {
    for (const { id, numbers, chunkSize } of this.#campaigns) {
      const lease = this.scheduler.chance() < 0.5 ? "clock_timestamp() + interval '20 seconds'" : 'NULL';
      await this.connections.monitor.query(
        `INSERT INTO campaigns (id, name, message, company_id, user_id, total, lease_until)
         VALUES ($1, 'name', 'text', $2, $3, $4, ${lease})`,
        [id, COMPANY, USER, numbers.length],
      );
      for (let first = 0; first < numbers.length; first += chunkSize) {
        const chunk = numbers.slice(first, first + chunkSize);
        await this.connections.monitor.query(
          'INSERT INTO campaign_chunks (campaign_id, first_sequence, size, phone_numbers) VALUES ($1, $2, $3, $4)',
          [id, first + 1, chunk.length, chunk.join('\n')],
        );
      }
    }
  }

  #startAll(): void {
    for (const client of this.connections.publishers)
      this.#actors.start('publisher', client, (session) => this.#publish(session));
    for (const client of this.connections.consumers)
      this.#actors.start('consumer', client, (session) => this.#consume(session));
    for (const client of this.connections.users) this.#actors.start('user', client, (session) => this.#steer(session));
  }

  async #publish(session: Session): Promise<void> {
    const { actor } = session;
    const ledger = new OutboxRepository(session.postgres);
    const broker = { publish: (_: string, message: OutgoingMessage) => this.#toBroker(actor, message) } as Broker;
    const metrics = { registry: new Registry() } as unknown as Metrics;
    const log = new SimulationLog((error) => this.#actors.fail(error));
    const publishing = new PublishCampaign(ledger, broker, new Runtime('server'), log, metrics);
    const [heal, sweep] = this.#healers(session, log);
    for (;;) {
      const chance = await this.scheduler.gate(actor, 'begin a pass', () => this.#faulty || this.#passes > 0);
      this.#passes--;
      if (this.#loses && (chance < HEALS || !this.#faulty)) await heal.heal();
      const { id } = this.#campaigns[Math.floor(chance * this.#campaigns.length)] ?? { id: '' };
      const claim = await ledger.claim({ id });
      if (claim) await publishing.publish(claim, new AbortController().signal);
      if (actor.dead) throw new Crash();
      // In the chaos a healer that records what is stored would hide a consumer that does not.
      if (!this.#faulty) await sweep.sweep(new AbortController().signal);
    }
  }

  /** Nothing is too young to be healed here: only the queue and the order tell what is lost. */
  #healers(session: Session, log: Log): [HealChunks, SweepCampaigns] {
    const { actor } = session;
    const healing = new HealingRepository(session.postgres);
    const broker = {
      ready: async () => {
        await this.scheduler.gate(actor, 'ask the broker');
        return this.#queue.length;
      },
    } as unknown as Broker;
    const store = {
      markDeleted: async (id: string) => this.#mark(actor, id),
      wholeOf: async (id: string, chunks: ChunkPlace[]) => {
        await this.scheduler.gate(actor, `count ${id}`);
        const whole = ({ first_sequence, size }: ChunkPlace) =>
          Array.from({ length: size }, (_, index) => messageId(id, first_sequence + index)).every((key) =>
            this.#store.has(key),
          );
        return chunks.filter(whole).map(({ first_sequence }) => first_sequence);
      },
    } as unknown as MessageStore;
    const config = { healAfterS: 0, queuePartitions: 1 } as Config;
    const metrics = { registry: new Registry() } as unknown as Metrics;
    return [new HealChunks(healing, broker, config, log, metrics), new SweepCampaigns(healing, store, log)];
  }

  async #toBroker(actor: Actor, message: OutgoingMessage): Promise<void> {
    const chance = await this.scheduler.gate(actor, `publish ${message.properties.messageId}`);
    const { campaign_id, first_sequence, phone_numbers } = JSON.parse(message.content.toString()) as Chunk;
    const delivery = { campaignId: campaign_id, firstSequence: first_sequence, numbers: phone_numbers };
    if (!this.#faulty) {
      this.#queue.push(delivery);
      return;
    }
    if (chance < 0.08) throw new NotConfirmed('refused');
    const place = chance < 0.2 ? Math.floor(chance * 5 * this.#queue.length) : this.#queue.length;
    this.#queue.splice(place, 0, delivery);
    if (chance > 0.92) this.#queue.push(delivery);
    if (chance > 0.85 && chance < 0.92) throw new NotConfirmed('the confirm was lost');
  }

  async #consume(session: Session): Promise<void> {
    const { actor } = session;
    for (;;) {
      const chance = await this.scheduler.gate(actor, 'gather', () => this.#queue.length > 0);
      const batch = this.#queue.splice(0, 1 + Math.floor(chance * 3));
      this.#unacknowledged.set(actor, batch);
      const pairs = (of: Delivery[]) => [of.map((each) => each.campaignId), of.map((each) => each.firstSequence)];
      const admitted = await session.query<AdmitRow>(ADMIT_SQL, pairs(batch));
      const running = batch.filter(({ campaignId, firstSequence }) =>
        admitted.some(
          (row) => row.campaign_id === campaignId && row.first_sequence === firstSequence && row.running && !row.stored,
        ),
      );
      for (const delivery of running) {
        await this.scheduler.gate(actor, `store ${delivery.campaignId}:${delivery.firstSequence}`);
        this.#storeOnce(delivery);
      }
      if (running.length > 0) {
        const moved = await session.query<RecordRow>(RECORD_STORED_SQL, pairs(running));
        for (const { id, deleted } of moved) if (deleted) await this.#mark(actor, id);
      }
      await this.scheduler.gate(actor, 'acknowledge');
      this.#unacknowledged.delete(actor);
    }
  }

  #storeOnce({ campaignId, firstSequence, numbers }: Delivery): void {
    numbers.forEach((number, index) => {
      const id = messageId(campaignId, firstSequence + index);
      if (!this.#store.has(id)) this.#store.set(id, { number, deleted: false });
    });
  }

  async #mark(actor: Actor, campaignId: string): Promise<number> {
    await this.scheduler.gate(actor, `mark ${campaignId}`);
    const living = [...this.#store].filter(([id, { deleted }]) => id.startsWith(`${campaignId}:`) && !deleted);
    for (const [, document] of living) document.deleted = true;
    return living.length;
  }

  async #steer(session: Session): Promise<void> {
    const campaigns = new Steering(session.postgres);
    for (let left = COMMANDS_A_USER; left > 0; left--) {
      // A command at once would find a campaign that nobody has begun, so a user acts at a random step.
      while ((await this.scheduler.gate(session.actor, 'think', () => this.#faulty)) < 0.5);
      const command = this.scheduler.pick(COMMANDS);
      const { id } = this.scheduler.pick(this.#campaigns);
      this.scheduler.trace.push(`${session.actor.name}: ${command} ${id}`);
      if ((await campaigns[command](USER, id)) && command === 'delete') await this.#mark(session.actor, id);
    }
  }

  async #fault(): Promise<void> {
    const chance = this.scheduler.chance() * 100;
    const { crash, lease, channelLost, lost, purged } = FAULTS;
    if (chance < crash) {
      const actor = this.#actors.pick('publisher', 'consumer');
      this.#giveBack(actor);
      await this.scheduler.crash(actor);
    } else if (chance < crash + lease) await this.#expireLeases();
    else if (chance < crash + lease + channelLost) {
      const actor = this.#actors.pick('consumer');
      this.scheduler.trace.push(`${actor.name} loses its channel`);
      this.#giveBack(actor);
    } else if (!this.#loses || this.#queue.length === 0) return;
    else if (chance < crash + lease + channelLost + lost) {
      this.scheduler.trace.push('the broker loses a message');
      this.#queue.splice(Math.floor(this.scheduler.chance() * this.#queue.length), 1);
    } else if (chance < crash + lease + channelLost + lost + purged) {
      this.scheduler.trace.push('the queue is purged');
      this.#queue.length = 0;
    }
  }

  /** Unacknowledged deliveries go to the front of the queue; the consumer that held them may not know it yet. */
  #giveBack(actor: Actor): void {
    this.#queue.unshift(...(this.#unacknowledged.get(actor) ?? []));
    this.#unacknowledged.delete(actor);
  }

  async #expireLeases(): Promise<void> {
    this.scheduler.trace.push('leases run out');
    await this.connections.monitor.query(
      `UPDATE campaigns SET lease_until = clock_timestamp() - interval '1 second'
        WHERE id IN (SELECT id FROM campaigns WHERE id = ANY ($1) AND lease_until IS NOT NULL FOR UPDATE SKIP LOCKED)`,
      [this.#ids()],
    );
  }

  /** After a step: nothing failed, and what is committed holds together. */
  async #look(): Promise<void> {
    this.#actors.throwFailure();
    if (this.#looked === this.scheduler.statements) return;
    this.#looked = this.scheduler.statements;
    assertInvariants(await readLedger(this.connections.monitor, this.#ids()), this.#seen);
  }

  /** No more faults; the users go home; what they left paused is resumed. */
  async #untilQuiet(): Promise<void> {
    this.#faulty = false;
    this.scheduler.trace.push('-- quiet --');
    await this.#drain();
    for (const id of this.#ids()) await this.connections.lastUser.resume(USER, id);
    for (let round = 0; round < QUIET_ROUNDS; round++) {
      await this.#expireLeases();
      this.#passes = this.#campaigns.length * 4;
      await this.#drain();
      const owing = (await readLedger(this.connections.monitor, this.#ids())).filter((row) => row.owes);
      if (owing.length === 0) return this.#sweepOnce();
    }
    throw new Error(
      `still owed after ${QUIET_ROUNDS} rounds: ${JSON.stringify(await readLedger(this.connections.monitor, this.#ids()))}`,
    );
  }

  async #drain(): Promise<void> {
    do await this.#look();
    while (await this.scheduler.step());
  }

  /** Sweeps the stopped campaigns once more, now that nobody writes any more. */
  async #sweepOnce(): Promise<void> {
    await this.connections.monitor.query(
      'UPDATE campaigns SET sweep_at = clock_timestamp() WHERE id = ANY ($1) AND sweep_at IS NOT NULL',
      [this.#ids()],
    );
    this.#passes = 1;
    await this.#drain();
    // The next run on this database sweeps only its own campaigns.
    await this.connections.monitor.query('UPDATE campaigns SET sweep_at = NULL');
  }

  async #assertEnd(): Promise<void> {
    const rows = await readLedger(this.connections.monitor, this.#ids());
    for (const { id, numbers } of this.#campaigns) {
      const row = rows.find((candidate) => candidate.id === id);
      const documents = [...this.#store]
        .filter(([key]) => key.startsWith(`${id}:`))
        .sort(([a], [b]) => (a < b ? -1 : 1));
      const stored = documents.map(([key, document]) => `${key} ${document.number}`);
      const wanted = numbers.map((number, index) => `${messageId(id, index + 1)} ${number}`);
      const stopped = row?.status === 'cancelado' || row?.deleted;
      if (!stopped && (row?.status !== 'enviado' || stored.join() !== wanted.join()))
        throw new Error(`${id} is ${row?.status} with ${stored.join(', ')} and not enviado with ${wanted.join(', ')}`);
      if (stored.some((document) => !wanted.includes(document))) throw new Error(`${id} has a document of no number`);
      if (row?.deleted && documents.some(([, { deleted }]) => !deleted))
        throw new Error(`${id} is deleted and has a living document`);
      if (row?.status === 'cancelado' && !row.deleted && row.stored !== documents.length)
        throw new Error(`${id} is cancelado with ${row.stored} stored and ${documents.length} documents`);
    }
  }

  #ids(): string[] {
    return this.#campaigns.map(({ id }) => id);
  }
}

/** Tells of every error that is not part of the simulation: the publisher logs and does not throw. */
class SimulationLog extends Log {
  constructor(private readonly tell: (error: unknown) => void) {
    super();
  }

  debug(): void {}
  info(): void {}

  warn(fields: { err?: unknown }): void {
    this.#judge(fields);
  }

  error(fields: { err?: unknown }): void {
    this.#judge(fields);
  }

  #judge({ err }: { err?: unknown }): void {
    if (err && !(err instanceof Crash) && !(err instanceof NotConfirmed)) this.tell(err);
  }
}
