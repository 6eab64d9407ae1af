import { queueConfiguration, serviceUrl, topology } from '@disparo/contract';
import { type ChannelModel, connect } from 'amqplib';
import { MongoClient } from 'mongodb';
import pg from 'pg';
import { SERVICES } from '../../../services/bring-up.js';
import type { Variable } from '../../../services/names.js';
import { KeptConnection } from './kept-connection.js';
import { inWords } from './words.js';

/** A queue by the broker. Undefined counts: the queue does not exist. */
export interface Queue {
  name: string;
  ready?: number;
  consumers?: number;
}

/** A campaign in the ledger. */
export interface CampaignRow {
  id: string;
  status: string;
  total: number;
  stored: number;
  age_s: number;
}

/** The result of one reading. A field is undefined when its service is down. */
export interface Status {
  at: Date;
  /** `down`: why it is down, in words; undefined when it is up. */
  services: { title: string; down: string | undefined }[];
  queues: Queue[] | undefined;
  deadLetters: Queue | undefined;
  /** The newest first, ten at most. Also undefined where there are no tables yet. */
  campaigns: CampaignRow[] | undefined;
}

/** How long a reading waits for each service. */
export const DEADLINE_MS = 2_000;
const UNDEFINED_TABLE = '42P01';
const NOT_FOUND = 404;

/** Reads the state of the three services, any number of times on the same connections. Starts and changes nothing. */
export class StatusReader {
  readonly #names;
  readonly #postgres;
  readonly #mongo;
  readonly #rabbit;

  /** Throws ConfigurationError for a wrong queue key. With a wrong or missing URL the service counts as down. */
  constructor(private readonly env: Record<string, string>) {
    const { queuePrefix, queuePartitions } = queueConfiguration(env);
    this.#names = topology(queuePrefix, queuePartitions);
    this.#postgres = new KeptConnection(() => openPostgres(serviceUrl(env, 'DATABASE_URL')), end, DEADLINE_MS);
    this.#mongo = new KeptConnection(() => openMongo(serviceUrl(env, 'MONGODB_URL')), close, DEADLINE_MS);
    this.#rabbit = new KeptConnection(() => openRabbit(serviceUrl(env, 'RABBITMQ_URL')), close, DEADLINE_MS);
  }

  /** Reads once, within two seconds. Never rejects. */
  async read(): Promise<Status> {
    const [postgres, mongodb, rabbitmq] = await Promise.all([
      this.#asked('DATABASE_URL', () => this.#postgres.use(campaigns)),
      this.#asked('MONGODB_URL', () => this.#mongo.use((client) => client.db().command({ ping: 1 }))),
      this.#asked('RABBITMQ_URL', () => this.#rabbit.use((connection) => this.#queues(connection))),
    ]);
    const found: Record<Variable, { down: string | undefined }> = {
      DATABASE_URL: postgres,
      MONGODB_URL: mongodb,
      RABBITMQ_URL: rabbitmq,
    };
    return {
      at: new Date(),
      services: SERVICES.map(({ title, variable }) => ({ title, down: found[variable].down })),
      queues: rabbitmq.answer?.queues,
      deadLetters: rabbitmq.answer?.deadLetters,
      campaigns: postgres.answer,
    };
  }

  close(): void {
    for (const kept of [this.#postgres, this.#mongo, this.#rabbit]) kept.close();
  }

  async #asked<T>(
    variable: Variable,
    question: () => Promise<T>,
  ): Promise<{ down: string | undefined; answer: T | undefined }> {
    try {
      return { down: undefined, answer: await question() };
    } catch (error) {
      return { down: inWords(error, variable, this.env[variable]), answer: undefined };
    }
  }

  async #queues(connection: ChannelModel): Promise<{ queues: Queue[]; deadLetters: Queue }> {
    const { partitions, queue, deadLetterQueue } = this.#names;
    const names = Array.from({ length: partitions }, (_, partition) => queue(partition));
    const deadLetters = await counts(connection, deadLetterQueue);
    const queues: Queue[] = [];
    for (const name of names) queues.push(await counts(connection, name));
    return { queues, deadLetters };
  }
}

/** The counts of a queue. It uses a new channel, as asking for a queue that does not exist closes the channel. */
async function counts(connection: ChannelModel, name: string): Promise<Queue> {
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  try {
    const { messageCount, consumerCount } = await channel.checkQueue(name);
    await channel.close();
    return { name, ready: messageCount, consumers: consumerCount };
  } catch (error) {
    if ((error as { code?: number }).code === NOT_FOUND) return { name };
    throw error;
  }
}

async function campaigns(client: pg.Client): Promise<CampaignRow[] | undefined> {
  try {
    const { rows } = await client.query<CampaignRow>(
      `SELECT id, status, total, stored, extract(epoch FROM clock_timestamp() - created_at)::float8 AS age_s
         FROM campaigns WHERE NOT deleted ORDER BY created_at DESC, id DESC LIMIT 10`,
    );
    return rows;
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === UNDEFINED_TABLE) return undefined;
    throw error;
  }
}

/** Connects to PostgreSQL. Rejects when that does not succeed within two seconds. */
export async function openPostgres(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: DEADLINE_MS });
  // A connection that breaks while it is not in use must not end the process. The next reading will report it.
  client.on('error', () => {});
  await client.connect();
  return client;
}

async function openMongo(url: string): Promise<MongoClient> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: DEADLINE_MS / 2, connectTimeoutMS: DEADLINE_MS / 2 });
  try {
    return await client.connect();
  } catch (error) {
    close(client);
    throw error;
  }
}

async function openRabbit(url: string): Promise<ChannelModel> {
  const connection = await connect(url, { timeout: DEADLINE_MS });
  connection.on('error', () => {});
  return connection;
}

/** Closes a connection. Never throws. */
export function end(client: pg.Client): void {
  client.end().catch(() => {});
}

function close(connection: { close(): Promise<unknown> }): void {
  // amqplib throws synchronously when the connection is already closed.
  void (async () => connection.close())().catch(() => {});
}
