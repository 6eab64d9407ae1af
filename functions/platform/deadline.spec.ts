import { afterEach, describe, expect, test, vi } from 'vitest';
import { Deadline, DeadlinePassed, withDeadline } from './deadline.js';

const LIMITS = { refuseMs: 1_000, endMs: 2_000 };

afterEach(() => {
  vi.useRealTimers();
});

function deadline(): Deadline {
  vi.useFakeTimers();
  return new Deadline(LIMITS);
}

test('what has stored nothing in time may store nothing any more', () => {
  const late = deadline();
  vi.advanceTimersByTime(999);
  expect(late.signal.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(late.signal.reason).toBeInstanceOf(DeadlinePassed);
  expect(() => late.storing()).toThrow(DeadlinePassed);
  expect(late.stored).toBe(false);
});

test('what has stored something goes on, to the end of its time', () => {
  const early = deadline();
  early.storing();
  vi.advanceTimersByTime(1_999);
  early.storing();
  expect([early.stored, early.signal.aborted]).toEqual([true, false]);
  vi.advanceTimersByTime(1);
  expect(() => early.storing()).toThrow(DeadlinePassed);
});

test('a loop that was blocked beyond it is too late by the clock, whatever its timers have done', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const blocked = new Deadline(LIMITS);
  vi.advanceTimersByTime(1_000);
  expect(blocked.signal.aborted).toBe(false);
  expect(() => blocked.storing()).toThrow(DeadlinePassed);
  blocked.close();
});

test('once the request is answered nothing ends', () => {
  const answered = deadline();
  answered.close();
  vi.advanceTimersByTime(10_000);
  expect(answered.signal.aborted).toBe(false);
  answered.storing();
  expect(answered.stored).toBe(true);
});

test('all that a request calls knows its deadline, and nobody else does', async () => {
  const mine = deadline();
  const seen = mine.run(async () => {
    await Promise.resolve();
    return Deadline.current();
  });
  expect([await seen, Deadline.current()]).toEqual([mine, undefined]);
});

describe('withDeadline', () => {
  test('work that ends in time is its own result, or failure', async () => {
    const late = () => 'late';
    expect(await withDeadline(60_000, Promise.resolve('done'), late)).toBe('done');
    await expect(withDeadline(60_000, Promise.reject(new Error('failed')), late)).rejects.toThrow('failed');
  });

  test('work that is late is what stands in for it, or its failure', async () => {
    const never = new Promise<string>(() => {});
    expect(await withDeadline(1, never, () => 'late')).toBe('late');
    const failing = withDeadline(1, never, () => {
      throw new Error('too late');
    });
    await expect(failing).rejects.toThrow('too late');
  });
});
