import { expect, test } from 'vitest';
import { BriefMemory, KEEP_MS } from './brief-memory.js';

/** A memory of which each read waits for `answer`, and its clock. */
function memory(most?: number) {
  const clock = { now: 1_000_000 };
  const reads: { name: string; answer(found: string): void; fail(error: Error): void }[] = [];
  const read = (name: string) =>
    new Promise<string>((answer, fail) => {
      reads.push({ name, answer, fail });
    });
  return { clock, reads, memory: new BriefMemory(read, () => clock.now, most) };
}

test('what was read is kept for ten seconds from when it was asked for', async () => {
  const { clock, reads, memory: kept } = memory();
  const first = kept.get('a');
  clock.now += 4_000;
  reads[0]?.answer('one');
  expect(await first).toBe('one');
  clock.now += KEEP_MS - 4_001;
  expect([await kept.get('a'), reads.length]).toEqual(['one', 1]);
  clock.now += 1;
  const second = kept.get('a');
  reads[1]?.answer('two');
  expect([await second, await kept.get('a'), reads.length]).toEqual(['two', 'two', 2]);
});

test('a thousand callers share one read, and another name has its own', async () => {
  const { reads, memory: kept } = memory();
  const all = Array.from({ length: 1_000 }, () => kept.get('a'));
  const other = kept.get('b');
  for (const { name, answer } of reads) answer(`of ${name}`);
  expect([new Set(await Promise.all(all)), await other, reads.length]).toEqual([new Set(['of a']), 'of b', 2]);
});

test('a failure reaches all who wait for it, and is not kept', async () => {
  const { reads, memory: kept } = memory();
  const all = [kept.get('a'), kept.get('a')];
  reads[0]?.fail(new Error('away'));
  expect((await Promise.allSettled(all)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  const next = kept.get('a');
  reads[1]?.answer('back');
  expect([await next, reads.length]).toEqual(['back', 2]);
});

test('a read that began before a change is shared by nobody who comes after it', async () => {
  const { reads, memory: kept } = memory();
  const before = kept.get('a');
  kept.forget('a');
  const after = kept.get('a');
  reads[1]?.answer('new');
  reads[0]?.answer('old');
  expect([await before, await after, await kept.get('a')]).toEqual(['old', 'new', 'new']);
});

test('a late failure does not forget what was read after it', async () => {
  const { reads, memory: kept } = memory();
  const before = kept.get('a');
  kept.forget('a');
  const after = kept.get('a');
  reads[1]?.answer('new');
  reads[0]?.fail(new Error('away'));
  await expect(before).rejects.toThrow('away');
  expect(await after).toBe('new');
  void kept.get('a');
  expect(reads.length).toBe(2);
});

test('a clock that is set back makes nothing young', async () => {
  const { clock, reads, memory: kept } = memory();
  const first = kept.get('a');
  reads[0]?.answer('one');
  await first;
  clock.now -= 1;
  void kept.get('a');
  expect(reads.length).toBe(2);
});

test('no more than so many are kept: those not asked for the longest go', async () => {
  const { reads, memory: kept } = memory(2);
  for (const name of ['a', 'b', 'a', 'c']) void kept.get(name);
  for (const name of ['a', 'c', 'b']) void kept.get(name);
  expect(reads.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'b']);
});
