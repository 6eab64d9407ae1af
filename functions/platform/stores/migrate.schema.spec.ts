import { ConfigurationError, readEnvironment } from '@disparo/contract';
import { afterAll, expect, test } from 'vitest';
import { type OwnDatabase, onServer, ownDatabase, ownName } from '../../../testing/databases.js';
import type { Config } from '../config.js';
import { migrate } from './migrate.js';
import { migrationFiles } from './migration-files.js';
import { Postgres } from './postgres.js';

const adminUrl = readEnvironment().DATABASE_URL ?? '';
const { names: all, relations } = migrationFiles();
const roles: string[] = [];
const databases: OwnDatabase[] = [];

afterAll(async () => {
  for (const { drop } of databases) await drop();
  await onServer(adminUrl, ...roles.map((name) => `DROP ROLE ${name}`));
});

/** Makes a database. Returns the URL of its owner, who may do everything. */
async function database(): Promise<string> {
  const made = await ownDatabase();
  databases.push(made);
  return made.url;
}

/** Makes a user with the rights that everybody has. Returns its name and URL. */
async function userOf(databaseUrl: string): Promise<{ user: string; url: string }> {
  const user = ownName();
  await onServer(adminUrl, `CREATE ROLE ${user} LOGIN PASSWORD 'secret'`);
  roles.push(user);
  const url = new URL(databaseUrl);
  url.username = user;
  url.password = 'secret';
  return { user, url: url.href };
}

function withPath(databaseUrl: string, path: string): string {
  return `${databaseUrl}?options=${encodeURIComponent(`-c search_path=${path}`)}`;
}

/** How many tables and views each schema has, the table of the migrations included. */
async function tables(databaseUrl: string): Promise<Record<string, number>> {
  const rows = await onServer<{ schema: string; count: number }>(
    databaseUrl,
    `SELECT n.nspname AS schema, count(*)::int AS count FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'v') AND n.nspname !~ '^(pg_|information_schema)' GROUP BY 1`,
  );
  return Object.fromEntries(rows.map(({ schema, count }) => [schema, count]));
}

async function pings(databaseUrl: string): Promise<boolean> {
  const postgres = new Postgres({ databaseUrl } as Config);
  try {
    return await postgres.ping().then(
      () => true,
      () => false,
    );
  } finally {
    await postgres.close();
  }
}

const refusedWith = (databaseUrl: string) =>
  migrate(databaseUrl).then(
    (ran) => `migrated ${ran.length}`,
    (error: unknown) => (error instanceof ConfigurationError ? error.message : `no refusal: ${String(error)}`),
  );

const ONE_SCHEMA = relations.length + 1;

test('the first schema of the search_path is enough, and nothing is made in public', async () => {
  const url = await database();
  await onServer(url, 'CREATE SCHEMA tenant', 'CREATE SCHEMA "Other-1"', 'DROP SCHEMA public');
  for (const path of ['tenant', '"Other-1",tenant']) {
    expect(await pings(withPath(url, path))).toBe(false);
    expect(await migrate(withPath(url, path))).toEqual(all);
    expect(await pings(withPath(url, path))).toBe(true);
    expect(await migrate(withPath(url, path))).toEqual([]);
  }
  expect(await tables(url)).toEqual({ tenant: ONE_SCHEMA, 'Other-1': ONE_SCHEMA });
});

test('a second schema of a database is migrated by itself, and undone by itself', async () => {
  const url = await database();
  await onServer(url, 'CREATE SCHEMA tenant');
  expect(await migrate(url)).toEqual(all);
  const tenant = withPath(url, 'tenant,public');
  expect(await pings(tenant)).toBe(false);
  expect(await migrate(tenant)).toEqual(all);
  expect([await pings(tenant), await pings(url)]).toEqual([true, true]);
  expect(await migrate(tenant, 'down')).toEqual(all.slice(-1));
  expect(await migrate(url)).toEqual([]);
  expect(await migrate(tenant)).toEqual(all.slice(-1));
});

