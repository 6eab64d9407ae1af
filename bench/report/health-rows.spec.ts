import { expect, it } from 'vitest';
import { healthRows } from './health-rows.js';
import { results } from './made-up.js';

const waits = (long: number, count: number) => Array.from({ length: count }, (_, index) => (index < long ? 900 : 3));

it.each([
  ['one in a hundred may wait', waits(1, 100), '3 ms of 100 answers, 900 ms at most', true],
  ['two in a hundred may not', waits(2, 100), '900 ms of 100 answers, 900 ms at most', false],
  ['one of few is judged by that one', waits(1, 3), '900 ms of 3 answers, 900 ms at most', false],
] as [string, number[], string, boolean][])('judges health by its 99th percentile: %s', (_, waitsMs, ratio, met) => {
  const rows = healthRows(results({ health: [{ numbers: 400_000, kind: 'wrong', answerS: 2, waitsMs }] }));
  expect(rows).toEqual([
    {
      measured: 'health while wrong lines are read',
      numbers: 400_000,
      seconds: 2,
      ratio,
      goal: { wanted: '≤ 250 ms at the 99th percentile', met },
    },
  ]);
});

it('has no line for a run from before it was measured', () => {
  expect(healthRows({})).toEqual([]);
});
