import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import {
  type Chunk,
  chunkMessage,
  declareTopology,
  MESSAGES,
  type MessageDocument,
  messageRange,
  readEnvironment,
  type Topology,
  topology,
} from '@disparo/contract';
import { type LanguageName, languageUnderTest } from '@disparo/contract/languages';
import cuid2 from '@paralleldrive/cuid2';
import type { ConfirmChannel, GetMessage, Options } from 'amqplib';
import { type Collection, MongoClient } from 'mongodb';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import type { Variable } from '../services/names.js';
import { type Broker, onServer, openBroker, withDatabase } from './databases.js';
import { ConsumerProcess } from './process.js';
import { PATIENCE_MS, until } from './until.js';

/** The trace that every published chunk belongs to. */
export const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const MIGRATIONS = fileURLToPath(new URL('../infra/postgres/migrations', import.meta.url));

/** A campaign in the ledger, and the chunks that its queue messages are. */
export interface Campaign {
  id: string;
  companyId: string;
  chunks: Chunk[];
}

/** `migrated`: the ledger has its tables; `declared`: the broker has exchanges and queues. Both are so unless said. */
export interface StageOptions {
  migrated?: boolean;
  declared?: boolean;
  partitions?: number;
  /** URLs of services of the case's own, which it may stop. */
  services?: Partial<Record<Variable, string>>;
}

/** Real stores and a real broker, a database, a prefix of its own; all dropped at the end. */
export class Stage {
  readonly #consumers: ConsumerProcess[] = [];

  private constructor(
    readonly env: Record<'DATABASE_URL' | 'MONGODB_URL' | 'RABBITMQ_URL' | 'QUEUE_PREFIX', string>,
    readonly names: Topology,
    readonly pool: pg.Pool,
    readonly mongo: MongoClient,
    private broker: Broker,
    private readonly adminUrl: string,
  ) {}

