import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ContactsBusy } from '../contacts.errors.js';
import { Places } from './places.js';

const PATIENCE_MS = 5_000;
const TICK_MS = 100;

let places: Places;
let happened: string[];

beforeEach(() => {
  vi.useFakeTimers();
  places = new Places(2, 2);
  happened = [];
});

afterEach(() => {
  vi.useRealTimers();
});

async function come(...names: string[]): Promise<void> {
  for (const name of names)
    void places.take().then(
      () => happened.push(name),
      (error: unknown) => happened.push(`${name} refused: ${error instanceof ContactsBusy}`),
    );
  await vi.advanceTimersByTimeAsync(0);
}

test('a line is served in order, a caller a place', async () => {
  await come('a', 'b', 'c', 'd');
  expect([happened, places.callers]).toEqual([['a', 'b'], 4]);
  places.free();
  await vi.advanceTimersByTimeAsync(0);
  expect([happened, places.callers]).toEqual([['a', 'b', 'c'], 3]);
});

test('one more than the line holds is refused at once', async () => {
  await come('a', 'b', 'c', 'd', 'e');
  expect([happened, places.callers]).toEqual([['a', 'b', 'e refused: true'], 4]);
});

test('a line in which nothing moves for five seconds is refused; places stay taken', async () => {
  await come('a', 'b', 'c', 'd');
  await vi.advanceTimersByTimeAsync(PATIENCE_MS - 1);
  expect(happened).toEqual(['a', 'b']);
  await vi.advanceTimersByTimeAsync(1);
  expect([happened, places.callers]).toEqual([['a', 'b', 'c refused: true', 'd refused: true'], 2]);
});

test('a place that becomes free begins the time anew', async () => {
  await come('a', 'b', 'c', 'd');
  await vi.advanceTimersByTimeAsync(PATIENCE_MS - TICK_MS);
  places.free();
  await vi.advanceTimersByTimeAsync(PATIENCE_MS - TICK_MS);
  expect(happened).toEqual(['a', 'b', 'c']);
  await vi.advanceTimersByTimeAsync(TICK_MS);
  expect(happened).toEqual(['a', 'b', 'c', 'd refused: true']);
});

test('without a line no clock runs, and places can be taken again', async () => {
  await come('a', 'b', 'c');
  for (let at = 0; at < 3; at++) places.free();
  await vi.advanceTimersByTimeAsync(0);
  expect([vi.getTimerCount(), places.callers]).toEqual([0, 0]);
  await come('e', 'f');
  expect(happened).toEqual(['a', 'b', 'c', 'e', 'f']);
});
