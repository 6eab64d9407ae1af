import type { Stage } from '../../testing/stage.js';

/** One way of doing a thing. */
export interface Way {
  name: string;
  /** `cpu`: seconds of this process, which what else runs hardly changes. `wall`: of waiting there is nothing else. */
  clock: 'wall' | 'cpu';
  /** Items it is measured with, unless fewer are asked for. */
  usual: number;
  /** Does it on so many items and returns the seconds. Throws unless it is done wholly. */
  run(stage: Stage, items: number): Promise<number>;
}

/** A thing to be done, and the ways of doing it, the fast one first: the others are told as so many times that one. */
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

/** A way that is wrong is not measured. */
export function requireAll(found: number, items: number): void {
  if (found !== items) throw new Error(`a routine did ${found} of ${items}`);
}
