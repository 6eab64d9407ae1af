import { expect, it } from 'vitest';
import { results } from './made-up.js';
import { routineRows } from './routine-rows.js';

// The ratio is how many times the first way it takes an item.
it('each way of a routine has its median, and its ratio to the first way', () => {
  const slow = { routine: 'rows', way: 'one by one', clock: 'wall', items: 10, seconds: 2 } as const;
  const fast = { ...slow, way: 'COPY', items: 100, seconds: 1 };
  const cpu = { routine: 'identifiers', way: 'cuid2', clock: 'cpu', items: 1_000, seconds: 0.02 } as const;
  const routines = [fast, slow, { ...fast, seconds: 9 }, slow, { ...fast, seconds: 0.5 }, cpu];
  expect(routineRows(results({ routines }))).toEqual([
    { measured: 'routine: rows, COPY', numbers: 100, seconds: 1 },
    { measured: 'routine: rows, one by one', numbers: 10, seconds: 2, ratio: '20 x COPY' },
    { measured: 'routine: identifiers, cuid2', numbers: 1_000, seconds: 0.02, cpuPerMillion: 20 },
  ]);
  expect(routineRows(results({}))).toEqual([]);
});
