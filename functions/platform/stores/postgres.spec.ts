import { readEnvironment } from '@disparo/contract';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type OwnDatabase, onServer, ownDatabase } from '../../../testing/databases.js';
import { TcpProxy } from '../../../testing/proxy.js';
import type { Config } from '../config.js';
import { Deadline } from '../deadline.js';
import { ServiceUnavailable } from '../problem.js';
import { isAway, isContended, Postgres, type Transaction } from './postgres.js';

let database: OwnDatabase;
let postgres: Postgres;

beforeAll(async () => {
  database = await ownDatabase();
  postgres = new Postgres({ databaseUrl: database.url } as Config);
  await postgres.query('CREATE TABLE numbers (n int UNIQUE, big bigint)');
});

beforeEach(() => postgres.query('TRUNCATE numbers'));

afterAll(async () => {
  await postgres.close();
  await database.drop();
});

const stored = () => postgres.query<{ n: number }>('SELECT n FROM numbers ORDER BY n');

test('a transaction holds as a whole, COPY included', async () => {
  const answer = await postgres.transaction(async (sql) => {
    await sql.copyFrom('COPY numbers (n) FROM STDIN', ['1\n2\n', Buffer.from('3\n')]);
    return sql.one<{ big: string }>('INSERT INTO numbers VALUES (4, 9007199254740993) RETURNING big');
  });
  expect(answer).toEqual({ big: '9007199254740993' });
  expect(await stored()).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }]);
});

test.each([
  [
    'that throws',
    async () => {
      throw new Error('no');
    },
    'no',
  ],
  [
    'whose COPY has a row that is none',
    async (sql) => sql.copyFrom('COPY numbers (n) FROM STDIN', ['2\nx\n']),
    'invalid input syntax',
  ],
  ['whose rows break off', async (sql) => sql.copyFrom('COPY numbers (n) FROM STDIN', brokenOff()), 'broken off'],
  [
    'that swallowed a failed statement',
    async (sql) => {
      await sql.query('SELECT 1/0').catch(() => {});
    },
    'was rolled back',
  ],
] as [string, Parameters<Postgres['transaction']>[0], string][])(
  'a transaction %s leaves nothing, and the connection is of use',
  async (_, work, words) => {
    const failing = postgres.transaction(async (sql) => {
      await sql.query('INSERT INTO numbers VALUES (1)');
      await work(sql);
    });
    await expect(failing).rejects.toThrow(words);
    expect(await stored()).toEqual([]);
  },
);

async function* brokenOff(): AsyncGenerator<string> {
  yield '2\n';
  throw new Error('broken off');
}

test('a server that goes away in the middle makes a 503, and the next transaction works', async () => {
  const failing = postgres.transaction(async (sql) => {
    await sql.query('INSERT INTO numbers VALUES (1)');
    const { pid } = (await sql.one<{ pid: number }>('SELECT pg_backend_pid() AS pid')) ?? { pid: 0 };
    await onServer(database.url, `SELECT pg_terminate_backend(${pid}, 5000)`);
    await sql.query('INSERT INTO numbers VALUES (2)');
  });
  await expect(failing).rejects.toBeInstanceOf(ServiceUnavailable);
  expect(await stored()).toEqual([]);
});

test('a server that is not there, and one that is not migrated, make a 503', async () => {
  const nowhere = new Postgres({ databaseUrl: 'postgresql://a:b@127.0.0.1:9/x' } as Config);
  await expect(nowhere.query('SELECT 1')).rejects.toBeInstanceOf(ServiceUnavailable);
  await nowhere.close();
  await expect(postgres.ping()).rejects.toBeInstanceOf(ServiceUnavailable);
});

