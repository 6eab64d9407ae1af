import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clone } from './clone.js';
import { CommandError } from './command-error.js';
import type { Say } from './names.js';
import { isAlive, isCommand } from './process.js';

const POLL_MS = 100;
/** Longer than the slowest start (apt-get, a pull) may take. */
const PATIENCE_MS = 900_000;
/** When two take over from the same dead holder, both have renamed by then. The later one is the holder. */
const SETTLE_MS = 200;

/** Runs `work` while no other command of this clone starts or stops services. Takes the lock over from a dead holder. */
export async function withLock<T>(clone: Clone, say: Say, work: () => Promise<T>): Promise<T> {
  const lock = join(clone.local, 'services.lock');
  const own = `${lock}.${process.pid}`;
  let said = false;
  for (const deadline = Date.now() + PATIENCE_MS; !(await take(lock, own)); await delay(POLL_MS)) {
    if (!said) say('Waiting for another command of this clone that starts or stops the services');
    said = true;
    if (Date.now() > deadline) throw new CommandError(`${lock} has been held by process ${holder(lock)} for too long`);
  }
  try {
    return await work();
  } finally {
    if (holder(lock) === process.pid) rmSync(lock, { force: true });
  }
}

/** Takes the lock by a hard link to a file that already holds our process id: no lock is ever seen half written. */
async function take(lock: string, own: string): Promise<boolean> {
  writeFileSync(own, String(process.pid));
  try {
    linkSync(own, lock);
    return true;
  } catch {
    const pid = holder(lock);
    // Any living process counts: a lock taken from its holder is worse than a wait for another program of that number.
    if (pid === undefined || isAlive(pid)) return false;
    renameSync(own, lock);
    await delay(SETTLE_MS);
    return holder(lock) === process.pid;
  } finally {
    rmSync(own, { force: true });
  }
}

function holder(lock: string): number | undefined {
  try {
    return Number(readFileSync(lock, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Notes that this process uses the clone's services, so that no other command stops them at its end. */
export function enterUser(clone: Clone): void {
  mkdirSync(join(clone.local, 'users'), { recursive: true });
  writeFileSync(join(clone.local, 'users', String(process.pid)), '');
}

/** The living commands of this clone that use its services. A note whose number another program has now does not count. */
export function usersOf(clone: Clone): number[] {
  return notesOf(clone).filter((pid) => isCommand(pid));
}

/** Removes the note of this process and of every dead one. Returns whether another command still uses the services. */
export function leaveUser(clone: Clone): boolean {
  const others = usersOf(clone).filter((pid) => pid !== process.pid);
  for (const pid of notesOf(clone))
    if (!others.includes(pid)) rmSync(join(clone.local, 'users', String(pid)), { force: true });
  return others.length > 0;
}

function notesOf(clone: Clone): number[] {
  const folder = join(clone.local, 'users');
  return existsSync(folder) ? readdirSync(folder).map(Number) : [];
}
