import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import pg from 'pg';
import { Config } from '../config.js';
import { Deadline } from '../deadline.js';
import { ServiceUnavailable } from '../problem.js';
import { type CopyRows, copyRows } from './copy-rows.js';
import { CutOff, throwIfAborted } from './cut-off.js';
import { IS_MIGRATED_SQL } from './schema.js';

/** Runs one statement. int8 comes as a string, timestamptz as a Date. */
export interface Sql {
  query<T>(text: string, values?: unknown[]): Promise<T[]>;
  /** The first row. */
  one<T>(text: string, values?: unknown[]): Promise<T | undefined>;
}

/** Statements that are committed all together or not at all. */
export interface Transaction extends Sql {
  /** Sends rows, in the statement's form, into `COPY ... FROM STDIN`; the event loop turns meanwhile. */
  copyFrom(copyStatement: string, rows: CopyRows): Promise<void>;
}

const CONNECTIONS = 10;
const CONNECT_TIMEOUT_MS = 5_000;
/** A connection without traffic is asked whether it lives: PostgreSQL's machine may be gone without a word. */
const KEEP_ALIVE_MS = 10_000;
/**
 * Less than the time in which a process that is told to stop finishes its work (20 s), and more than that after which the
 * pool drops idle connections (10 s): those that fell silent together with a busy one are not tried next.
 */
const SILENT_MS = 15_000;
/**
 * guard: PostgreSQL ends a transaction from which it hears nothing for so long. Else the locks of one whose connection or
 * process died without a word stay until the server's kernel notices, two hours by default. COPY is no such silence.
 */
const BEGIN = `BEGIN; SET LOCAL idle_in_transaction_session_timeout = '30s'`;
/** A ping that takes longer: its connection is dropped. Who asks waits less. */
const PING_MS = 5_000;
const UNDEFINED_TABLE = '42P01';
const INSUFFICIENT_PRIVILEGE = '42501';
const READ_ONLY = '25006';
const UNIQUE_VIOLATION = '23505';
/**
 * Classes of SQLSTATE that say that the server is stopping, starting or full: connection_exception, insufficient_resources,
 * operator_intervention.
 */
const AWAY = /^(08|53|57P)/;
/**
 * transaction_rollback: a deadlock, a serialization failure; query_canceled, of which a statement timeout is one; and
 * lock_not_available, of NOWAIT or a lock timeout.
 */
const CONTENDED = /^(40|57014|55P03)/;
/** A statement that only reads may end with its request. One that changes something must agree with the request's answer. */
const SELECTS = /^\s*SELECT\b/i;
/** The functions that somebody has made here and that may change something. */
const CHANGING_SQL = `
  SELECT proname AS name FROM pg_proc
   WHERE provolatile = 'v' AND pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)`;

/**
 * The pool of connections to PostgreSQL. Throws ServiceUnavailable when it is away, not migrated, read-only, or refuses our
 * user a right. Other errors of SQL pass unchanged.
 */
@Injectable()
export class Postgres implements Sql, OnApplicationShutdown {
  readonly #pool: pg.Pool;
  /** How long what runs may keep a connection, in milliseconds. */
  readonly #mostMs = new AsyncLocalStorage<number>();
  #closed: Promise<void> | undefined;
  /** The names of CHANGING_SQL, once it has found some: before the migrations there are none. */
  #changing: readonly string[] = [];

