import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { retryAfterMs } from './retry-after.js';

const NOW = Date.UTC(2026, 10, 30, 12, 0, 0, 250);

// A machine whose clock shows another time than GMT.
beforeAll(() => void vi.stubEnv('TZ', 'America/Sao_Paulo'));
afterAll(() => void vi.unstubAllEnvs());

test.each([
  ['120', 120_000],
  [' 7 ', 7_000],
  ['0', 0],
  ['-5', 0],
  ['99999999999999999999', Number.MAX_SAFE_INTEGER],
  ['9'.repeat(400), Number.MAX_SAFE_INTEGER],
  ['Mon, 30 Nov 2026 12:00:10 GMT', 9_750],
  ['Monday, 30-Nov-26 12:00:10 GMT', 9_750],
  ['Mon Nov 30 12:00:10 2026', 9_750],
  ['Tue Dec  1 12:00:00 2026', 86_399_750],
  ['Mon, 30 Nov 2026 11:00:00 GMT', 0],
  ['Mon, 99 Foo 2026 11:00:00 GMT', null],
  [undefined, null],
  ['', null],
  ['1.5', null],
  ['1e9', null],
  ['0x10', null],
  ['+5', null],
  ['Infinity', null],
  ['5 seconds', null],
  ['wait 1', null],
  ['2026-11-30T12:00:10Z', null],
])('Retry-After is seconds or an HTTP date, counted from now: %j', (header, expected) => {
  expect(retryAfterMs(header, NOW)).toBe(expected);
});
