import { expect, test } from 'vitest';
import { watchScreen } from './watch-words.js';

const now = {
  at: new Date('2026-11-30T07:30:00Z'),
  perSecond: { 'monitor-app': 1_140, 'user-app': 2 },
  open: [{ reason: 'invalid_envelope', count: 3_335, oldest_s: 70 }],
  ready: { 'disparo.events': 4_210, 'disparo-events': undefined },
};

test('what waits and what is in quarantine stand above the types, of which a small screen says how many are left out', () => {
  const all = watchScreen(now, { rows: 30, width: 100 });
  expect(all).toEqual([
    'Events  2026-11-30 07:30:00',
    '',
    'queue                  waiting',
    'disparo.events         4,210',
    'disparo-events         ?',
    '',
    'in quarantine          open   oldest',
    'invalid_envelope       3,335  1 min',
    '',
    'type                   events/s',
    'all                    1,142',
    'monitor-app            1,140',
    'user-app               2',
  ]);
  expect(watchScreen(now, { rows: 13, width: 100 })).toEqual(all);
  const small = watchScreen(now, { rows: 12, width: 25 });
  expect(small).toEqual([...all.slice(0, 11).map((line) => line.slice(0, 25)), '... and 2 more lines']);
});

test('a screen has the reason while PostgreSQL is away', () => {
  expect(watchScreen('PostgreSQL does not answer', { rows: 9, width: 15 }).slice(1)).toEqual(['', 'PostgreSQL does']);
});
