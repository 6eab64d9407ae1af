import type { HealthMeasure } from '../measure/health.js';
import type { Results } from '../results.js';
import { WANTED } from './goals.js';
import { percentile } from './statistics.js';
import type { Row } from './table.js';

const OF_ALL = 0.99;

/** How long others wait while one user's file is read. */
export function healthRows({ health = [] }: Pick<Results, 'health'>): Row[] {
  return health.map(healthRow);
}

function healthRow({ numbers, kind, answerS, waitsMs }: HealthMeasure): Row {
  const most = percentile(waitsMs, OF_ALL);
  return {
    measured: `health while ${kind} lines are read`,
    numbers,
    seconds: answerS,
    ratio: `${most.toFixed(0)} ms of ${waitsMs.length} answers, ${Math.max(...waitsMs).toFixed(0)} ms at most`,
    goal: { wanted: `≤ ${WANTED.healthMs} ms at the 99th percentile`, met: most <= WANTED.healthMs },
  };
}
