import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Runtime } from './runtime.js';

const GRACE_MS = 5_000;
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

let runtime: Runtime;
let exit: ReturnType<typeof vi.spyOn>;
const before = new Map(SIGNALS.map((signal) => [signal, process.listeners(signal)]));

beforeEach(() => {
  vi.useFakeTimers();
  exit = vi.spyOn(process, 'exit').mockImplementation((() => {}) as () => never);
  runtime = new Runtime('server');
  runtime.stopOnSignals(GRACE_MS);
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  for (const signal of SIGNALS)
    for (const listener of process.listeners(signal))
      if (!before.get(signal)?.includes(listener)) process.off(signal, listener);
});

test.each(SIGNALS)('the first %s is told to whoever waits, and ends nothing', (signal) => {
  expect(runtime.stopping.aborted).toBe(false);
  process.emit(signal);
  expect([runtime.stopping.aborted, runtime.stopping.reason.message]).toEqual([true, signal]);
  expect(exit).not.toHaveBeenCalled();
});

test('a second signal ends the process with 75', () => {
  process.emit('SIGINT');
  process.emit('SIGTERM');
  expect(exit).toHaveBeenCalledWith(75);
});

test('the end of the grace time ends the process with 75', () => {
  process.emit('SIGTERM');
  vi.advanceTimersByTime(GRACE_MS - 1);
  expect(exit).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(exit).toHaveBeenCalledWith(75);
});
