import { join } from 'node:path';
import {
  type Chunk,
  chunkMessage,
  declareTopology,
  eventsQueue,
  MESSAGES,
  type MessageDocument,
  messageRange,
  readEnvironment,
  type Topology,
  topology,
} from '@disparo/contract';
import type { LanguageName } from '@disparo/contract/languages';
import cuid2 from '@paralleldrive/cuid2';
import type { ConfirmChannel, GetMessage, Options } from 'amqplib';
import { type Collection, type Db, MongoClient } from 'mongodb';
import { runner } from 'node-pg-migrate';
import type pg from 'pg';
import type { Variable } from '../services/names.js';
import { inDatabase } from '../services/place.js';
import { type Broker, type OwnDatabase, openBroker, ownDatabase, ownName, quietPool } from './databases.js';
import { languageUnderTest, Process, ROOT } from './process.js';
import { type Campaign, chunksOf, insertCampaign, insertChunks } from './seeds.js';
import { PATIENCE_MS, until } from './until.js';

/** The trace that every published chunk belongs to. */
export const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const MIGRATIONS = join(ROOT, 'infra/postgres/migrations');

/** `migrated`: the ledger has its tables; `declared`: the broker has exchanges and queues. Both default to true. */
export interface StageOptions {
  migrated?: boolean;
  declared?: boolean;
  partitions?: number;
  /** The beginning of its names. */
  prefix?: string;
  /** The most connections to PostgreSQL and to MongoDB; several by default. */
  connections?: number;
  /** URLs of services of the test's own, which it may stop. */
  services?: Partial<Record<Variable, string>>;
}

/** The variables that a process needs to work on a stage, and no others. */
type StageEnv = Record<Variable | 'QUEUE_PREFIX' | 'QUEUE_PARTITIONS', string>;

/**
 * Real stores and a real broker, with databases and a prefix of its own. close() removes all of it and ends the processes
 * that were started on it.
 */
export class Stage {
  readonly #processes: Process[] = [];

  private constructor(
    readonly env: StageEnv,
    readonly names: Topology,
    readonly pool: pg.Pool,
    private readonly client: MongoClient,
    private broker: Broker,
    private readonly database: OwnDatabase,
  ) {}

  static async open({
    migrated = true,
    declared = true,
    partitions = 1,
    prefix = 'test',
    connections = 4,
    services = {},
  }: StageOptions = {}): Promise<Stage> {
    const { DATABASE_URL = '', MONGODB_URL = '', RABBITMQ_URL = '' } = { ...readEnvironment(), ...services };
    const name = ownName(prefix);
    const database = await ownDatabase({ adminUrl: DATABASE_URL, name });
    const env = {
      DATABASE_URL: database.url,
      MONGODB_URL: inDatabase(MONGODB_URL, name),
      RABBITMQ_URL,
      QUEUE_PREFIX: name,
      QUEUE_PARTITIONS: String(partitions),
    };
    const pool = quietPool({ connectionString: env.DATABASE_URL, max: connections });
    const mongo = { serverSelectionTimeoutMS: PATIENCE_MS, ...(connections === 1 ? { maxPoolSize: 1 } : {}) };
    const client = new MongoClient(env.MONGODB_URL, mongo);
    const broker = await openBroker(RABBITMQ_URL);
    const stage = new Stage(env, topology(name, partitions), pool, client, broker, database);
    if (migrated) await stage.migrate();
    if (declared) await declareTopology(stage.channel, name, partitions);
    return stage;
  }

  async migrate(): Promise<void> {
    const silent = () => {};
    await runner({
      databaseUrl: this.env.DATABASE_URL,
      dir: MIGRATIONS,
      direction: 'up',
      migrationsTable: 'migrations',
      advisoryLockMode: 'wait',
      logger: { debug: silent, info: silent, warn: silent, error: silent },
    });
  }

  /** Runs a statement on its PostgreSQL and returns the rows. */
  async sql<T = Record<string, unknown>>(text: string, values: unknown[] = []): Promise<T[]> {
    return (await this.pool.query(text, values)).rows as T[];
  }

  get mongo(): Db {
    return this.client.db();
  }

  get messages(): Collection<MessageDocument> {
    return this.mongo.collection(MESSAGES);
  }

  /** The stage's own channel on the broker. */
  get channel(): ConfirmChannel {
    return this.broker.channel;
  }

  /** Connects to the broker once more, after it was restarted or has closed the connection. */
  async reconnect(): Promise<void> {
    await this.broker.connection.close().catch(() => {});
    this.broker = await until(() => openBroker(this.env.RABBITMQ_URL));
  }

