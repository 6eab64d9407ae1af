import { expect, test } from 'vitest';
import { instantOf, saoPauloInstantOf } from './payment-time.js';

const iso = (date: Date | undefined) => date?.toISOString();

// The days are those of the decrees on summer time, as the zone database (Brazil, 2017 to 2019) has them.
test.each([
  ['of the older example', '2022-06-09 10:00:00', '2022-06-09T13:00:00.000Z'],
  ['in the last summer time', '2018-12-25 10:00:00', '2018-12-25T12:00:00.000Z'],
  ['before summer time began', '2018-11-03 23:59:59', '2018-11-04T02:59:59.000Z'],
  ['when it had begun', '2018-11-04 01:00:00', '2018-11-04T03:00:00.000Z'],
  ['in the hour that was skipped, by standard time', '2018-11-04 00:30:00', '2018-11-04T03:30:00.000Z'],
  ['before the hour that came twice', '2019-02-16 22:59:59', '2019-02-17T00:59:59.000Z'],
  ['in the hour that came twice, by standard time', '2019-02-16 23:30:00', '2019-02-17T02:30:00.000Z'],
  ['when summer time had ended', '2019-02-17 00:00:00', '2019-02-17T03:00:00.000Z'],
  ['in the summer after its abolition', '2019-12-25 10:00:00', '2019-12-25T13:00:00.000Z'],
  ['on a leap day', '2024-02-29 00:00:00', '2024-02-29T03:00:00.000Z'],
])('a time of São Paulo %s', (_, text, wanted) => {
  expect(iso(saoPauloInstantOf(text))).toBe(wanted);
});

test.each([
  '2022-06-09',
  '2022-06-09T10:00:00',
  '2022-06-09 10:00',
  '2022-06-09 24:00:01',
  '2022-06-09 10:60:00',
  '2023-02-29 10:00:00',
  '2022-13-01 10:00:00',
  '1999-12-31 10:00:00',
  '2100-01-01 10:00:00',
  '',
])('no time of São Paulo: %j', (text) => {
  expect(saoPauloInstantOf(text)).toBeUndefined();
});

test.each([
  ['2026-12-01T10:00:00-03:00', '2026-12-01T13:00:00.000Z'],
  ['2026-12-01T13:00:00Z', '2026-12-01T13:00:00.000Z'],
  ['2026-12-01T13:00Z', '2026-12-01T13:00:00.000Z'],
  ['2026-12-01T13:00:00.123456+00:00', '2026-12-01T13:00:00.123Z'],
])('%s is %s', (text, wanted) => {
  expect(iso(instantOf(text))).toBe(wanted);
});

test.each([
  '2026-12-01T10:00:00',
  '2026-12-01',
  '2026-02-30T10:00:00Z',
  '2026-12-01T25:00:00Z',
  '2026-12-01T10:00:00+99:00',
  '0000-01-01T00:00:00Z',
  '1999-12-31T23:59:59Z',
  '2100-01-01T00:00:00Z',
  '1764583200',
  '',
])('no time with an offset: %j', (text) => {
  expect(instantOf(text)).toBeUndefined();
});
