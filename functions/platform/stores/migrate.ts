import { ConfigurationError, EXIT } from '@disparo/contract';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import { reportBlockers } from './blockers.js';
import { type MigrationFiles, migrationFiles } from './migration-files.js';
import { isAway } from './postgres.js';
import { cannotConnect } from './postgres-refusal.js';
import { HOME_SQL } from './schema.js';

const CONNECT_TIMEOUT_MS = 5_000;
const TABLE = 'migrations';
const INSUFFICIENT_PRIVILEGE = '42501';
const READ_ONLY = '25006';
type Direction = 'up' | 'down';

/** Where the tables are or will be. */
interface Home {
  schema: string;
  user: string;
  mayCreate: boolean;
  hasTable: boolean;
}

/** A migration that PostgreSQL refuses, for a mistake in it or in what it found. The message is one line that names it. */
export class MigrationFailed extends Error {
  readonly exitCode = EXIT.bug;

  constructor(name: string, cause: unknown) {
    const [reason] = String((cause as Error).message).split('\n');
    super(`${name === '' ? 'migrating' : `migration ${name}`} failed, and nothing was changed: ${reason}`, { cause });
    this.name = 'MigrationFailed';
  }
}

/**
 * Brings the tables to their newest version, or one version down; returns the names of what ran. Processes that start
 * together wait for each other, and `say` is called when that takes seconds. Throws ConfigurationError for what the user of
 * DATABASE_URL lacks, MigrationFailed, and what a connection throws.
 */
export async function migrate(
  databaseUrl: string,
  direction: Direction = 'up',
  say: (line: string) => void = () => {},
): Promise<string[]> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  // Without a listener, a server that goes away between two statements would end the process.
  client.on('error', () => {});
  let pid: number | undefined;
  let stopReporting = (): void => {};
  try {
    await client.connect().catch((error: unknown) => {
      throw cannotConnect(error);
    });
    stopReporting = reportBlockers(databaseUrl, () => pid, say);
    const files = migrationFiles();
    const home = await findHome(client);
    const ran = (await isDone(client, home, files, direction))
      ? []
      : await inOneTransaction(client, home, files, direction, (ours) => {
          pid = ours;
        });
    if (direction === 'up') await checkRights(client, home, files);
    return ran;
  } finally {
    stopReporting();
    await client.end().catch(() => {});
  }
}

