import { randomBytes } from 'node:crypto';
import { freePort } from '../../services/ports.js';
import { Process } from '../../testing/process.js';
import type { Stage } from '../../testing/stage.js';
import { untilTrue } from '../../testing/until.js';
import type { Mode } from '../contacts/server.js';
import { type LoadFigures, loadUsers } from '../load/load-users.js';
import { sumOf } from '../load/server-metrics.js';
import { compareRows } from '../load/stored-rows.js';
import { userAt } from '../load/users.js';
import { percentile } from '../report/statistics.js';

/** How users are loaded. The first is what the two after it are compared with, the fourth what the fifth is. */
export const CONTACT_WAYS = [
  'accepted, no database',
  'accepted',
  'accepted, an INSERT each',
  'to the last end, no database',
  'to the last end',
  'to the last end, 2 processes',
] as const;

/** The name of a way. */
export type ContactWay = (typeof CONTACT_WAYS)[number];

/** `server`: a script of the bench, or so many processes of the plain server. `follow`: each job to its end. */
const HOW: Record<ContactWay, { server: Mode | number; follow: boolean; check: Check }> = {
  'accepted, no database': { server: 'without-database', follow: false, check: async () => {} },
  accepted: { server: 'accept', follow: false, check: requireLines },
  'accepted, an INSERT each': { server: 'insert-each', follow: false, check: requireLines },
  'to the last end, no database': { server: 'without-database', follow: true, check: async () => {} },
  'to the last end': { server: 1, follow: true, check: requireRows },
  'to the last end, 2 processes': { server: 2, follow: true, check: requireRows },
};

/** Users sent to one server over 200 connections. */
export interface ContactsLoad {
  way: ContactWay;
  users: number;
  /** From the first request to the last answer of a POST. */
  acceptedS: number;
  /** From the first answer of a POST to the last end of a job that was seen; absent where jobs are not followed. */
  endedS?: number;
  /** Of a POST. */
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  /** CPU time of the server's processes. */
  cpuS: number;
}

/** Throws unless what is stored is what was sent. */
type Check = (stage: Stage, users: number) => Promise<void>;

const HOST = '127.0.0.1';
const CONNECTIONS = 200;
/** Each measurement has a database of its own, so all may have the same users. */
export const SEED = 1;
const WARM_UP_SEED = 2;
const WARM_UP_USERS = 2_000;
const STARTED_MS = 120_000;

/** Loads a new server in one way. Throws unless all are accepted, all that are followed completed, and all is stored. */
export async function measureLoad(stage: Stage, way: ContactWay, users: number): Promise<ContactsLoad> {
  const { server, follow, check } = HOW[way];
  const { process, base, port } = await startedServer(stage, server);
  const load = { sockets: CONNECTIONS, targets: [{ host: HOST, port, path: '' }], follow };
  requireAccepted(await loadUsers({ ...load, users: warmUp(users), seed: WARM_UP_SEED }));
  const before = await cpuOf(base);
  const figures = await loadUsers({ ...load, users, seed: SEED });
  const cpuS = (await cpuOf(base)) - before;
  requireAccepted(figures);
  await process.stop();
  await check(stage, users);
  const { latencyMs, acceptedMs, endedMs } = figures;
  const latencies = [...latencyMs];
  const lastMs = acceptedMs.reduce((last, at) => Math.max(last, at));
  const firstMs = acceptedMs.reduce((first, at) => Math.min(first, at));
  return {
    way,
    users,
    acceptedS: lastMs / 1_000,
    ...(follow && { endedS: (endedMs.reduce((last, at) => Math.max(last, at)) - firstMs) / 1_000 }),
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    maxMs: percentile(latencies, 1),
    cpuS,
  };
}

/** How many users are sent before: a new process compiles its code during the first thousands of requests. */
function warmUp(users: number): number {
  return Math.min(users, WARM_UP_USERS);
}

/** Starts a server on a stage and waits until it has all its stores. `server`: as in `HOW`. */
export async function startedServer(stage: Stage, server: Mode | number) {
  const port = await freePort();
  const own = { API_HOST: HOST, API_PORT: String(port), JWT_SECRET: randomBytes(32).toString('hex') };
  const env = { ...stage.env, ...own, ...(typeof server === 'number' && { API_PROCESSES: String(server) }) };
  const process = stage.with(
    typeof server === 'number'
      ? Process.script('bundle/server.js', { env })
      : Process.script('bench/contacts/server.js', { env }, [server]),
  );
  const ready = () => {
    process.throwIfEnded();
    // Of several processes the first one says it for all.
    return process.said('ready').some((line) => line.process === undefined);
  };
  await untilTrue(ready, () => `the server is ready: ${process.everything}`, { withinMs: STARTED_MS });
  return { process, port, base: `http://${HOST}:${port}` };
}

/** CPU seconds of all processes of a server since their start. */
async function cpuOf(base: string): Promise<number> {
  const seconds = sumOf(await (await fetch(`${base}/metrics`)).text(), 'process_cpu_seconds_total');
  if (seconds === undefined) throw new Error(`${base}/metrics has no CPU time`);
  return seconds;
}

/** Each user was answered by one 202, and no job has failed. */
export function requireAccepted({
  users,
  answers,
  problems,
}: Pick<LoadFigures, 'users' | 'answers' | 'problems'>): void {
  if (Object.keys(problems).length > 0 || answers['202'] !== users || Object.keys(answers).length > 1)
    throw new Error(`not each of ${users} users was accepted and done: ${JSON.stringify({ answers, problems })}`);
}

/** The lines of the batches against what was sent, which the loader writes as a canonical line is. */
export async function requireLines(stage: Stage, users: number): Promise<void> {
  const missing = new Set(Array.from({ length: users }, (_, index) => JSON.stringify(userAt(SEED, index))));
  const batches = await stage.sql<{ payload: string }>('SELECT payload FROM contact_batches');
  const lines = batches.flatMap(({ payload }) => payload.split('\n'));
  for (const line of lines) missing.delete(line);
  if (missing.size > 0 || lines.length !== users + warmUp(users))
    throw new Error(`${lines.length} lines are stored, and those of ${missing.size} of ${users} users are missing`);
}

/** The rows of four tables against what was sent. */
export async function requireRows(stage: Stage, users: number): Promise<void> {
  const tables = await compareRows(stage.env.DATABASE_URL, SEED, users);
  const wrong = tables.filter(({ missing, other }) => missing > 0 || other > 0);
  if (wrong.length > 0) throw new Error(`stored rows differ from those sent: ${JSON.stringify(wrong)}`);
}
