import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Chunk,
  chunkMessage,
  declareMessages,
  declareTopology,
  MAX_CHUNK_NUMBERS,
  MESSAGES,
  type MessageDocument,
  messageRange,
  type Topology,
  topology,
} from '@disparo/contract';
import { createId } from '@paralleldrive/cuid2';
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { type Collection, MongoClient } from 'mongodb';
import pg from 'pg';
import copy from 'pg-copy-streams';
import { migrate } from '../functions/platform/stores/migrate.js';
import type { Variable } from '../services/names.js';
import { createDatabase } from '../services/postgres.js';

/** As `CAMPAIGN_QUEUE_SLOTS`, unless somebody changes it. */
const QUEUE_SLOTS = 500;
const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
/** The text of every campaign here; a usual length. */
export const MESSAGE = 'Olá! Sua fatura deste mês já está disponível no aplicativo. Obrigado por estar conosco.';
/** Messages encoded at a time: 200 of 5,000 numbers are 16 MB. */
const SLICE = 200;
const FASTEST_POLL_MS = 2;
const POLL_MS = 10;
const LARGE = 100_000;
/** The slowest that is still waited for: a start, and 500 numbers a second. */
const PATIENCE_MS = 60_000;
const PATIENCE_PER_NUMBER_MS = 2;

/** A campaign whose numbers follow from its total, so that none has to be kept. */
export interface Campaign {
  id: string;
  companyId: string;
  total: number;
  chunkSize: number;
}

/** Databases, exchanges and queues of one measurement, on the services of the clone; all dropped at the end. */
export class Room {
  private constructor(
    /** What a process needs to work here, and nothing else. */
    readonly env: Record<Variable | 'QUEUE_PREFIX' | 'QUEUE_PARTITIONS' | 'LOG_LEVEL', string>,
    readonly names: Topology,
    readonly pool: pg.Pool,
    readonly mongo: MongoClient,
    private readonly broker: ChannelModel,
    readonly channel: ConfirmChannel,
    private readonly adminUrl: string,
  ) {}

  static async open(urls: Record<Variable, string>, partitions = 1): Promise<Room> {
    const name = `bench_${randomBytes(6).toString('hex')}`;
    const env = {
      DATABASE_URL: withDatabase(urls.DATABASE_URL, name),
      MONGODB_URL: withDatabase(urls.MONGODB_URL, name),
      RABBITMQ_URL: urls.RABBITMQ_URL,
      QUEUE_PREFIX: name,
      QUEUE_PARTITIONS: String(partitions),
      LOG_LEVEL: 'info',
    };
    await createDatabase(env.DATABASE_URL);
    await migrate(env.DATABASE_URL);
    const pool = new pg.Pool({ connectionString: env.DATABASE_URL, max: 2 });
    // Also a connection that is still closing when its database is dropped is told so.
    pool.on('error', () => {});
    pool.on('connect', (client) => client.on('error', () => {}));
    // One connection: what is inserted here is a ceiling of one client.
    const mongo = await new MongoClient(env.MONGODB_URL, { maxPoolSize: 1 }).connect();
    await declareMessages(mongo.db());
    const broker = await connect(env.RABBITMQ_URL, { noDelay: true });
    broker.on('error', () => {});
    const channel = await broker.createConfirmChannel();
    await declareTopology(channel, name, partitions);
    return new Room(env, topology(name, partitions), pool, mongo, broker, channel, urls.DATABASE_URL);
  }

  get messages(): Collection<MessageDocument> {
    return this.mongo.db().collection(MESSAGES);
  }

  /** A company and its campaign, pending: not a chunk is in the ledger yet. */
  async campaign(total: number, partition = 0): Promise<Campaign> {
    const [id, companyId, userId] = [createId(), createId(), createId()];
    const document = String(Math.floor(Math.random() * 1e14)).padStart(14, '0');
    await this.pool.query(`INSERT INTO users (id, email, password) VALUES ($1, $1 || '@example.com', 'x')`, [userId]);
    await this.pool.query(`INSERT INTO companies (id, name, document) VALUES ($1, 'Empresa', $2)`, [
      companyId,
      document,
    ]);
    await this.pool.query(
      `INSERT INTO campaigns (id, name, message, company_id, user_id, partition, total) VALUES ($1, 'Bench', $2, $3, $4, $5, $6)`,
      [id, MESSAGE, companyId, userId, partition, total],
    );
    const chunkSize = Math.min(Math.max(Math.ceil(total / QUEUE_SLOTS), 1), MAX_CHUNK_NUMBERS);
    return { id, companyId, total, chunkSize };
  }

