import type { LanguageName } from '@disparo/contract/languages';
import type { NaiveMeasure } from '../measure/naive.js';
import type { BracketedDrain, Results } from '../results.js';
import type { Row } from './table.js';

const COST = { cpuS: 2, rssMb: 40, peakMb: 50 };

/** Naive: 1,000 numbers published in 2 s and drained in 1 s. For specs, as is this whole file. */
export const NAIVE: NaiveMeasure = { numbers: 1_000, publishS: 2, drainS: 1, consumer: COST };

/** A run on two cores that has measured only this. */
export function results(measured: Partial<Results>): Results {
  const machine = { cores: 2, processor: 'p', memoryGb: 8, system: 's', node: 'n' };
  return {
    naive: { each: [], end: [] },
    drains: [],
    uploads: [],
    endToEnd: [],
    partitions: [],
    begun: '2026-11-24T00:00:00.000Z',
    ended: '2026-11-24T00:10:00.000Z',
    run: 'default',
    parts: [],
    machine: { ...machine, postgres: '', mongod: '', rabbitmq: '', rust: '', go: '' },
    load: { begin: 0, end: 1 },
    ...measured,
  };
}

/** A drain between two ceilings, of `plainS` seconds each; with the validator they take twice as long. */
export function drain(language: LanguageName, numbers: number, drainS: number, plainS = [1, 1]): BracketedDrain {
  const [before, after] = plainS.map((seconds) => ({ numbers, plainS: seconds, validatedS: 2 * seconds }));
  const times = {
    drainS,
    warmS: undefined,
    copyS: 0.1,
    publishS: 0.2,
    consumer: COST,
  };
  return { language, numbers, ...times, ceilings: [before, after] as unknown as BracketedDrain['ceilings'] };
}

/** The name, the ratio and `met` of each line that has a goal. */
export function judged(rows: readonly Row[]): unknown[][] {
  return rows.flatMap(({ measured, ratio, goal }) => (goal ? [[measured.trim(), ratio, goal.met]] : []));
}
