import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** The user that a process runs as. Undefined: our own. */
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

/** Runs a command to its end and returns all its output. Code 127: the command was not found; 124: it took too long. */
export async function run(
  command: string,
  args: string[],
  options: Options & { timeoutMs: number },
): Promise<{ code: number; output: string }> {
  const output = openNameless();
  try {
    const child = spawn(command, args, { ...common(options), stdio: ['ignore', output, output] });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, options.timeoutMs);
    const ended = await new Promise<{ code: number; failure?: string }>((resolve) => {
      child.on('error', (error) => resolve({ code: 127, failure: error.message }));
      child.on('exit', (code) => resolve({ code: late ? 124 : (code ?? 1) }));
    });
    clearTimeout(timer);
    return { code: ended.code, output: ended.failure ?? readWhole(output) };
  } finally {
    closeSync(output);
  }
}

/**
 * A file without a name for the output. When a command has ended, all its output can be read from a file. A pipe may still
 * hold some, and ends only with the last daemon that the command has left behind.
 */
function openNameless(): number {
  const folder = mkdtempSync(join(tmpdir(), 'disparo-'));
  try {
    return openSync(join(folder, 'output'), 'wx+');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function readWhole(file: number): string {
  const bytes = Buffer.alloc(fstatSync(file).size);
  readSync(file, bytes, 0, bytes.length, 0);
  return bytes.toString('utf8');
}

/** Starts a service that outlives this command: in its own session, with none of our streams. `exited` is its exit code. */
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

/** Waits until `ready` returns true. Throws with `why` when the process ends first, or after `timeoutMs`. */
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

/**
 * Stops the process that a pid file names: SIGTERM, and SIGKILL after a grace time. Another program that has the number now
 * is left alone: its command line does not hold `marker`.
 */
export async function stopByPidFile(file: string, marker: string): Promise<void> {
  const pid = runningPid(file, marker);
  if (pid === undefined) return;
  process.kill(pid, 'SIGTERM');
  if (await gone(pid, STOP_GRACE_MS)) return;
  process.kill(pid, 'SIGKILL');
  await gone(pid, KILL_GRACE_MS);
}

/**
 * Waits until no process of that number lives; false when one still does after `withinMs`. It looks at the process and not
 * at the pid file, which a service may remove long before it ends.
 */
export async function gone(pid: number, withinMs: number): Promise<boolean> {
  for (const deadline = Date.now() + withinMs; Date.now() < deadline; await delay(POLL_MS))
    if (!isAlive(pid)) return true;
  return false;
}

/** The running process that a pid file names, if its command line holds `marker`. */
export function runningPid(file: string, marker: string): number | undefined {
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : 0;
  return Number.isInteger(pid) && pid > 1 && commandLine(pid).includes(marker) ? pid : undefined;
}

/** A process's arguments in one string; empty when there is no such process, or it is dead and not yet reaped. */
export function commandLine(pid: number): string {
  // It may end between a look and the reading of its file.
  if (existsSync('/proc/self')) return readIfThere(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
  return spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout ?? '';
}

/** Sends a signal to a process and to those that it has started, where they still exist. Returns all their ids. */
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

/** The ids of the processes that a process has started and that have not ended. */
export function childrenOf(pid: number): number[] {
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

/** Whether a process of that number lives; a dead one that nobody has reaped yet does not. */
export function isAlive(pid: number): boolean {
  return commandLine(pid) !== '';
}

/** Whether a process of that number is a command of ours, and not another program that has the number now. */
export function isCommand(pid: number): boolean {
  return commandLine(pid).includes('run.mjs');
}

/** The last lines of a service's log, on one line, for a message. */
export function lastLogLines(file: string, lines = 3): string {
  if (!existsSync(file)) return '';
  return readFileSync(file, 'utf8').trim().split('\n').slice(-lines).join(' | ').slice(-500);
}