async function findHome(client: pg.Client): Promise<Home> {
  const { rows } = await client.query<{ schema: string | null; path: string } & Omit<Home, 'schema'>>(
    `SELECT schema, current_user AS user, current_setting('search_path') AS path,
            coalesce(has_schema_privilege(schema, 'CREATE'), false) AS "mayCreate",
            to_regclass(quote_ident(schema) || '.' || $1) IS NOT NULL AS "hasTable"
       FROM (SELECT ${HOME_SQL} AS schema) AS home`,
    [TABLE],
  );
  const { schema, path = '', ...home } = rows[0] ?? { schema: null, user: '', mayCreate: false, hasTable: false };
  if (schema === null)
    throw lacking(`no schema of its search_path (${path}) exists and is open to user "${home.user}"`);
  // The runner writes the name into its statements as it is.
  if (/['"]/.test(schema)) throw lacking(`the name of the schema ${schema} has a quote, which is not taken`);
  return { schema, ...home };
}

/** Whether there is nothing to run. Takes no lock and needs no right but SELECT: the user may be one that never migrates. */
async function isDone(client: pg.Client, home: Home, files: MigrationFiles, direction: Direction): Promise<boolean> {
  if (!home.hasTable) return direction === 'down';
  if (direction === 'down') return false;
  const { rows } = await client
    .query<{ name: string }>(`SELECT name FROM ${client.escapeIdentifier(home.schema)}.${TABLE}`)
    .catch((error: unknown) => {
      if (!isRefusal(error)) throw error;
      throw lacking(`user "${home.user}" may not read the table "${TABLE}" in schema "${home.schema}"`);
    });
  const ran = new Set(rows.map(({ name }) => name));
  return files.names.every((name) => ran.has(name));
}

/**
 * Runs all or nothing, under a lock that ends with the transaction. Behind a transaction pooler a lock of the session would
 * stay on a connection that is given to somebody else. No migration may need to run outside of a transaction.
 */
async function inOneTransaction(
  client: pg.Client,
  home: Home,
  files: MigrationFiles,
  direction: Direction,
  runsAs: (pid: number | undefined) => void,
): Promise<string[]> {
  let running = '';
  try {
    // We must see what the process before us has committed, whatever the user's default isolation level is.
    await client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
    runsAs((await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid);
    await client.query(`SELECT pg_advisory_xact_lock(hashtextextended('disparo migrations ' || $1, 0))`, [home.schema]);
    await client.query(`SET LOCAL search_path TO ${client.escapeIdentifier(home.schema)}`);
    await ensureTable(client, home);
    const ran = await run(client, home, files, direction, (name) => {
      running = name;
    });
    // The runner ends the transaction if it has run something. Then this COMMIT does nothing.
    await client.query('COMMIT');
    return ran;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw explained(error, home, running);
  }
}

/** Makes the table of the migrations as the runner would, but in the schema of our tables. */
async function ensureTable(client: pg.Client, { schema, user }: Home): Promise<void> {
  const { rows } = await client.query<{ schema: string; name: string; writable: boolean }>(
    `SELECT n.nspname AS schema, c.relname AS name, has_table_privilege(c.oid, 'INSERT') AS writable
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname IN ($1, 'public') AND c.relname IN ($2, 'campaign_chunks')`,
    [schema, TABLE],
  );
  const find = (where: string, name: string) => rows.find((row) => row.schema === where && row.name === name);
  const table = find(schema, TABLE);
  if (table?.writable) return;
  if (table) throw lacking(`user "${user}" may not write to the table "${TABLE}" in schema "${schema}"`);
  await client.query(
    `CREATE TABLE ${TABLE} (id serial PRIMARY KEY, name varchar(255) NOT NULL, run_on timestamp NOT NULL)`,
  );
  // Older versions kept it in public, wherever the other tables were.
  const keptInPublic = find(schema, 'campaign_chunks') && find('public', TABLE) && !find('public', 'campaign_chunks');
  if (keptInPublic)
    await client.query(
      `INSERT INTO ${TABLE} (name, run_on) SELECT name, run_on FROM public.${TABLE} ORDER BY run_on, id`,
    );
}

async function run(
  dbClient: pg.Client,
  { schema }: Home,
  { folder }: MigrationFiles,
  direction: Direction,
  begins: (name: string) => void,
): Promise<string[]> {
  const ran = await runner({
    dbClient,
    dir: folder,
    direction,
    ...(direction === 'up' ? { count: Number.POSITIVE_INFINITY } : {}),
    migrationsTable: TABLE,
    migrationsSchema: schema,
    noLock: true,
    singleTransaction: true,
    checkOrder: true,
    logger: {
      debug: silent,
      // The runner names the current migration nowhere else.
      info: (line: string) => begins(/^### MIGRATION (\S+)/.exec(line)?.[1] ?? ''),
      warn: silent,
      error: silent,
    },
  });
  return ran.map(({ name }) => name);
}

function silent(): void {}

/** Another user may have migrated and own the tables: this user must have the rights to work with them. */
async function checkRights(client: pg.Client, { schema, user }: Home, { relations }: MigrationFiles): Promise<void> {
  const { rows } = await client.query<{ name: string; missing: boolean }>(
    `SELECT r.name, c.oid IS NULL AS missing
       FROM unnest($2::text[]) AS r(name)
       LEFT JOIN (pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1)
              ON c.relname = r.name
      WHERE c.oid IS NULL OR NOT has_table_privilege(c.oid, 'SELECT')
         OR c.relkind = 'r' AND NOT (has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')
                                     AND has_table_privilege(c.oid, 'DELETE'))
      ORDER BY r.name`,
    [schema, relations],
  );
  const [bad] = rows;
  if (bad?.missing)
    throw lacking(`the table "${TABLE}" in schema "${schema}" says that "${bad.name}" is there, and it is not`);
  if (bad) throw lacking(`user "${user}" may not read and write the table "${bad.name}" in schema "${schema}"`);
}

/** What an error between BEGIN and COMMIT means. */
function explained(error: unknown, { schema, user, mayCreate }: Home, running: string): unknown {
  if (error instanceof ConfigurationError || isAway(error)) return error;
  if ((error as { code?: unknown }).code === READ_ONLY)
    return lacking('the server takes no changes now: it is a standby, or read-only');
  if (isRefusal(error) && !mayCreate)
    return lacking(
      `user "${user}" may not create tables in schema "${schema}"; GRANT CREATE ON SCHEMA, or CREATE SCHEMA AUTHORIZATION for one of its own`,
    );
  if (isRefusal(error))
    return lacking(`user "${user}" may not change schema "${schema}" (${(error as Error).message})`);
  return new MigrationFailed(running, error);
}

function isRefusal(error: unknown): boolean {
  return (error as { code?: unknown }).code === INSUFFICIENT_PRIVILEGE;
}

function lacking(problem: string): ConfigurationError {
  return new ConfigurationError('DATABASE_URL', problem);
}
