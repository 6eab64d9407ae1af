import { randomInt } from 'node:crypto';
import { accessSync, constants, existsSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT } from '@disparo/contract';
import { Progress } from '../infra/local/demo/progress.js';
import { healthyApi } from '../infra/local/postman/address.js';
import { withServices } from '../infra/local/supervise/session.js';
import { Interrupted } from '../infra/local/supervise/supervisor.js';
import { colour, say } from '../infra/local/supervise/terminal.js';
import { CommandError } from '../services/command-error.js';
import { checkServer, probe, refusal, type Spread, spread, thisMachine } from './load/limits.js';
import { type LoadFigures, loadUsers } from './load/load-users.js';
import { drawing, momentsOf } from './load/picture.js';
import type { Standing } from './load/process/share.js';
import { differencesOf, type LoadReport, reportOf } from './load/report.js';
import { serverMetrics } from './load/server-metrics.js';
import { compareRows, type TableRows } from './load/stored-rows.js';
import { thousands } from './report/table.js';

const USAGE =
  'usage: npm run load -- users n [--connections n | --concurrent n] [--url http://host:port] [--seed n] [--svg file]';
const ADVICE = { start: 'npm run server in another terminal', command: 'npm run load -- users 1000 --url' };
const MOST_USERS = 10_000_000;
const MOST_SOCKETS = 1_000_000;
const MOST_SEED = 2 ** 31 - 1;
const CONNECTIONS = 200;
const WIDTH = 100;

/** What is asked for. */
interface Plan {
  users: number;
  sockets: number;
  /** As many sockets as users, all open before the first request. */
  oneEach: boolean;
  url: string | undefined;
  seed: number;
  svg: string | undefined;
}

/**
 * `npm run load -- users n`: sends made-up users to a running API, follows each job to its end and compares four tables with
 * what was sent. Starts nothing. Returns 0 when every user was accepted, every job completed and every row is equal, else 1.
 */
export default async function load(args: string[]): Promise<number> {
  const plan = planOf(args);
  const { users, sockets, oneEach, seed } = plan;
  return withServices(say, { wait: false, reads: ['DATABASE_URL'] }, async ({ supervisor, services }) => {
    const base = await healthyApi(plan.url, undefined, ADVICE);
    await requireOpen(base);
    await requireTables(services.urls.DATABASE_URL, base);
    const how = await spread(base, sockets, thisMachine());
    if (oneEach) await probe(how.targets, sockets);
    const each = oneEach ? 'one on each' : 'one after another on each';
    say(
      `Sending ${thousands(users)} made-up users to ${base}, over ${thousands(sockets)} sockets, ${each} (seed ${seed})`,
    );
    const stop = new AbortController();
    try {
      const { figures, memory } = await supervisor.during(sent(plan, base, how, stop.signal));
      say('Comparing the four tables with what was sent ...');
      const rows = await supervisor.during(compared(services.urls.DATABASE_URL, seed, users));
      return told(plan, { seed, processes: how.processes, figures, memory, rows });
    } catch (error) {
      // As every command that does its work to an end: it was not done.
      if (!(error instanceof Interrupted)) throw error;
      say(`Stopped before its end, and nothing was compared. The same users again: --seed ${seed}`);
      throw new Interrupted(error.message, EXIT.forced);
    } finally {
      stop.abort();
    }
  });
}

function planOf(args: string[]): Plan {
  const { values, positionals } = parsed(args);
  const [what, users, ...rest] = positionals;
  const { connections, concurrent, seed, url, svg } = values;
  if (
    what !== 'users' ||
    users === undefined ||
    rest.length > 0 ||
    (connections !== undefined && concurrent !== undefined)
  )
    throw new CommandError(USAGE);
  const plan = {
    users: whole('users', users, MOST_USERS),
    sockets:
      concurrent === undefined
        ? whole('--connections', connections ?? String(CONNECTIONS), MOST_SOCKETS)
        : whole('--concurrent', concurrent, MOST_SOCKETS),
    oneEach: concurrent !== undefined,
    url,
    seed: seed === undefined ? randomInt(MOST_SEED) : whole('--seed', seed, MOST_SEED),
    svg,
  };
  // Before a load of minutes, not after it.
  if (svg !== undefined) requireWritable(svg);
  if (plan.oneEach && plan.sockets !== plan.users)
    throw new CommandError(`--concurrent sends one user on each socket: as many as users, ${plan.users}`);
  return plan;
}

