import { expect, it } from 'vitest';
import { CONTACT_WAYS } from '../measure/contacts.js';
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
    contacts: {
      loads: CONTACT_WAYS.map((way) => ({ way, users: 1, acceptedS: 1, p50Ms: 1, p99Ms: 1, maxMs: 1, cpuS: 1 })),
      drains: [{ users: 1, rows: 8, drainS: 1, copyS: 1 }],
    },
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
    'contacts: accepted, no database',
    'contacts: accepted',
    '  groups and no database',
    'contacts: accepted, an INSERT each',
    '  groups and an INSERT each',
    'contacts: to the last end, no database',
    'contacts: to the last end',
    '  to the last end and no database',
    'contacts: to the last end, 2 processes',
    '  2 processes and 1, on 2 cores',
    'contacts: rows by COPY',
    'contacts: rows by the loop',
    '  the loop and COPY',
  ]);
});
