import { readEnvironment } from '@disparo/contract';

/** A run on idle cores takes a tenth of that, or less. */
const RUN_MS = 1_500;

/**
 * The seeds of a simulation's runs, and the time for all of them: `<name>_SEED`, which is the seed of a failure, repeats that
 * one run; else there are `<name>_RUNS` of them.
 */
export function runsOf(name: string, usually: number): { seeds: number[]; timeoutMs: number } {
  const { [`${name}_SEED`]: given, [`${name}_RUNS`]: wanted } = readEnvironment();
  const count = given === undefined ? Number(wanted ?? usually) : 1;
  const first = Number(given ?? Date.now() % 1_000_000_000);
  console.log(`${name}_SEED from ${first}, ${count} runs`);
  return { seeds: Array.from({ length: count }, (_, run) => first + run), timeoutMs: 60_000 + count * RUN_MS };
}