  static async open({
    migrated = true,
    declared = true,
    partitions = 1,
    services = {},
  }: StageOptions = {}): Promise<Stage> {
    const { DATABASE_URL: adminUrl = '', MONGODB_URL = '', RABBITMQ_URL = '' } = { ...readEnvironment(), ...services };
    const name = `test_${cuid2.createId()}`;
    await onServer(adminUrl, `CREATE DATABASE ${name}`);
    const database = new URL(adminUrl);
    database.pathname = `/${name}`;
    const env = {
      DATABASE_URL: database.href,
      MONGODB_URL: withDatabase(MONGODB_URL, name),
      RABBITMQ_URL,
      QUEUE_PREFIX: name,
    };
    const pool = new pg.Pool({ connectionString: env.DATABASE_URL, max: 4 });
    pool.on('error', () => {});
    // A connection that is still closing when its database is dropped is told so.
    pool.on('connect', (client) => client.on('error', () => {}));
    const mongo = new MongoClient(env.MONGODB_URL, { serverSelectionTimeoutMS: PATIENCE_MS });
    const broker = await openBroker(RABBITMQ_URL);
    const stage = new Stage(env, topology(name, partitions), pool, mongo, broker, adminUrl);
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

  /** The stage's own channel on the broker. */
  get channel(): ConfirmChannel {
    return this.broker.channel;
  }

  /** Connects to the broker once more, after it was restarted or has closed the connection. */
  async reconnect(): Promise<void> {
    await this.broker.connection.close().catch(() => {});
    this.broker = await until(() => openBroker(this.env.RABBITMQ_URL));
  }

  get messages(): Collection<MessageDocument> {
    return this.mongo.db().collection(MESSAGES);
  }

  /** Starts the consumer of this stage as a process, in a folder without any configuration file. */
  start(env: Record<string, string> = {}, language: LanguageName = languageUnderTest()): ConsumerProcess {
    const partitions = String(this.names.partitions);
    const process = new ConsumerProcess(language, { ...this.env, QUEUE_PARTITIONS: partitions, ...env }, tmpdir());
    this.#consumers.push(process);
    return process;
  }

  /** Seeds a company, its user, a campaign of `total` numbers and its ledger, published and not stored. */
  async campaign(total: number, chunkSize = total, text?: string): Promise<Campaign> {
    const [id, companyId] = [cuid2.createId(), cuid2.createId()];
    const message = text ?? `Oi! Campanha ${id}`;
    const chunks: Chunk[] = [];
    for (let first = 1; first <= total; first += chunkSize) {
      const size = Math.min(chunkSize, total - first + 1);
      const phone_numbers = Array.from({ length: size }, (_, index) => phoneNumber(first + index));
      chunks.push({ campaign_id: id, company_id: companyId, message, first_sequence: first, phone_numbers });
    }
    await this.seed({ id, companyId, chunks }, message, total);
    return { id, companyId, chunks };
  }

  /** Seeds a campaign that is given as it is: the ids and chunks of an example, for one. */
  async seed({ id, companyId, chunks }: Campaign, message: string, total: number): Promise<void> {
    const userId = cuid2.createId();
    await this.pool.query(`INSERT INTO users (id, email, password) VALUES ($1, $1 || '@example.com', 'x')`, [userId]);
    await this.pool.query(`INSERT INTO companies (id, name, document) VALUES ($1, 'Empresa', $2)`, [
      companyId,
      String(Math.floor(Math.random() * 1e14)).padStart(14, '0'),
    ]);
    await this.pool.query(
      `INSERT INTO campaigns (id, name, message, company_id, user_id, total, published) VALUES ($1, 'c', $2, $3, $4, $5, $5)`,
      [id, message, companyId, userId, total],
    );
    await this.pool.query(
      `INSERT INTO campaign_chunks (campaign_id, first_sequence, size, phone_numbers, published_at)
       SELECT $1, c.first, c.size, c.numbers, clock_timestamp() FROM unnest($2::int[], $3::int[], $4::text[]) AS c(first, size, numbers)`,
      [
        id,
        chunks.map((chunk) => chunk.first_sequence),
        chunks.map((chunk) => chunk.phone_numbers.length),
        chunks.map((chunk) => chunk.phone_numbers.join('\n')),
      ],
    );
  }

  /** Publishes chunks, confirmed. */
  async publish(chunks: readonly Chunk[], partition = 0): Promise<void> {
    for (const chunk of chunks) {
      const { content, properties } = chunkMessage(chunk, TRACEPARENT);
      this.channel.publish(this.names.exchange, this.names.routingKey(partition), content, properties);
    }
    await this.channel.waitForConfirms();
  }

  /** Publishes bytes as they are, confirmed. */
  async publishRaw(content: Buffer, properties: Options.Publish): Promise<void> {
    this.channel.publish(this.names.exchange, this.names.routingKey(0), content, { persistent: true, ...properties });
    await this.channel.waitForConfirms();
  }

  /** Status and counters of a campaign, as the ledger has them. */
  async ledger(id: string): Promise<{ status: string; stored: number; chunks: number }> {
    const { rows } = await this.pool.query<{ status: string; stored: number; chunks: number }>(
      `SELECT status, stored, (SELECT count(*)::int FROM campaign_chunks WHERE campaign_id = id AND stored_at IS NOT NULL) AS chunks
         FROM campaigns WHERE id = $1`,
      [id],
    );
    return rows[0] ?? { status: 'none', stored: -1, chunks: -1 };
  }

  /** Waits until the ledger says so. */
  async untilStatus(id: string, status: string): Promise<void> {
    await until(async () => {
      const found = await this.ledger(id);
      if (found.status !== status) throw new Error(`${found.status}, ${found.stored} stored`);
    });
  }

  /** The numbers of a campaign's documents, in the order of `_id`. */
  async storedNumbers(id: string): Promise<string[]> {
    const range = { _id: messageRange(id) };
    const documents = await this.messages
      .find(range, { projection: { phone_number: 1 } })
      .sort({ _id: 1 })
      .toArray();
    return documents.map((document) => document.phone_number);
  }

  async count(): Promise<number> {
    return this.messages.countDocuments();
  }

  /** Messages that are ready in a queue. */
  async ready(queue = this.names.queue(0)): Promise<number> {
    return (await this.channel.checkQueue(queue)).messageCount;
  }

  /** Takes that many dead letters out of their queue. */
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

  async close(): Promise<void> {
    for (const consumer of this.#consumers) await consumer.kill();
    const queues = Array.from({ length: this.names.partitions }, (_, partition) => this.names.queue(partition));
    const cleaner = await this.broker.connection.createChannel();
    for (const queue of [...queues, this.names.deadLetterQueue]) await cleaner.deleteQueue(queue);
    for (const exchange of [this.names.exchange, this.names.deadLetterExchange]) await cleaner.deleteExchange(exchange);
    await this.broker.connection.close();
    await this.mongo.db().dropDatabase();
    await this.mongo.close();
    await this.pool.end();
    await onServer(this.adminUrl, `DROP DATABASE ${this.env.QUEUE_PREFIX} WITH (FORCE)`);
  }
}

/** The number of a sequence: so the order of documents can be checked against nothing but arithmetic. */
export function phoneNumber(sequence: number): string {
  return `+55119${String(sequence).padStart(8, '0')}`;
}

/** The numbers that a campaign of `total` must have in the store, in order. */
export function allNumbers(total: number): string[] {
  return Array.from({ length: total }, (_, index) => phoneNumber(index + 1));
}