  /** Starts the consumer of this stage as a process. */
  consumer(env: Record<string, string> = {}, language: LanguageName = languageUnderTest()): Process {
    return this.with(Process.consumer(language, { env: { ...this.env, ...env } }));
  }

  /** Kills this process when the stage is closed. */
  with(process: Process): Process {
    this.#processes.push(process);
    return process;
  }

  /** Seeds a company, its user, a campaign of `total` numbers and its ledger, published and not stored. */
  async campaign(total: number, chunkSize = total, text?: string): Promise<Campaign> {
    const [id, companyId] = [cuid2.createId(), cuid2.createId()];
    const message = text ?? `Oi! Campanha ${id}`;
    const campaign = { id, companyId, chunks: [...chunksOf({ id, companyId, message, total }, chunkSize)] };
    await this.seed(campaign, message, total);
    return campaign;
  }

  /** Seeds a given campaign as it is, with its ids and chunks: that of an example, for one. */
  async seed({ id, companyId, chunks }: Campaign, message: string, total: number): Promise<void> {
    await insertCampaign(this.pool, { id, companyId, message, total, published: total });
    await insertChunks(this.pool, id, chunks);
  }

  /** Publishes chunks and waits for their confirms. */
  async publish(chunks: readonly Chunk[], partition = 0): Promise<void> {
    for (const chunk of chunks) {
      const { content, properties } = chunkMessage(chunk, TRACEPARENT);
      this.channel.publish(this.names.exchange, this.names.routingKey(partition), content, properties);
    }
    await this.channel.waitForConfirms();
  }

  /** Publishes bytes as they are and waits for the confirm. */
  async publishRaw(content: Buffer, properties: Options.Publish = {}): Promise<void> {
    this.channel.publish(this.names.exchange, this.names.routingKey(0), content, { persistent: true, ...properties });
    await this.channel.waitForConfirms();
  }

  /** Status and counters of a campaign, as the ledger has them. */
  async ledger(id: string): Promise<{ status: string; stored: number; chunks: number }> {
    const [found] = await this.sql<{ status: string; stored: number; chunks: number }>(
      `SELECT status, stored, (SELECT count(*)::int FROM campaign_chunks WHERE campaign_id = id AND stored_at IS NOT NULL) AS chunks
         FROM campaigns WHERE id = $1`,
      [id],
    );
    return found ?? { status: 'none', stored: -1, chunks: -1 };
  }

  /** Waits until the campaign has this status in the ledger. */
  async untilStatus(id: string, status: string): Promise<void> {
    await until(async () => {
      const found = await this.ledger(id);
      if (found.status !== status) throw new Error(`${found.status}, ${found.stored} stored`);
    });
  }

  /** The numbers of a campaign's documents, in the order of `_id`. */
  async storedNumbers(id: string): Promise<string[]> {
    const wanted = { projection: { phone_number: 1 }, sort: { _id: 1 } } as const;
    const documents = await this.messages.find({ _id: messageRange(id) }, wanted).toArray();
    return documents.map((document) => document.phone_number);
  }

  async count(): Promise<number> {
    return this.messages.countDocuments();
  }

  /** How many messages are ready in a queue. */
  async ready(queue = this.names.queue(0)): Promise<number> {
    return (await this.channel.checkQueue(queue)).messageCount;
  }

  /** Takes `count` dead letters out of their queue. */
  async deadLetters(count: number): Promise<GetMessage[]> {
    const found: GetMessage[] = [];
    await until(async () => {
      for (;;) {
        const message = await this.channel.get(this.names.deadLetterQueue, { noAck: true });
        if (!message) break;
        found.push(message);
      }
      if (found.length < count) throw new Error(`${found.length} of ${count} dead letters`);
    });
    return found;
  }

  /** Kills every process of this stage at once. What waits for one of them then fails. */
  async killProcesses(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.kill()));
  }

  async close(): Promise<void> {
    await this.killProcesses();
    await this.#removeQueues();
    await this.broker.connection.close();
    await this.mongo.dropDatabase();
    await this.client.close();
    await this.pool.end();
    await this.database.drop();
  }

  async #removeQueues(): Promise<void> {
    const { exchange, deadLetterExchange, deadLetterQueue, queue, partitions } = this.names;
    const queues = Array.from({ length: partitions }, (_, partition) => queue(partition));
    // A new channel: a test may have caused the broker to close the other one.
    const channel = await this.broker.connection.createChannel();
    const events = eventsQueue(this.env.QUEUE_PREFIX);
    for (const name of [...queues, deadLetterQueue, events]) await channel.deleteQueue(name);
    for (const name of [exchange, deadLetterExchange, events]) await channel.deleteExchange(name);
  }
}
