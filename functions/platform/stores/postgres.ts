import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { Config } from '../config.js';
import { ServiceUnavailable } from '../problem.js';
import { IS_MIGRATED_SQL } from './schema.js';

/** Runs one statement. int8 comes as a string, timestamptz as a Date. */
export interface Sql {
  query<T>(text: string, values?: unknown[]): Promise<T[]>;
  /** The first row. */
  one<T>(text: string, values?: unknown[]): Promise<T | undefined>;
}

/** Statements that hold all together or not at all. */
export interface Transaction extends Sql {
  /** Streams rows, in COPY's text form, into `COPY ... FROM STDIN`. */
  copyFrom(copyStatement: string, rows: AsyncIterable<Buffer | string> | Iterable<Buffer | string>): Promise<void>;
}

const CONNECTIONS = 10;
const CONNECT_TIMEOUT_MS = 5_000;
const UNDEFINED_TABLE = '42P01';
const INSUFFICIENT_PRIVILEGE = '42501';
const READ_ONLY = '25006';
/** Classes of SQLSTATE that say the server is going, coming or full: connection_exception, insufficient_resources, operator_intervention. */
const AWAY = /^(08|53|57P)/;

/** The pool of connections to PostgreSQL. ServiceUnavailable when it is away; errors of SQL pass untouched. */
@Injectable()
export class Postgres implements Sql, OnApplicationShutdown {
  readonly #pool: pg.Pool;
  #closed: Promise<void> | undefined;

  constructor(config: Config) {
    this.#pool = new pg.Pool({
      connectionString: config.databaseUrl,
      max: CONNECTIONS,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
    });
    // A connection that breaks while nobody waits on it must not end the process: the next query says so.
    this.#pool.on('error', () => {});
    this.#pool.on('connect', (client) => client.on('error', () => {}));
  }

  async query<T>(text: string, values: unknown[] = []): Promise<T[]> {
    return this.#withClient(async (client) => (await client.query(text, values)).rows as T[]);
  }

  async one<T>(text: string, values: unknown[] = []): Promise<T | undefined> {
    return (await this.query<T>(text, values))[0];
  }

  /** Commits what `work` did, or nothing of it. */
  async transaction<T>(work: (sql: Transaction) => Promise<T>): Promise<T> {
    return this.#withClient(async (client) => {
      await client.query('BEGIN');
      try {
        const result = await work(transactionOn(client));
        const { command } = await client.query('COMMIT');
        // COMMIT of a failed transaction is no error to PostgreSQL, it just does the opposite.
        if (command !== 'COMMIT') throw new Error('the transaction had failed and was rolled back');
        return result;
      } catch (error) {
        await client.query('ROLLBACK');
        throw error;
      }
    });
  }

  /** Fails unless PostgreSQL answers and has been migrated. */
  async ping(): Promise<void> {
    const row = await this.one<{ migrated: boolean }>(IS_MIGRATED_SQL);
    if (!row?.migrated) throw new ServiceUnavailable('the database is not migrated yet');
  }

  close(): Promise<void> {
    this.#closed ??= this.#pool.end();
    return this.#closed;
  }

  onApplicationShutdown(): Promise<void> {
    return this.close();
  }

  async #withClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw new ServiceUnavailable('the database is not reachable, or too busy to take one more request', error);
    });
    let broken = true;
    try {
      const result = await work(client);
      broken = false;
      return result;
    } catch (error) {
      broken = isAway(error);
      if (codeOf(error) === UNDEFINED_TABLE)
        throw new ServiceUnavailable('the tables are not there yet; npm run migrate makes them', error);
      if (codeOf(error) === INSUFFICIENT_PRIVILEGE)
        throw new ServiceUnavailable('the user of the database lacks a right that this needs', error);
      if (codeOf(error) === READ_ONLY)
        throw new ServiceUnavailable('the database takes no changes now: it is a standby, or read-only', error);
      throw broken ? new ServiceUnavailable('the database is away', error) : error;
    } finally {
      client.release(broken);
    }
  }
}

/** Whether PostgreSQL, and not the statement, is what failed: worth the same call again. */
export function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof pg.DatabaseError) return AWAY.test(error.code ?? '');
  return (
    NETWORK.test(codeOf(error)) ||
    /^(Connection terminated|Client has encountered a connection error|timeout exceeded|Client was closed)/.test(
      error.message,
    )
  );
}

const NETWORK = /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|EAI_|ENOTFOUND)/;

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

function transactionOn(client: pg.PoolClient): Transaction {
  const query = async <T>(text: string, values: unknown[] = []): Promise<T[]> =>
    (await client.query(text, values)).rows as T[];
  return {
    query,
    one: async <T>(text: string, values?: unknown[]): Promise<T | undefined> => (await query<T>(text, values))[0],
    copyFrom: (copyStatement, rows) => pipeline(Readable.from(rows), client.query(copyFrom(copyStatement))),
  };
}
