import { expect, it } from 'vitest';
import { drain, NAIVE, results } from './made-up.js';
import { rowsOf } from './rows.js';

it('has a line for each thing that was measured', () => {
  const memory = { idleMb: 100, peakMb: 130 };
  const found = results({
    naive: { each: [NAIVE], end: [] },
    drains: [drain('rust', 10, 1), drain('rust', 100, 1)],
    uploads: [{ numbers: 10, answerS: 1, confirmedS: 4, memory }],
    endToEnd: [{ language: 'rust', numbers: 10, sentS: 13, memory }],
    health: [{ numbers: 10, kind: 'wrong', answerS: 1, waitsMs: [1] }],
    partitions: [{ language: 'rust', partitions: 1, numbers: 100, left: 100, drainS: 1 }],
    routines: [{ routine: 'rows', way: 'COPY', clock: 'wall', items: 10, seconds: 1 }],
  });
  const ceilings = [
    'ceiling M: insert, one connection',
    'ceiling M with the validator',
    'ceiling C: COPY of the chunks',
    'ceiling Q: confirmed publishes',
  ];
  expect(rowsOf(found).map(({ measured }) => measured)).toEqual([
    'naive: publish, each confirm awaited',
    'naive: drain',
    ...ceilings,
    'drain: rust',
    ...ceilings,
    'drain: rust',
    'upload: answered',
    'upload: every chunk confirmed',
    'first byte to enviado: rust',
    'health while wrong lines are read',
    'growth: rust, 10 to 100',
    '1 partition, as many consumers: rust',
    'routine: rows, COPY',
  ]);
});
