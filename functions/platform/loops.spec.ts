import { beforeEach, expect, test } from 'vitest';
import { untilTrue } from '../../testing/until.js';
import { Loops } from './loops.js';
import type { Log } from './telemetry/log.js';

let lines: Record<string, unknown>[];
let loops: Loops;
let stop: AbortController;

beforeEach(() => {
  lines = [];
  const line = (fields: object, msg: string) => lines.push({ ...fields, msg });
  loops = new Loops({ info: line, error: line } as unknown as Log);
  stop = new AbortController();
});

/** Runs until told to stop. */
function untilStopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

test('all loops run at the same time, and end when told to stop', async () => {
  const events: string[] = [];
  for (const name of ['reading', 'processing'])
    loops.add({
      name,
      run: async (signal) => {
        events.push(`${name} begins`);
        await untilStopped(signal);
        events.push(`${name} ends`);
      },
    });
  const running = loops.run(stop.signal);
  expect(events).toEqual(['reading begins', 'processing begins']);
  stop.abort();
  await running;
  expect(events).toEqual(['reading begins', 'processing begins', 'reading ends', 'processing ends']);
  expect(lines).toEqual([]);
});

test('a loop that fails is logged and begins again; the others go on', async () => {
  const failure = new Error('of a bug');
  let begun = 0;
  let others = 0;
  loops.add({
    name: 'failing',
    run: async (signal) => {
      begun += 1;
      if (begun === 1) throw failure;
      await untilStopped(signal);
    },
  });
  loops.add({
    name: 'healthy',
    run: (signal) => {
      others += 1;
      return untilStopped(signal);
    },
  });
  const running = loops.run(stop.signal);
  await untilTrue(() => begun === 2, 'the loop has begun again');
  expect([others, lines]).toEqual([
    1,
    [{ loop: 'failing', err: failure, msg: expect.stringContaining('a loop failed') }],
  ]);
  stop.abort();
  await running;
});

test('a loop that ends too early is a bug, and does not run in a circle', async () => {
  let begun = 0;
  loops.add({
    name: 'hasty',
    run: async () => {
      begun += 1;
    },
  });
  const running = loops.run(stop.signal);
  await untilTrue(() => lines.length > 0, 'it is logged');
  stop.abort();
  await running;
  expect([begun, lines]).toEqual([1, [{ loop: 'hasty', err: expect.any(Error), msg: expect.any(String) }]]);
});

test('a loop that fails after the stop is not begun again', async () => {
  let begun = 0;
  loops.add({
    name: 'failing',
    run: async (signal) => {
      begun += 1;
      await untilStopped(signal);
      throw new Error('while it ends');
    },
  });
  const running = loops.run(stop.signal);
  stop.abort();
  await running;
  expect([begun, lines.length]).toEqual([1, 1]);
});

test('no loop begins after the stop', async () => {
  stop.abort();
  loops.add({ name: 'late', run: () => Promise.reject(new Error('begun')) });
  await loops.run(stop.signal);
  expect(lines).toEqual([]);
});
