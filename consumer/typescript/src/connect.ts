import {
  ADMIT_SQL,
  ConfigurationError,
  declareMessages,
  MESSAGES,
  type MessageDocument,
  messagesDatabase,
  RECORD_STORED_SQL,
  UNUSABLE_URL,
} from '@disparo/contract';
import { type Channel, type ChannelModel, connect } from 'amqplib';
import { type Collection, type Db, MongoClient } from 'mongodb';
import pg from 'pg';
import type { Config } from './config.js';

const APP_NAME = 'disparo-consumer';
const CONNECT_TIMEOUT_MS = 5_000;
/** A store whose answer takes longer counts as down: the batch is retried. */
const ANSWER_TIMEOUT_MS = 30_000;
const BROKER_TIMEOUT_MS = 10_000;
const BROKER_CLOSE_TIMEOUT_MS = 2_000;
const HEARTBEAT_S = 30;
const HEARTBEAT = /[?&]heartbeat=/;
const MAX_PORT = 65_535;

/** The two stores. Nothing is connected before the first statement. */
export interface Stores {
  postgres: pg.Pool;
  mongo: Db;
  messages: Collection<MessageDocument>;
  close(): Promise<void>;
}

/** Makes the clients. Throws ConfigurationError for a URL that its driver cannot read. */
export function openStores({ databaseUrl, mongodbUrl, partitions }: Config): Stores {
  const postgres = readable('DATABASE_URL', () => openPostgres(databaseUrl, 2 * partitions.length + 1));
  const [client, mongo] = readable('MONGODB_URL', () => {
    const opened = openMongo(mongodbUrl);
    return [opened, opened.db(messagesDatabase(mongodbUrl))] as const;
  });
  return {
    postgres,
    mongo,
    messages: mongo.collection(MESSAGES),
    async close() {
      await Promise.all([postgres.end(), client.close()]);
    },
  };
}

/** The first success of PostgreSQL: it answers, and the ledger is there. No row is touched. */
export async function probeLedger(postgres: pg.Pool): Promise<void> {
  await postgres.query(ADMIT_SQL, [[], []]);
  await postgres.query(RECORD_STORED_SQL, [[], []]);
}

/** The first success of MongoDB: it answers, and the collection has its validator. */
export async function prepareMessages(mongo: Db): Promise<void> {
  // A statement connects by itself, but only once: when that fails, the driver says "Topology is closed" for ever.
  await mongo.client.connect();
  await declareMessages(mongo);
}

/** A connection to the broker. An `error` listener is already on it: without one Node would end the process. */
export async function connectBroker(rabbitmqUrl: string): Promise<ChannelModel> {
  // amqplib takes the heartbeat from the URL alone, and what an operator wrote there wins.
  const separator = rabbitmqUrl.includes('?') ? '&' : '?';
  const url = HEARTBEAT.test(rabbitmqUrl) ? rabbitmqUrl : `${rabbitmqUrl}${separator}heartbeat=${HEARTBEAT_S}`;
  const connection = await connect(url, {
    noDelay: true,
    keepAlive: true,
    timeout: BROKER_TIMEOUT_MS,
    clientProperties: { connection_name: APP_NAME },
  });
  connection.on('error', () => {});
  return connection;
}

/** Never throws. A broker that does not answer must not hold up the next connection, or the end of the process. */
export async function closeBroker(connection: ChannelModel, channels: readonly Channel[] = []): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, BROKER_CLOSE_TIMEOUT_MS);
  });
  const closing = async () => {
    // Channels first: amqplib may send the close of the connection before the acknowledgement that a channel still holds.
    await Promise.allSettled(channels.map(async (channel) => channel.close()));
    await connection.close();
  };
  await Promise.race([closing().catch(() => {}), late]);
  clearTimeout(timer);
}

/** A pool with one connection for each loop, and one for health. */
function openPostgres(connectionString: string, connections: number): pg.Pool {
  // The pool parses the URL only when it connects. This client is never connected: it makes a bad URL known now.
  const { port } = new pg.Client({ connectionString });
  if (!(port >= 0 && port <= MAX_PORT)) throw new Error('no port');
  const pool = new pg.Pool({
    connectionString,
    max: connections,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    keepAlive: true,
    application_name: APP_NAME,
  });
  // An idle connection that dies is replaced by the next statement, which fails if it cannot.
  pool.on('error', () => {});
  // The pool listens to idle connections only: an error on one that is closing would end the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

function openMongo(url: string): MongoClient {
  return new MongoClient(url, {
    appName: APP_NAME,
    serverSelectionTimeoutMS: CONNECT_TIMEOUT_MS,
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    socketTimeoutMS: ANSWER_TIMEOUT_MS,
  });
}

function readable<T>(variable: string, open: () => T): T {
  try {
    return open();
  } catch {
    throw new ConfigurationError(variable, UNUSABLE_URL);
  }
}
