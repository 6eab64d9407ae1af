import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Process } from '../testing/process.js';

const IDLE_FOR_MS = 300;
/** The TypeScript consumer makes 250,000 identifiers before it rests. That takes seconds, or minutes on a busy machine. */
const IDLE_WITHIN_MS = 300_000;
/** Linux counts a process's CPU time in hundredths of a second (USER_HZ), whatever the frequency of its own timer. */
const TICKS_PER_S = 100;

/** What a process has cost since its start; undefined where the system does not say (macOS). */
export interface Cost {
  cpuS: number;
  rssMb: number;
  /** The most memory since its start, or since `resetPeak`. */
  peakMb: number;
}

/** What a process and the children that it has reaped have cost. */
export function costOf({ pid }: Process): Cost | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    // The name, in parentheses, may hold blanks. utime, stime and those of reaped children are fields 14 to 17.
    const times = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 15);
    const megabytes = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1_000;
    return {
      cpuS: times.reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_S,
      rssMb: megabytes('VmRSS'),
      peakMb: megabytes('VmHWM'),
    };
  } catch {
    return undefined;
  }
}

/** The CPU time of a process since `before`, an earlier cost; its memory as `costOf` has it. */
export function costSince(process: Process, before: Cost | undefined): Cost | undefined {
  const now = costOf(process);
  return now && { ...now, cpuS: now.cpuS - (before?.cpuS ?? 0) };
}

/** Waits until a process uses no CPU time for a while. False where the system does not say what it uses. */
export async function untilIdle(process: Process): Promise<boolean> {
  const deadline = performance.now() + IDLE_WITHIN_MS;
  for (let used = costOf(process)?.cpuS; used !== undefined; ) {
    await delay(IDLE_FOR_MS);
    process.throwIfEnded();
    const now = costOf(process)?.cpuS;
    if (now === used) return true;
    if (performance.now() > deadline) throw new Error(`${process.name} does not become idle`);
    used = now;
  }
  return false;
}

/** Stops a process (SIGSTOP) during `work`, then lets it go on. Returns when it went on, by `performance.now()`. */
export async function whileStopped(process: Process, work: () => Promise<unknown>): Promise<number> {
  process.signal('SIGSTOP');
  try {
    await work();
  } finally {
    process.signal('SIGCONT');
  }
  return performance.now();
}

/** From now on `peakMb` is the most since this call. Linux allows it to a process's owner: proc(5), clear_refs. */
export function resetPeak({ pid }: Process): void {
  const file = `/proc/${pid}/clear_refs`;
  if (existsSync(file)) writeFileSync(file, '5');
}
