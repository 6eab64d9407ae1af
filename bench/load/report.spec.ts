import { expect, test } from 'vitest';
import type { LoadFigures } from './load-users.js';
import { differencesOf, reportOf } from './report.js';

const GOOD: LoadFigures = {
  users: 3,
  openAtOnce: 2,
  latencyMs: Float64Array.of(10, 20, 30),
  acceptedMs: Float64Array.of(500, 1_000, 1_500),
  endedMs: Float64Array.of(2_000, 2_500, 4_000),
  answers: { 202: 3, 503: 1 },
  repeated: 1,
  problems: {},
};
const ROWS = [{ table: 'contacts', sent: 3, found: 3, missing: 0, other: 0 }];
const REPORT = { seed: 7, processes: 1, figures: GOOD, memory: { before: 100e6, open: 100.02e6 }, rows: ROWS };

test('the figures are told with their units', () => {
  const cells = reportOf(REPORT, 120)
    .split('\n')
    .filter((line) => line.startsWith('│'))
    .map((line) =>
      line
        .split('│')
        .map((cell) => cell.trim())
        .slice(1, -1),
    );
  expect(cells).toEqual([
    ['measured', ''],
    ['users', '3 (seed 7)'],
    ['sockets open at once', '2 (processes of the loader: 1)'],
    ['answers of POST', '202: 3, 503: 1'],
    ['sent again, as a 503 asked for', '1'],
    ['POST p50', '20.0 ms'],
    ['POST p99', '30.0 ms'],
    ['POST max', '30.0 ms'],
    ['first request to last accept', '1.5 s'],
    ['accepted a second', '2'],
    ['first request to last end seen', '4.0 s'],
    ['memory of the server', '100 MB before, 100 MB with all sockets open'],
    ['memory of the server a socket', '10.0 KB'],
    ['table', 'rows sent', 'rows found', 'missing', 'not sent'],
    ['contacts', '3', '3', '0', '0'],
  ]);
});

test('a load of which nothing was accepted is told without figures', () => {
  const none = new Float64Array(3).fill(Number.NaN);
  const figures = { ...GOOD, latencyMs: none, acceptedMs: none, endedMs: none, answers: {} };
  const text = reportOf({ ...REPORT, figures, memory: undefined }, 120);
  expect(text).not.toMatch(/NaN|Infinity|latency of POST/);
});

test('a load without a difference says none', () => {
  expect(differencesOf(REPORT)).toEqual([]);
});

test('each difference is told with its numbers', () => {
  const problems = { 'POST: answered 500': 1 };
  const figures = {
    ...GOOD,
    problems,
    acceptedMs: Float64Array.of(1, 2, Number.NaN),
    endedMs: Float64Array.of(1, NaN, NaN),
  };
  const extra = { table: 'contact_teams', sent: 3, found: 4, missing: 0, other: 1 };
  const rows = [...ROWS, extra, { table: 'contact_logs', sent: 1_200, found: 1_201, missing: 1, other: 2 }];
  expect(differencesOf({ figures, rows })).toEqual([
    '1 x POST: answered 500',
    '2 of 3 users accepted',
    '1 of 3 users seen to their end',
    'contact_teams: 0 of 3 rows missing, 1 that were not sent',
    'contact_logs: 1 of 1,200 rows missing, 2 that were not sent',
  ]);
  expect(differencesOf({ figures: GOOD, rows: 'no such table' })).toEqual([
    'the tables could not be compared: no such table',
  ]);
});
