import { expect, test } from 'vitest';
import { BatchIds } from './batch-ids.js';

/** A store that gives out blocks when it is let: `answer` resolves the oldest question with the next block. */
function store() {
  const asked: ((block: bigint) => void)[] = [];
  let block = 0n;
  return {
    ids: new BatchIds(() => new Promise((resolve) => asked.push(resolve))),
    asked,
    answer: () => {
      block += 1_000n;
      asked.shift()?.(block);
    },
  };
}

test('callers that wait for one block get ids of their own', async () => {
  const { ids, asked, answer } = store();
  const waiting = Array.from({ length: 20 }, () => ids.next());
  expect(asked).toHaveLength(1);
  answer();
  expect(new Set(await Promise.all(waiting)).size).toBe(waiting.length);
});

test('a block that was dropped while callers waited for it is begun by nobody', async () => {
  const { ids, answer } = store();
  const waiting = Array.from({ length: 3 }, () => ids.next());
  ids.drop();
  const later = ids.next();
  answer();
  answer();
  expect(new Set([...(await Promise.all(waiting)), await later]).size).toBe(4);
  expect(await ids.next()).toBe(2_004n);
});

test('the next block is asked for when half of one is left, so that nobody waits for it', async () => {
  const { ids, asked, answer } = store();
  const first = ids.next();
  answer();
  expect(await first).toBe(1_000n);
  for (let at = 1; at < 499; at++) await ids.next();
  expect(asked).toHaveLength(0);
  await ids.next();
  expect(asked).toHaveLength(1);
  answer();
  for (let at = 500; at < 1_000; at++) await ids.next();
  expect(await ids.next()).toBe(2_000n);
});

test('a store that gives no block is told to who asks, and asked again by the next', async () => {
  let fails = true;
  const ids = new BatchIds(async () => {
    if (fails) throw new Error('away');
    return 1_000n;
  });
  await expect(ids.next()).rejects.toThrow('away');
  fails = false;
  expect(await ids.next()).toBe(1_000n);
});
