import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ServiceUnavailable } from '../../platform/problem.js';
import { Places } from './places.js';

const PATIENCE_MS = 5_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Work that ends when it is told to. */
function work(): { run: () => Promise<void>; begun: () => boolean; end: (error?: Error) => void } {
  let begun = false;
  let end: (error?: Error) => void = () => {};
  const done = new Promise<void>((resolve, reject) => {
    end = (error) => (error ? reject(error) : resolve());
  });
  const run = () => {
    begun = true;
    return done;
  };
  return { run, begun: () => begun, end };
}

test('one too many waits, in order, for work that ends or fails', async () => {
  const places = new Places(1, PATIENCE_MS, 'too much');
  const [a, b, c] = [work(), work(), work()];
  const results = [a, b, c].map(({ run }) => places.run(run).catch((error: Error) => error.message));
  await vi.advanceTimersByTimeAsync(0);
  expect([a.begun(), b.begun(), c.begun()]).toEqual([true, false, false]);
  a.end(new Error('failed'));
  await vi.advanceTimersByTimeAsync(0);
  expect([b.begun(), c.begun()]).toEqual([true, false]);
  b.end();
  await vi.advanceTimersByTimeAsync(0);
  expect(c.begun()).toBe(true);
  c.end();
  expect(await Promise.all(results)).toEqual(['failed', undefined, undefined]);
  expect(vi.getTimerCount()).toBe(0);
});

test('who waits too long is refused, and never begins', async () => {
  const places = new Places(1, PATIENCE_MS, 'too much');
  const [first, late, next] = [work(), work(), work()];
  const running = places.run(first.run);
  const refused = places.run(late.run).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(PATIENCE_MS - 1);
  const waiting = places.run(next.run);
  await vi.advanceTimersByTimeAsync(1);
  expect(await refused).toEqual(new ServiceUnavailable('too much'));
  first.end();
  next.end();
  await Promise.all([running, waiting]);
  expect([late.begun(), next.begun()]).toEqual([false, true]);
});