test('rows of a COPY go out in blocks, and the event loop turns between them', async () => {
  let turns = 0;
  const turn = () => {
    turns++;
    running = setImmediate(turn);
  };
  let running = setImmediate(turn);
  const rows = Array.from({ length: 200_000 }, (_, index) => `${index}\n`);
  await postgres.transaction((sql) => sql.copyFrom('COPY numbers (n) FROM STDIN', rows));
  clearImmediate(running);
  expect(turns).toBeGreaterThan((rows.join('').length / 65_536) | 0);
  expect(await postgres.one('SELECT count(*)::int, sum(n)::bigint FROM numbers')).toEqual({
    count: 200_000,
    sum: String((199_999 * 200_000) / 2),
  });
});

test('a row that is longer than a block goes out whole, between others', async () => {
  await postgres.query('CREATE TABLE texts (place int, body text)');
  const texts = [1, 300_000, 2, 65_536, 131_072, 65_535, 3].map((length) => 'é'.repeat(length));
  await postgres.transaction((sql) =>
    sql.copyFrom(
      'COPY texts FROM STDIN',
      texts.flatMap((text, place) => [`${place}\t`, Buffer.from(text), '\n']),
    ),
  );
  expect(await postgres.query('SELECT body FROM texts ORDER BY place')).toEqual(texts.map((body) => ({ body })));
});

test('a transaction told to stop before its COMMIT leaves nothing, and its statement ends', async () => {
  const stop = new AbortController();
  const failing = postgres.transaction(async (sql) => {
    await sql.query('INSERT INTO numbers VALUES (1)');
    setImmediate(() => stop.abort());
    await sql.query('SELECT pg_sleep(600)');
  }, stop.signal);
  await expect(failing).rejects.toThrow(ServiceUnavailable);
  await untilNoneRuns('pg_sleep(600)');
  expect(await stored()).toEqual([]);
});

/** Waits until no statement with this word runs. Asked from another database, since the question has the word itself. */
const untilNoneRuns = (word: string) =>
  vi.waitUntil(async () => {
    const rows = await onServer(
      readEnvironment().DATABASE_URL ?? '',
      `SELECT FROM pg_stat_activity WHERE datname = '${database.name}' AND state <> 'idle' AND query LIKE '%${word}%'`,
    );
    return rows.length === 0;
  }, 30_000);

test('what is told to stop before it begins is not begun', async () => {
  const work = vi.fn();
  await expect(postgres.transaction(work, AbortSignal.abort())).rejects.toThrow(ServiceUnavailable);
  expect(work).not.toHaveBeenCalled();
});

test.each([
  ['that calls a function which may change something is held back as a change is', 'put', true],
  ['that only reads sends no COMMIT', 'abs', false],
])('under a deadline a SELECT %s', async (_, name, storing) => {
  await postgres.query(
    'CREATE OR REPLACE FUNCTION put(int) RETURNS int LANGUAGE sql AS $$ INSERT INTO numbers VALUES ($1) RETURNING n $$',
  );
  const deadline = new Deadline({ refuseMs: 60_000, endMs: 60_000 });
  expect(await deadline.run(() => postgres.query(`SELECT ${name}($1) AS n`, [7]))).toEqual([{ n: 7 }]);
  deadline.close();
  expect(deadline.stored).toBe(storing);
});

test('PostgreSQL itself ends a transaction from which it hears nothing more', async () => {
  const { ended } = await postgres.transaction(async (sql) => {
    const row = await sql.one<{ ended: boolean }>(
      `SELECT current_setting('idle_in_transaction_session_timeout') <> '0' AS ended`,
    );
    return row ?? { ended: false };
  });
  expect(ended).toBe(true);
});

