import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Whom a process runs as; undefined is whoever we are. */
export interface User {
  uid: number;
  gid: number;
}

interface Options {
  user?: User | undefined;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
}

const STOP_GRACE_MS = 30_000;
const KILL_GRACE_MS = 5_000;
const POLL_MS = 50;

/** Runs a command to its end. Its output comes back whole; a command not found or out of time has code 127 or 124. */
export async function run(
  command: string,
  args: string[],
  options: Options & { timeoutMs: number },
): Promise<{ code: number; output: string }> {
  const child = spawn(command, args, { ...common(options), stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (output += data));
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, options.timeoutMs);
  try {
    return await new Promise((resolve) => {
      child.on('error', (error) => resolve({ code: 127, output: error.message }));
      // `exit`, not `close`: a daemon that the command leaves behind may hold the pipes open.
      child.on('exit', (code) => setImmediate(() => resolve({ code: late ? 124 : (code ?? 1), output })));
    });
  } finally {
    clearTimeout(timer);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

/** Starts a service that outlives this command: a session of its own, none of our streams. `exited` settles with its code. */
export function launch(command: string, args: string[], options: Options): { exited: Promise<number> } {
  const child = spawn(command, args, { ...common(options), stdio: 'ignore', detached: true });
  child.unref();
  const exited = new Promise<number>((resolve) => {
    child.on('error', () => resolve(127));
    child.on('exit', (code) => resolve(code ?? 1));
  });
  return { exited };
}

function common({ user, env, cwd }: Options) {
  return { ...(user ?? {}), ...(env ? { env } : {}), ...(cwd ? { cwd } : {}) };
}

/** Waits until `ready` answers true; throws with `why` when the process ends before, or after `timeoutMs`. */
export async function untilReady(
  ready: () => Promise<boolean>,
  exited: Promise<number>,
  timeoutMs: number,
  why: () => string,
): Promise<void> {
  let code: number | undefined;
  exited.then((value) => {
    code = value;
  });
  for (const deadline = Date.now() + timeoutMs; ; ) {
    if (await ready()) return;
    if (code !== undefined) throw new Error(`it ended with code ${code}. ${why()}`);
    if (Date.now() > deadline) throw new Error(`it does not answer after ${timeoutMs / 1000} s. ${why()}`);
    await delay(POLL_MS);
  }
}

/** SIGTERM to the process that a pid file names, then SIGKILL after a grace time. A number that now belongs to another program is left alone. */
export async function stopByPidFile(file: string, marker: string): Promise<void> {
  const pid = livingPid(file, marker);
  if (pid === undefined) return;
  process.kill(pid, 'SIGTERM');
  if (await gone(pid, STOP_GRACE_MS)) return;
  process.kill(pid, 'SIGKILL');
  await gone(pid, KILL_GRACE_MS);
}

/** Waits until no process of that number lives. By the process and not by its pid file, which a service may remove long before it ends. */
export async function gone(pid: number, withinMs: number): Promise<boolean> {
  for (const deadline = Date.now() + withinMs; Date.now() < deadline; await delay(POLL_MS))
    if (!isAlive(pid)) return true;
  return false;
}

/** The living process that a pid file names, if its command line holds `marker`. */
export function livingPid(file: string, marker: string): number | undefined {
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : 0;
  return Number.isInteger(pid) && pid > 1 && commandLine(pid).includes(marker) ? pid : undefined;
}

/** A process's arguments in one string; empty when there is no such process, or only what is left of one. */
export function commandLine(pid: number): string {
  const file = `/proc/${pid}/cmdline`;
  if (existsSync(file)) return readFileSync(file, 'utf8').replaceAll('\0', ' ');
  if (existsSync('/proc/self')) return '';
  return spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout ?? '';
}

/** Sends a signal to a process and to those that it has started; nothing to those that are gone. Answers who was there. */
export function signalFamily(pid: number, name: NodeJS.Signals): number[] {
  const family = [pid, ...childrenOf(pid)];
  for (const member of family) {
    try {
      process.kill(member, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  return family;
}

function childrenOf(pid: number): number[] {
  const pairs = existsSync('/proc/self') ? parentsInProc() : parentsByPs();
  return pairs.flatMap(([child = 0, parent]) => (parent === pid ? [child] : []));
}

function parentsInProc(): number[][] {
  const ids = readdirSync('/proc').map(Number).filter(Boolean);
  return ids.map((id) => {
    // A process may end meanwhile.
    const status = readIfThere(`/proc/${id}/status`);
    return [id, Number(/^PPid:\s+(\d+)/m.exec(status)?.[1])];
  });
}

function parentsByPs(): number[][] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Whether a process of that number lives; a dead one that nobody has buried yet does not. */
export function isAlive(pid: number): boolean {
  return commandLine(pid) !== '';
}

/** The last lines of a service's log, on one line, for a message. */
export function lastWords(file: string, lines = 3): string {
  if (!existsSync(file)) return '';
  return readFileSync(file, 'utf8').trim().split('\n').slice(-lines).join(' | ').slice(-500);
}
