import type { FastifyReply, FastifyRequest } from 'fastify';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Runtime } from '../runtime.js';
import { arrivedAt } from './arrival.js';

const NOW = Date.UTC(2026, 10, 24, 12);
/** The request is here since then. */
const ELAPSED_MS = 40;

beforeAll(() => void vi.useFakeTimers({ now: NOW, toFake: ['Date', 'performance'] }));
afterAll(() => void vi.useRealTimers());

/** How long ago a request came that has this header. */
function agoMs(kind: 'function' | 'server', header: string | undefined): number {
  const request = { headers: { 'x-disparo-arrived-ms': header } } as unknown as FastifyRequest;
  return performance.now() - arrivedAt(request, { elapsedTime: ELAPSED_MS } as FastifyReply, new Runtime(kind));
}

test.each([
  ['3 s ago by the gateway', String(NOW - 3_000), 3_000],
  ['by the gateway just before', String(NOW - ELAPSED_MS - 1), ELAPSED_MS + 1],
  ['by a gateway whose clock is ahead', String(NOW + 5_000), ELAPSED_MS],
  ['by a clock that is an hour wrong', String(NOW - 3_600_000), ELAPSED_MS],
  ['by an event without a time', 'undefined', ELAPSED_MS],
  ['without the header', undefined, ELAPSED_MS],
])('a function waits from the time at which the request was taken: %s', (_, header, expected) => {
  expect(agoMs('function', header)).toBeCloseTo(expected, 3);
});

test('a server waits from the time at which the request came to it, whatever the header says', () => {
  expect(agoMs('server', String(NOW - 3_000))).toBeCloseTo(ELAPSED_MS, 3);
});
