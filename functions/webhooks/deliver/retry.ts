import type { Answer, Verdict } from './delivery.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/**
 * The wait after a failure, from the end of the attempt, each longer or shorter by a random part of up to a fifth. The row is
 * the number of attempts of the round after the one that failed:
 *
 * | row  | 1   | 2     | 3      | 4   | 5   | 6    | 7    | 8    |
 * |------|-----|-------|--------|-----|-----|------|------|------|
 * | wait | 5 s | 5 min | 30 min | 2 h | 5 h | 10 h | 10 h | dead |
 */
const WAITS_MS = [5_000, 5 * MINUTE_MS, 30 * MINUTE_MS, 2 * HOUR_MS, 5 * HOUR_MS, 10 * HOUR_MS, 10 * HOUR_MS];
const JITTER = 0.2;
/** A receiver may ask for so much, and no more. */
const LONGEST_RETRY_AFTER_MS = 24 * HOUR_MS;

const GONE = 410;
/** The two that may say when again: too many requests, and out of service. */
const MAY_SAY_WHEN: ReadonlySet<number | null> = new Set([429, 503]);

/**
 * What follows from an answer, for the attempt `row` of its round, from 1. A 2xx is a success and all else a failure, a
 * redirect too. `random` returns 0 to 1.
 */
export function verdictOf(answer: Answer, row: number, random: () => number = Math.random): Verdict {
  const { status } = answer;
  const ok = status !== null && status >= 200 && status < 300;
  if (ok) return { ok, dead: false, waitMs: 0, gone: false };
  const gone = status === GONE;
  // guard: dead is only what has had all its attempts, whatever else a row may be
  const wait = WAITS_MS[Math.max(row, 1) - 1];
  if (wait === undefined) return { ok, dead: true, waitMs: 0, gone };
  const jittered = Math.round(wait * (1 - JITTER + 2 * JITTER * random()));
  // guard: never before the time that the receiver names, so that has no jitter
  const named = MAY_SAY_WHEN.has(status) ? Math.min(answer.retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS) : 0;
  return { ok, dead: false, waitMs: Math.max(jittered, named), gone };
}
