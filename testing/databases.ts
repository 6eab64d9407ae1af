import { randomBytes } from 'node:crypto';
import { readEnvironment } from '@disparo/contract';
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import pg from 'pg';
import { inDatabase } from '../services/place.js';

/** A unique name for a database, a role or a prefix of queues. */
export function ownName(begin = 'test'): string {
  return `${begin}_${randomBytes(6).toString('hex')}`;
}

/** Runs statements on a PostgreSQL server, each outside of any transaction. Returns the rows of the last one. */
export async function onServer<T = Record<string, unknown>>(url: string, ...statements: string[]): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    let rows: T[] = [];
    for (const statement of statements) rows = (await client.query(statement)).rows as T[];
    return rows;
  } finally {
    await client.end();
  }
}

/** A PostgreSQL database of a test's own. */
export interface OwnDatabase {
  name: string;
  url: string;
  /** Removes it, even while others are connected. */
  drop(): Promise<unknown>;
}

/** Makes an empty database on the server of this URL, with these settings, such as `deadlock_timeout = '100ms'`. */
export async function ownDatabase({
  adminUrl = readEnvironment().DATABASE_URL ?? '',
  name = ownName(),
  settings = [],
}: {
  adminUrl?: string;
  name?: string;
  settings?: string[];
} = {}): Promise<OwnDatabase> {
  const set = settings.map((setting) => `ALTER DATABASE ${name} SET ${setting}`);
  await onServer(adminUrl, `CREATE DATABASE ${name}`, ...set);
  const drop = () => onServer(adminUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  return { name, url: inDatabase(adminUrl, name), drop };
}

/**
 * A pool whose lost connections end no test. A connection that is still closing when its database is dropped gets an error,
 * too.
 */
export function quietPool(config: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool(config);
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** A connection to the broker and its one channel. */
export interface Broker {
  connection: ChannelModel;
  channel: ConfirmChannel;
}

/** Connects. A connection that breaks later fails only the next call. */
export async function openBroker(url: string): Promise<Broker> {
  const connection = await connect(url, { noDelay: true });
  connection.on('error', () => {});
  const channel = await connection.createConfirmChannel();
  channel.on('error', () => {});
  return { connection, channel };
}