  constructor(config: Config) {
    this.#pool = new pg.Pool({
      connectionString: config.databaseUrl,
      max: CONNECTIONS,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    });
    // A connection that breaks while nobody waits on it must not end the process: the next query says so.
    this.#pool.on('error', () => {});
    this.#pool.on('connect', (client) => client.on('error', () => {}));
  }

  /** Under a deadline a statement that changes something runs in a transaction: only a COMMIT can be held back. */
  async query<T>(text: string, values: unknown[] = []): Promise<T[]> {
    const signal = Deadline.current()?.signal;
    if (signal && !(await this.#onlyReads(text, signal))) return this.transaction((sql) => sql.query<T>(text, values));
    return this.#withClient(signal, async (client) => (await client.query(text, values)).rows as T[]);
  }

  async one<T>(text: string, values: unknown[] = []): Promise<T | undefined> {
    return (await this.query<T>(text, values))[0];
  }

  /**
   * Commits all that `work` did, or nothing. Commits nothing when `stop` aborts before the COMMIT is sent; without `stop`
   * the request's deadline is the signal. After that an abort changes nothing: nobody could know whether it was committed.
   */
  async transaction<T>(work: (sql: Transaction) => Promise<T>, stop?: AbortSignal): Promise<T> {
    const deadline = Deadline.current();
    return this.#withClient(stop ?? deadline?.signal, async (client, cutOff) => {
      await client.query(BEGIN);
      try {
        const result = await work(transactionOn(client));
        deadline?.storing();
        cutOff.pass();
        const { command } = await client.query('COMMIT');
        // The COMMIT of a failed transaction is no error to PostgreSQL: it just rolls back.
        if (command !== 'COMMIT') throw new Error('the transaction had failed and was rolled back');
        return result;
      } catch (error) {
        await client.query('ROLLBACK');
        throw error;
      }
    });
  }

  /**
   * Runs `work`, of which no statement and no transaction keeps a connection for longer than `ms`: then it is broken, and
   * the call rejects with ServiceUnavailable. A connection that dies without a word would otherwise hold `work` until the
   * kernel gives up, a quarter of an hour. Only for work that may be done again: a COMMIT may have been done.
   */
  unlessSilent<T>(work: () => Promise<T>, ms = SILENT_MS): Promise<T> {
    return this.#mostMs.run(ms, work);
  }

  /** Fails unless PostgreSQL answers and has been migrated. */
  async ping(): Promise<void> {
    const row = await this.unlessSilent(() => this.one<{ migrated: boolean }>(IS_MIGRATED_SQL), PING_MS);
    if (!row?.migrated) throw new ServiceUnavailable('the database is not migrated yet');
  }

  close(): Promise<void> {
    this.#closed ??= this.#pool.end();
    return this.#closed;
  }

  onApplicationShutdown(): Promise<void> {
    return this.close();
  }

  /** guard: a SELECT that calls a function of ours is no read, unless that function can only read. */
  async #onlyReads(text: string, signal: AbortSignal): Promise<boolean> {
    if (!SELECTS.test(text)) return false;
    if (this.#changing.length === 0) {
      const found = await this.#withClient(signal, (client) => client.query<{ name: string }>(CHANGING_SQL));
      this.#changing = found.rows.map(({ name }) => name);
    }
    return !this.#changing.some((name) => text.includes(`${name}(`));
  }

  async #withClient<T>(
    stop: AbortSignal | undefined,
    work: (client: pg.PoolClient, cutOff: CutOff) => Promise<T>,
  ): Promise<T> {
    throwIfAborted(stop);
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw new ServiceUnavailable('the database is not reachable, or too busy to take one more request', error);
    });
    const cutOff = new CutOff(client, stop, this.#mostMs.getStore());
    let broken = false;
    try {
      // `stop` may have aborted while we waited for a connection.
      throwIfAborted(stop);
      return await Promise.race([work(client, cutOff), cutOff.late]);
    } catch (error) {
      broken = isAway(error) || cutOff.isCutOff;
      if (codeOf(error) === UNDEFINED_TABLE)
        throw new ServiceUnavailable('the tables do not exist yet; npm run migrate makes them', error);
      if (codeOf(error) === INSUFFICIENT_PRIVILEGE)
        throw new ServiceUnavailable('the user of the database lacks a right that this needs', error);
      if (codeOf(error) === READ_ONLY)
        throw new ServiceUnavailable('the database takes no changes now: it is a standby, or read-only', error);
      if (error instanceof ServiceUnavailable) throw error;
      throw broken ? new ServiceUnavailable('the database is away', error) : error;
    } finally {
      cutOff.end();
      client.release(broken);
    }
  }
}

/** Whether PostgreSQL failed, and not the statement: then the same call may be tried again. */
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

/**
 * Whether PostgreSQL rolled a transaction back for the sake of others, or because it took or waited too long. Nothing of it is done,
 * and the same transaction may be tried again.
 */
export function isContended(error: unknown): boolean {
  return error instanceof pg.DatabaseError && CONTENDED.test(error.code ?? '');
}

/** Whether a row was refused because this unique constraint has one like it. */
export function isUniqueViolation(error: unknown, constraint: string): boolean {
  return error instanceof pg.DatabaseError && error.code === UNIQUE_VIOLATION && error.constraint === constraint;
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
    copyFrom: (copyStatement, rows) => copyRows(client, copyStatement, rows),
  };
}
