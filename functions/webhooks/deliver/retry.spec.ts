import { describe, expect, test } from 'vitest';
import type { Answer } from './delivery.js';
import { verdictOf } from './retry.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const answer = (over: Partial<Answer>): Answer => ({
  status: null,
  error: null,
  tookMs: 1,
  response: null,
  retryAfterMs: null,
  ...over,
});
const failed = (row: number, random: number, over: Partial<Answer> = { status: 500 }) =>
  verdictOf(answer(over), row, () => random);

describe('a failure is tried again by the table', () => {
  test.each([
    [1, 5_000],
    [2, 5 * MINUTE_MS],
    [3, 30 * MINUTE_MS],
    [4, 2 * HOUR_MS],
    [5, 5 * HOUR_MS],
    [6, 10 * HOUR_MS],
    [7, 10 * HOUR_MS],
  ])('after attempt %i in %i ms, a fifth more or less', (row, waitMs) => {
    expect(failed(row, 0.5)).toEqual({ ok: false, dead: false, waitMs, gone: false });
    expect(failed(row, 0).waitMs).toBe(waitMs * 0.8);
    expect(failed(row, 0.999).waitMs).toBeCloseTo(waitMs * 1.1996, 0);
  });

  test.each([8, 9, 20])('attempt %i is the last one', (row) => {
    expect(failed(row, 0.5)).toEqual({ ok: false, dead: true, waitMs: 0, gone: false });
  });

  test.each([0, -1])('attempt %i of a round, which cannot be, is not the last one', (row) => {
    expect(failed(row, 0.5)).toEqual({ ok: false, dead: false, waitMs: 5_000, gone: false });
  });

  test.each([{ error: 'no answer within 15 s' }, { status: 199 }, { status: 300 }, { status: 302 }, { status: 404 }])(
    'also %o',
    (over) => {
      expect(failed(1, 0.5, over)).toEqual({ ok: false, dead: false, waitMs: 5_000, gone: false });
    },
  );
});

test.each([200, 204, 299])('%i is delivered, also at the last attempt', (status) => {
  const delivered = { ok: true, dead: false, waitMs: 0, gone: false };
  expect([failed(1, 0, { status }), failed(8, 0, { status })]).toEqual([delivered, delivered]);
});

test('410 ends the endpoint, and its delivery goes on by the table when it is enabled', () => {
  expect(failed(2, 0.5, { status: 410 })).toEqual({ ok: false, dead: false, waitMs: 5 * MINUTE_MS, gone: true });
  expect(failed(8, 0.5, { status: 410 })).toEqual({ ok: false, dead: true, waitMs: 0, gone: true });
});

describe.each([429, 503])('%i', (status) => {
  test('waits as Retry-After says where that is later, without jitter', () => {
    for (const random of [0, 0.5, 0.999])
      expect(failed(1, random, { status, retryAfterMs: 60_000 }).waitMs).toBe(60_000);
  });

  test('waits by the table where Retry-After is sooner, or missing', () => {
    for (const retryAfterMs of [0, 1_000, null]) expect(failed(1, 0.5, { status, retryAfterMs }).waitMs).toBe(5_000);
  });

  test('waits 24 hours at most', () => {
    expect(failed(1, 0.5, { status, retryAfterMs: 1e15 }).waitMs).toBe(24 * HOUR_MS);
  });

  test('is dead after the eighth attempt whatever Retry-After says', () => {
    expect(failed(8, 0.5, { status, retryAfterMs: 60_000 }).dead).toBe(true);
  });
});

test('Retry-After of another status counts for nothing', () => {
  expect(failed(1, 0.5, { status: 500, retryAfterMs: 60_000 }).waitMs).toBe(5_000);
});
