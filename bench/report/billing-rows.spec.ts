import { expect, it } from 'vitest';
import { BILLING_WAYS, type BillingMeasure, type BillingWay } from '../measure/billing.js';
import type { Results } from '../results.js';
import { billingRows } from './billing-rows.js';
import { judged, results } from './made-up.js';

const SECONDS: Record<BillingWay, number> = {
  'copied and inserted': 10,
  imported: 14,
  'imported again': 13,
  issued: 20,
  drawn: 10,
  mailed: 20,
};
const PEAKS: Partial<Record<BillingWay, number>> = { imported: 210, 'imported again': 190 };

function round(changed: Partial<Record<BillingWay, number>> = {}, lines = 1_000_000): BillingMeasure[] {
  return BILLING_WAYS.map((way) => ({
    ...{ way, lines, seconds: { ...SECONDS, ...changed }[way], load: 1 },
    ...(PEAKS[way] !== undefined && { peakMb: PEAKS[way] }),
  }));
}

const rowsOf = (billing: BillingMeasure[]): ReturnType<typeof billingRows> =>
  billingRows(results({ billing } satisfies Partial<Results>));

it('has a line for each way, each comparison and the memory', () => {
  expect(rowsOf(round()).map(({ measured }) => measured)).toEqual([
    ...BILLING_WAYS.map((way) => `billing: ${way}`),
    '  imported and copied and inserted',
    '  imported again and imported',
    '  most memory of the server',
    '  mailed and drawn',
  ]);
});

it('has no line of mails in a run that is older than they are', () => {
  const older = round().filter(({ way }) => way !== 'drawn' && way !== 'mailed');
  expect(rowsOf(older).map(({ measured }) => measured)).toEqual([
    ...BILLING_WAYS.slice(0, 4).map((way) => `billing: ${way}`),
    '  imported and copied and inserted',
    '  imported again and imported',
    '  most memory of the server',
  ]);
});

it('has no line in a run that did not measure it, none of memory where the system does not say it', () => {
  expect(billingRows(results({}))).toEqual([]);
  const unknown = round().map(({ peakMb: _, ...measured }) => measured);
  expect(rowsOf(unknown).map(({ measured }) => measured)).not.toContain('  most memory of the server');
});

it('judges the median of the ratios of the rounds, and the largest memory', () => {
  const slow = { imported: 70, 'imported again': 71 };
  expect(judged(rowsOf([...round(), ...round(slow), ...round(slow)]))).toEqual([
    ['billing: imported', 'load average 1.0, 1.0, 1.0', false],
    ['imported and copied and inserted', '7.00 x its time', false],
    ['imported again and imported', '1.01 x its time', false],
    ['most memory of the server', undefined, true],
    ['mailed and drawn', '50 % of its rate', true],
  ]);
  expect(judged(rowsOf(round())).map((row) => row[2])).toEqual([true, true, true, true, true]);
  expect(judged(rowsOf(round({ mailed: 34 }))).at(-1)).toEqual(['mailed and drawn', '29 % of its rate', false]);
});

it('judges no few lines, and time and memory of a million only', () => {
  const met = (lines: number) => judged(rowsOf(round({}, lines))).map((row) => row[2]);
  expect(met(999)).toEqual([undefined, undefined, undefined, undefined, undefined]);
  expect(met(99_999)).toEqual([undefined, undefined, undefined, undefined, true]);
  expect(met(100_000)).toEqual([undefined, true, true, undefined, true]);
});
