import { expect, it } from 'vitest';
import { PIX_WAYS, type PixDrain, type PixWay } from '../measure/pix.js';
import type { Results } from '../results.js';
import { judged, results } from './made-up.js';
import { pixRows } from './pix-rows.js';

/** Seconds for 20,000 messages. */
const SECONDS: Record<PixWay, number> = {
  'the claim alone': 1,
  'pix_read, 1 connection': 2,
  'pix_read, 6 connections': 1.4,
  '1 collector': 4,
  '6 collectors': 3.5,
};

function round(changed: Partial<Record<PixWay, number>> = {}, messages = 20_000): PixDrain[] {
  return PIX_WAYS.map((way) => ({ way, messages, seconds: { ...SECONDS, ...changed }[way] }));
}

function pix(drains: PixDrain[], p95Ms = 12, made = { messages: 1_000_000, seconds: 30 }): Results {
  return results({ pix: { drains, wakes: [{ p50Ms: 4, p95Ms }], made: [{ messages: 2_000, seconds: 0.4 }, made] } });
}

const WOKEN = 'pix: a poll is woken by a POST at another process';

it('has a line for each way, each comparison, the wake and what is made', () => {
  expect(pixRows(pix(round())).map(({ measured }) => measured)).toEqual([
    ...PIX_WAYS.map((way) => `pix: ${way}`),
    '  1 collector and pix_read, 1 connection',
    '  6 collectors and pix_read, 6 connections',
    '  pix_read, 1 connection and the claim alone',
    WOKEN,
    'pix: made by one POST',
    'pix: made by one POST',
  ]);
});

it('has no line in a run that did not measure it', () => {
  expect(pixRows(results({}))).toEqual([]);
});

it('judges the median of the ratios of the rounds', () => {
  const slow = { '1 collector': 6, '6 collectors': 5 };
  expect(judged(pixRows(pix([...round(), ...round(slow), ...round(slow)], 31)))).toEqual([
    ['1 collector and pix_read, 1 connection', '33 % of its rate', false],
    ['6 collectors and pix_read, 6 connections', '28 % of its rate', false],
    ['pix_read, 1 connection and the claim alone', '50 % of its rate', true],
    [WOKEN, 'p50 4 ms, p95 31 ms', false],
    ['pix: made by one POST', undefined, true],
    ['pix: made by one POST', undefined, true],
  ]);
});

it('judges neither few messages nor other numbers of those that are made', () => {
  const rows = pixRows(pix(round({}, 9_999), 12, { messages: 101, seconds: 90 }));
  expect(judged(rows)).toEqual([
    ['1 collector and pix_read, 1 connection', '50 % of its rate', undefined],
    ['6 collectors and pix_read, 6 connections', '40 % of its rate', undefined],
    ['pix_read, 1 connection and the claim alone', '50 % of its rate', undefined],
    [WOKEN, 'p50 4 ms, p95 12 ms', true],
    ['pix: made by one POST', undefined, true],
  ]);
});