  /** Ceiling C: one COPY of the campaign's rows, which are made before. Answers the seconds until its commit. */
  async copyChunks(campaign: Campaign): Promise<number> {
    const rows = [...chunksOf(campaign)].map(({ first_sequence, phone_numbers }) =>
      Buffer.from(`${campaign.id}\t${first_sequence}\t${phone_numbers.length}\t${phone_numbers.join('\\n')}\n`),
    );
    const client = await this.pool.connect();
    try {
      const begun = performance.now();
      const statement = 'COPY campaign_chunks (campaign_id, first_sequence, size, phone_numbers) FROM STDIN';
      await pipeline(Readable.from(rows), client.query(copy.from(statement)));
      return secondsSince(begun);
    } finally {
      client.release();
    }
  }

  /** Before they are published, as a consumer may be at work on them while they are. */
  async markPublished({ id }: Campaign): Promise<void> {
    await this.pool.query('UPDATE campaign_chunks SET published_at = clock_timestamp() WHERE campaign_id = $1', [id]);
    await this.pool.query('UPDATE campaigns SET published = total WHERE id = $1', [id]);
  }

  /** Ceiling Q: the campaign's chunks, encoded before, published and confirmed; never more in flight than a slice. */
  async publishChunks(campaign: Campaign, partition = 0): Promise<number> {
    let seconds = 0;
    for (const slice of slices(chunksOf(campaign), SLICE)) {
      const bodies = slice.map((chunk) => chunkMessage(chunk, TRACEPARENT));
      const begun = performance.now();
      for (const { content, properties } of bodies)
        if (!this.channel.publish(this.names.exchange, this.names.routingKey(partition), content, properties))
          await once(this.channel, 'drain');
      await this.channel.waitForConfirms();
      seconds += secondsSince(begun);
    }
    return seconds;
  }

  /** Waits until a campaign is `enviado`; answers when, by `performance.now()`. `alive` throws when it is in vain. */
  async untilSent({ id, total }: Pick<Campaign, 'id' | 'total'>, alive: () => void): Promise<number> {
    const deadline = performance.now() + PATIENCE_MS + total * PATIENCE_PER_NUMBER_MS;
    for (;;) {
      const { rows } = await this.pool.query<{ status: string; stored: number }>({
        name: 'status',
        text: 'SELECT status, stored FROM campaigns WHERE id = $1',
        values: [id],
      });
      const now = performance.now();
      if (rows[0]?.status === 'enviado') return now;
      alive();
      if (now > deadline) throw new Error(`a campaign of ${total} is not sent in time: ${JSON.stringify(rows[0])}`);
      await delay(total < LARGE ? FASTEST_POLL_MS : POLL_MS);
    }
  }

  /** Throws unless each number of the campaign is stored exactly once: what is fast and wrong is not measured. */
  async requireStored({ id, total }: Pick<Campaign, 'id' | 'total'>): Promise<void> {
    const found = await this.messages.countDocuments({ _id: messageRange(id) });
    if (found !== total) throw new Error(`${found} of ${total} documents are stored`);
  }

  async close(): Promise<void> {
    const queues = Array.from({ length: this.names.partitions }, (_, partition) => this.names.queue(partition));
    const cleaner = await this.broker.createChannel();
    for (const queue of [...queues, this.names.deadLetterQueue]) await cleaner.deleteQueue(queue);
    for (const exchange of [this.names.exchange, this.names.deadLetterExchange]) await cleaner.deleteExchange(exchange);
    await this.broker.close();
    await this.mongo.db().dropDatabase();
    await this.mongo.close();
    await this.pool.end();
    const admin = new pg.Client({ connectionString: this.adminUrl });
    await admin.connect();
    await admin.query(`DROP DATABASE ${this.env.QUEUE_PREFIX} WITH (FORCE)`);
    await admin.end();
  }
}

/** A Brazilian mobile for each sequence up to 99,999,999. */
export function phoneNumber(sequence: number): string {
  return `+55119${String(sequence).padStart(8, '0')}`;
}

/** The chunks of a campaign, in order, made as they are asked for. */
export function* chunksOf({ id, companyId, total, chunkSize }: Campaign): Generator<Chunk> {
  for (let first = 1; first <= total; first += chunkSize) {
    const size = Math.min(chunkSize, total - first + 1);
    const phone_numbers = Array.from({ length: size }, (_, index) => phoneNumber(first + index));
    yield { campaign_id: id, company_id: companyId, message: MESSAGE, first_sequence: first, phone_numbers };
  }
}

/** Some at a time, in order. */
export function* slices<T>(items: Iterable<T>, length: number): Generator<T[]> {
  let slice: T[] = [];
  for (const item of items) {
    slice.push(item);
    if (slice.length < length) continue;
    yield slice;
    slice = [];
  }
  if (slice.length > 0) yield slice;
}

/** Seconds since a `performance.now()`. */
export function secondsSince(begun: number): number {
  return (performance.now() - begun) / 1_000;
}

/** The same server and user, another database; the user stays the one of where it was made. */
function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  const made = changed.pathname.slice(1) || 'admin';
  changed.pathname = `/${name}`;
  if (changed.protocol.startsWith('mongodb') && changed.username && !changed.searchParams.has('authSource'))
    changed.searchParams.set('authSource', made);
  return changed.href;
}
