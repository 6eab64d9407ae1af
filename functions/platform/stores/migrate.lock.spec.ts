import pg from 'pg';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type OwnDatabase, ownDatabase } from '../../../testing/databases.js';
import { TransactionPooler } from '../../test/transaction-pooler.js';
import { MigrationFailed, migrate } from './migrate.js';
import { migrationFiles } from './migration-files.js';

const { names: all } = migrationFiles();
let database: OwnDatabase;
let url: string;
let direct: pg.Client;

beforeEach(async () => {
  database = await ownDatabase();
  url = database.url;
  direct = new pg.Client(url);
  direct.on('error', () => {});
  await direct.connect();
});

afterEach(async () => {
  await direct.end();
  await database.drop();
});

test.each([1, 2])('nothing stays behind at a transaction pooler with %i connections', async (connections) => {
  const pooler = await TransactionPooler.open(url, connections);
  try {
    const ran = await Promise.all([migrate(pooler.url), migrate(pooler.url), migrate(pooler.url)]);
    expect(ran.flat()).toEqual(all);
    const { rows } = await direct.query(
      `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    expect(rows).toEqual([]);
    expect(await migrate(pooler.url, 'down')).toEqual(all.slice(-1));
    expect(await migrate(pooler.url)).toEqual(all.slice(-1));
  } finally {
    await pooler.close();
  }
});

test('a migration that waits says within seconds whom for, and goes on afterwards', async () => {
  await migrate(url);
  await direct.query('BEGIN');
  await direct.query('LOCK TABLE migrations');
  const { rows } = await direct.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const said: string[] = [];
  const down = migrate(url, 'down', (line) => said.push(line));
  await vi.waitUntil(() => said.length > 0, { timeout: 30_000 });
  expect(said[0]).toBe(
    `The migrations are waiting for a lock that another session of PostgreSQL holds (process ${rows[0]?.pid}, user ${direct.user}, idle in transaction)`,
  );
  await direct.query('COMMIT');
  expect(await down).toEqual(all.slice(-1));
});

test('a migration that waits for a connection of the pooler says so', async () => {
  const pooler = await TransactionPooler.open(url, 1);
  const other = new pg.Client(pooler.url);
  other.on('error', () => {});
  await other.connect();
  try {
    await migrate(url);
    await migrate(url, 'down');
    await other.query('BEGIN');
    const said: string[] = [];
    const up = migrate(pooler.url, 'up', (line) => said.push(line));
    await vi.waitUntil(() => said.length > 0, { timeout: 30_000 });
    expect(said[0]).toBe('The migrations are waiting for a free connection to PostgreSQL');
    await other.query('COMMIT');
    expect(await up).toEqual(all.slice(-1));
  } finally {
    await other.end();
    await pooler.close();
  }
});

test('a migration that fails changes nothing, and is named in one line', async () => {
  await direct.query('CREATE TABLE campaign_chunks (mine int)');
  const failed = await migrate(url).catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(MigrationFailed);
  expect((failed as Error).message).toBe(
    'migration 0002_campaigns failed, and nothing was changed: relation "campaign_chunks" already exists',
  );
  const { rows } = await direct.query(
    `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'`,
  );
  expect(rows).toEqual([{ relname: 'campaign_chunks' }]);
});
