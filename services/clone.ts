import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parseEnv } from 'node:util';
import { CommandError } from './command-error.js';
import type { ServiceName, Variable } from './names.js';
import { choosePorts, type Ports } from './ports.js';
import { POSTGRES_COPY, postgresBinaries, reachableBinaries } from './postgres-binaries.js';

/** The folders of one clone. Two clones on one machine share no folder. */
export interface Clone {
  root: string;
  /** `.local/` of the clone: services.env, locks, secrets. */
  local: string;
  /** Where the services keep their data: `local`, or a folder under /var/tmp when their users cannot enter the clone. */
  data: string;
  /** Short hash of the clone's path: names its compose project, its RabbitMQ node, its folder under /var/tmp. */
  id: string;
}

/** What was once decided for this clone, kept next to the services' data. */
export interface State {
  password: string;
  ports: Ports;
  /** How a service was brought up, so that it finds its data again. */
  ways: Partial<Record<ServiceName, 'compose' | 'binary'>>;
  /** Set by `npm run services`: the services stay up when the commands that use them end. */
  kept: boolean;
  /** For a member of a cluster: the configuration that a single service does not have. */
  member?: { rabbitmq?: string[]; replicaSet?: string };
}

const STATE_FILE = 'services.json';
const NOBODY = 65534;

/** The folders of the clone at `root`. Makes those that are missing. Throws CommandError. */
export function openClone(root: string): Clone {
  const id = createHash('sha256').update(root).digest('hex').slice(0, 10);
  const local = join(root, '.local');
  const outside = join('/var/tmp', `disparo-${id}`);
  mkdirSync(local, { recursive: true });
  const known = [local, outside].find((folder) => existsSync(join(folder, STATE_FILE)));
  const data = known ?? (servicesReach(local) ? local : outside);
  if (data === outside) openOutside(outside);
  return { root, local, data, id };
}

/** Folders inside the data of the clone at `root`, for a further service. The caller removes `data`. */
export function openSeparate(root: string): Clone {
  const clone = openClone(root);
  const data = mkdtempSync(join(clone.data, 'own-'));
  chmodSync(data, 0o755);
  if (clone.data === clone.local) return { root, local: data, data, id: basename(data) };
  symlinkSync(join(dirname(reachableBinaries(clone)), POSTGRES_COPY), join(data, POSTGRES_COPY));
  return { ...clone, data, id: basename(data) };
}

/** Under root, PostgreSQL and RabbitMQ run as other users. Whether such a user may enter `.local/` and run the binaries. */
function servicesReach(local: string): boolean {
  if (process.getuid?.() !== 0) return true;
  const postgres = join(postgresBinaries() ?? local, 'bin', 'postgres');
  const tests = ['-x', local, '-a', '-r', postgres, '-a', '-x', postgres];
  return spawnSync('test', tests, { uid: NOBODY, gid: NOBODY }).status === 0;
}

/** Makes the folder under /var/tmp, which is open to all: throws when another user has made it. */
function openOutside(folder: string): void {
  mkdirSync(folder, { recursive: true });
  if (statSync(folder).uid !== process.getuid?.())
    throw new CommandError(`${folder} belongs to another user; remove it`);
  chmodSync(folder, 0o755);
}

/** The state that was decided earlier; undefined where there is none. */
export function readState(clone: Clone): State | undefined {
  const file = join(clone.data, STATE_FILE);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as State) : undefined;
}

/** A first state: free ports and a password that no other clone has. */
export async function newState(): Promise<State> {
  return { password: randomBytes(12).toString('hex'), ports: await choosePorts(), ways: {}, kept: false };
}

/** Keeps the state for the next command. */
export function writeState(clone: Clone, state: State): void {
  writePrivate(join(clone.data, STATE_FILE), `${JSON.stringify(state, null, 2)}\n`);
}

/** Writes the URLs where every app of the clone reads them. */
export function writeUrls(clone: Clone, urls: Partial<Record<Variable, string>>): void {
  const lines = Object.entries(urls).map(([variable, url]) => `${variable}=${url}`);
  const note = '# Written by `npm run services`; the environment and .env win over it.';
  writePrivate(urlsFile(clone), `${[note, ...lines].join('\n')}\n`);
}

/** The URLs of this clone's own services, as last written. */
export function readUrls(clone: Clone): Partial<Record<Variable, string>> {
  return existsSync(urlsFile(clone)) ? parseEnv(readFileSync(urlsFile(clone), 'utf8')) : {};
}

/** The files that `services:reset` removes in addition to the data. */
export function stateFiles(clone: Clone): string[] {
  return [join(clone.data, STATE_FILE), urlsFile(clone)];
}

function urlsFile(clone: Clone): string {
  return join(clone.local, 'services.env');
}

/** Writes a file whole or not at all, readable by its owner alone: it holds passwords. */
function writePrivate(file: string, text: string): void {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, file);
}