function requireWritable(file: string): void {
  try {
    accessSync(existsSync(file) ? file : dirname(file), constants.W_OK);
  } catch (error) {
    throw new CommandError(`--svg: ${file} cannot be written (${(error as NodeJS.ErrnoException).code})`);
  }
}

function parsed(args: string[]) {
  const text = { type: 'string' } as const;
  const options = { connections: text, concurrent: text, url: text, seed: text, svg: text };
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch {
    throw new CommandError(USAGE);
  }
}

function whole(name: string, text: string, most: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > most)
    throw new CommandError(`${name} must be a whole number from 1 to ${thousands(most)}, and not "${text}"`);
  return value;
}

/** The users of a load have no login. */
async function requireOpen(base: string): Promise<void> {
  const { status } = await fetch(`${base}/api/user/jobs/stats`);
  if (status === 401)
    throw new CommandError(
      `the contacts of ${base} ask for a login, and a load has none: start the API without CONTACTS_PUBLIC=false`,
    );
}

/** Before a load of minutes, not after it. */
async function requireTables(databaseUrl: string, base: string): Promise<void> {
  const answer = await compared(databaseUrl, 1, 1);
  if (typeof answer === 'string')
    throw new CommandError(`DATABASE_URL must be the database of ${base}, and its tables cannot be read: ${answer}`);
}

async function sent(
  { users, sockets, oneEach, seed }: Plan,
  base: string,
  { processes, targets }: Spread,
  signal: AbortSignal,
): Promise<Pick<LoadReport, 'figures' | 'memory'>> {
  const before = await serverMetrics(base);
  if (oneEach) checkServer(before, sockets, targets.length);
  let memory: LoadReport['memory'];
  const progress = new Progress('Users');
  const opened: Parameters<typeof loadUsers>[0]['opened'] = async (look) => {
    if (oneEach ? look.open < sockets : look.open === 0) throw new CommandError(refusal(look, sockets), EXIT.bug);
    if (!oneEach) return;
    say(`${thousands(look.open)} sockets are open`);
    const open = await serverMetrics(base);
    if (before.residentBytes && open.residentBytes) memory = { before: before.residentBytes, open: open.residentBytes };
  };
  const rate = new Rate();
  const standing = (now: Standing) => progress.update(...lineOf(now, users, rate));
  let figures: LoadFigures;
  try {
    figures = await loadUsers({ users, seed, sockets, processes, targets, oneEach, standing, opened, signal });
  } finally {
    progress.end();
  }
  return { figures, memory };
}

/** Accepting and ending are half of the bar each. */
function lineOf({ accepted, completed, failed }: Standing, users: number, rate: Rate): [number, string] {
  const steps = accepted + completed + failed;
  const words = `accepted ${thousands(accepted)}, done ${thousands(completed)}, failed ${thousands(failed)}`;
  return [steps / (2 * users), `${words}, ${thousands(rate.of(steps))} a second`];
}

/** How fast a number grows: over the second or so before. */
class Rate {
  #before: { at: number; value: number } | undefined;
  #rate = 0;

  /** The rate a second, after a new look at the number. */
  of(value: number): number {
    const at = performance.now();
    this.#before ??= { at, value };
    const seconds = (at - this.#before.at) / 1_000;
    if (seconds < 1) return this.#rate;
    this.#rate = (value - this.#before.value) / seconds;
    this.#before = { at, value };
    return this.#rate;
  }
}

async function compared(databaseUrl: string, seed: number, users: number): Promise<TableRows[] | string> {
  return compareRows(databaseUrl, seed, users).catch((error: Error) => error.message || String(error));
}

function told({ users, svg }: Plan, report: LoadReport): number {
  say(reportOf(report, process.stdout.columns ?? WIDTH));
  if (svg !== undefined) {
    writeFileSync(svg, drawing(`Latency of ${thousands(users)} requests over time`, momentsOf(report.figures)));
    say(`Written: ${svg}`);
  }
  const differences = differencesOf(report);
  for (const difference of differences) say(colour('red', difference));
  if (differences.length > 0) return EXIT.bug;
  say(colour('green', `${thousands(users)} users: all accepted, all jobs completed, every row as it was sent`));
  return 0;
}