describe('a connection that dies without a word', () => {
  let proxy: TcpProxy;
  let far: Postgres;

  beforeEach(async () => {
    proxy = await TcpProxy.openTo(database.url, 5432);
    far = new Postgres({ databaseUrl: proxy.url } as Config);
  });
  afterEach(async () => {
    await proxy.close();
    await far.close();
  });

  test('is given up on where somebody says so, and the next statement has another one', async () => {
    await far.query('SELECT 1');
    proxy.silence();
    const silent = far.unlessSilent(() => far.query('INSERT INTO numbers VALUES (1)'), 50);
    await expect(silent).rejects.toEqual(new ServiceUnavailable('the database does not answer'));
    await far.query('INSERT INTO numbers VALUES (2)');
    expect(await stored()).toEqual([{ n: 2 }]);
  });

  test('is given up on at the COMMIT, too', async () => {
    const silent = far.unlessSilent(
      () =>
        far.transaction(async (sql) => {
          await sql.query('INSERT INTO numbers VALUES (1)');
          proxy.silence();
        }),
      1_000,
    );
    await expect(silent).rejects.toThrow('the database does not answer');
  });
});

test('what is given up on ends in PostgreSQL, too, and what is not stays', async () => {
  const asleep = postgres.query(`SELECT pg_sleep(0.2), 'patient'`);
  const silent = postgres.unlessSilent(() => postgres.query(`SELECT pg_sleep(600), 'given up'`), 50);
  await expect(silent).rejects.toThrow(ServiceUnavailable);
  await untilNoneRuns('given up');
  expect(await asleep).toHaveLength(1);
});

/** Two transactions that wait for each other. */
async function deadlock(): Promise<unknown> {
  await postgres.query('INSERT INTO numbers VALUES (1), (2)');
  const lock = (sql: Transaction, n: number) => sql.query('SELECT FROM numbers WHERE n = $1 FOR UPDATE', [n]);
  let locked = 0;
  const lockBoth = async (sql: Transaction, first: number, second: number) => {
    await lock(sql, first);
    locked++;
    await vi.waitUntil(() => locked === 2);
    await lock(sql, second);
  };
  return Promise.all([
    postgres.transaction((sql) => lockBoth(sql, 1, 2)),
    postgres.transaction((sql) => lockBoth(sql, 2, 1)),
  ]);
}

async function serializationFailure(): Promise<unknown> {
  await postgres.query('INSERT INTO numbers VALUES (1)');
  return postgres.transaction(async (sql) => {
    await sql.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    await sql.query('SELECT FROM numbers');
    await postgres.query('UPDATE numbers SET n = 2');
    await sql.query('UPDATE numbers SET n = 3');
  });
}

const timeout = () =>
  postgres.transaction(async (sql) => {
    await sql.query("SET LOCAL statement_timeout = '10ms'");
    await sql.query('SELECT pg_sleep(600)');
  });

const lockTimeout = () =>
  postgres.transaction(async (holder) => {
    await holder.query('LOCK TABLE numbers');
    await postgres.transaction(async (sql) => {
      await sql.query("SET LOCAL lock_timeout = '10ms'");
      await sql.query('LOCK TABLE numbers');
    });
  });

test.each<[what: string, code: string, contended: boolean, fail: () => Promise<unknown>]>([
  ['a deadlock', '40P01', true, deadlock],
  ['a serialization failure', '40001', true, serializationFailure],
  ['a statement that takes too long', '57014', true, timeout],
  ['a lock that another one has for too long', '55P03', true, lockTimeout],
  ['a unique violation', '23505', false, () => postgres.query('INSERT INTO numbers VALUES (1), (1)')],
])('contention is told from other errors: %s', async (_, code, contended, fail) => {
  const error = await fail().catch((reason: unknown) => reason);
  expect([(error as { code?: string }).code, isContended(error), isAway(error)]).toEqual([code, contended, false]);
});

test('an outage is no contention', async () => {
  const nowhere = new Postgres({ databaseUrl: 'postgresql://a:b@127.0.0.1:9/x' } as Config);
  const error = await nowhere.query('SELECT 1').catch((reason: unknown) => reason);
  await nowhere.close();
  expect([isContended(error), isContended((error as Error).cause)]).toEqual([false, false]);
});
