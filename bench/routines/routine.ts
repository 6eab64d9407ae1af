import type { Stage } from '../../testing/stage.js';

/** One way of doing a thing. */
interface Way {
  name: string;
  /** `cpu`: CPU seconds of this process, which a busy machine hardly changes. `wall`: elapsed time, for ways that wait. */
  clock: 'wall' | 'cpu';
  /** Items that it is measured with, unless fewer are asked for. */
  usual: number;
  /** Does it with `items` items and returns the seconds. Throws unless all are done. */
  run(stage: Stage, items: number): Promise<number>;
}

/** A task and the ways of doing it, the fast one first. The others are reported as multiples of it. */
export interface Routine {
  name: string;
  ways: readonly Way[];
}

/** One way, measured once. */
export interface RoutineMeasure {
  routine: string;
  way: string;
  clock: Way['clock'];
  items: number;
  seconds: number;
}

const US = 1_000_000;

/** CPU seconds of this process, all its threads, while `work` is done. */
export async function cpuSeconds(work: () => unknown): Promise<number> {
  const begun = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / US;
}

/** Throws unless all items were done: a way with a wrong result does not count. */
export function requireAll(found: number, items: number): void {
  if (found !== items) throw new Error(`a routine did ${found} of ${items}`);
}