test('what statements see is the schema that was migrated', async () => {
  const url = await database();
  await onServer(url, 'CREATE SCHEMA tenant');
  const tenant = withPath(url, 'tenant');
  await Promise.all([migrate(url), migrate(tenant), migrate(tenant)]);
  await onServer(tenant, `INSERT INTO users (id, email, password) VALUES ('a', 'a@example.com', '')`);
  expect(await onServer(url, 'SELECT id FROM users')).toEqual([]);
  expect(await onServer(url, 'SELECT id FROM tenant.users')).toEqual([{ id: 'a' }]);
});

test('a user with a schema of its own name needs no right on public, migrated or not', async () => {
  const url = await database();
  await onServer(url, 'REVOKE ALL ON SCHEMA public FROM PUBLIC');
  const first = await userOf(url);
  await onServer(url, `CREATE SCHEMA AUTHORIZATION ${first.user}`);
  expect(await migrate(first.url)).toEqual(all);
  await migrate(url);
  const second = await userOf(url);
  await onServer(url, 'GRANT USAGE ON SCHEMA public TO PUBLIC', `CREATE SCHEMA AUTHORIZATION ${second.user}`);
  expect(await migrate(second.url)).toEqual(all);
  expect([await pings(first.url), await pings(second.url)]).toEqual([true, true]);
});

test("tables in use in public are not hidden by a schema of the user's own name made later", async () => {
  const url = await database();
  const owner = await userOf(url);
  await onServer(url, `GRANT CREATE ON SCHEMA public TO ${owner.user}`);
  await migrate(owner.url);
  for (let undone = 0; undone < all.length - 2; undone++) await migrate(owner.url, 'down');
  await onServer(url, `CREATE SCHEMA AUTHORIZATION ${owner.user}`);
  expect(await migrate(owner.url)).toEqual(all.slice(2));
  expect(await tables(url)).toEqual({ public: ONE_SCHEMA });
  expect(await pings(owner.url)).toBe(true);
});

test('tables whose migrations an older version noted in public go on where they are', async () => {
  const url = await database();
  await onServer(url, 'CREATE SCHEMA tenant');
  const tenant = withPath(url, 'tenant');
  await migrate(tenant);
  await onServer(url, 'ALTER TABLE tenant.migrations SET SCHEMA public');
  expect(await migrate(tenant)).toEqual([]);
  expect(await tables(url)).toEqual({ public: 1, tenant: ONE_SCHEMA });
  expect(await refusedWith(url)).toBe(
    `DATABASE_URL: the table "migrations" in schema "public" says that "${[...relations].sort()[0]}" is there, and it is not`,
  );
});

test('a right that is missing is one line that names DATABASE_URL', async () => {
  const url = await database();
  const { user, url: his } = await userOf(url);
  const create = `DATABASE_URL: user "${user}" may not create tables in schema "public"; GRANT CREATE ON SCHEMA, or CREATE SCHEMA AUTHORIZATION for one of its own`;
  expect(await refusedWith(his)).toBe(create);
  expect(await refusedWith(withPath(his, 'nowhere'))).toBe(
    `DATABASE_URL: no schema of its search_path (nowhere) exists and is open to user "${user}"`,
  );
  await migrate(url);
  expect(await refusedWith(his)).toBe(
    `DATABASE_URL: user "${user}" may not read the table "migrations" in schema "public"`,
  );
  await onServer(url, `GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${user}`);
  const write = `DATABASE_URL: user "${user}" may not read and write the table "${[...relations].sort()[0]}" in schema "public"`;
  expect(await refusedWith(his)).toBe(write);
  await onServer(url, `GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${user}`);
  expect(await refusedWith(his)).toBe('migrated 0');
  await migrate(url, 'down');
  expect(await refusedWith(his)).toMatch(/^DATABASE_URL: user "\w+" may not \w+ .*schema "public"/);
});

test.each([
  [
    'a parameter that PostgreSQL does not know',
    '?options=-c%20no_such_thing%3D1',
    /the server refuses the connection \(/,
  ],
  ['a database that is read-only', '?options=-c%20default_transaction_read_only%3Don', /takes no changes now/],
])('%s is one line that names DATABASE_URL', async (_, options, words) => {
  const url = await database();
  const refused = await refusedWith(url + options);
  expect(refused).toMatch(/^DATABASE_URL: [^\n]+$/);
  expect(refused).toMatch(words);
});
