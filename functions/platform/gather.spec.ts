import { setImmediate as nextTurn } from 'node:timers/promises';
import { beforeEach, expect, test } from 'vitest';
import { Deadline } from './deadline.js';
import { Gather } from './gather.js';

/** A flush that is under way: it ends when the test says so. */
interface Flush {
  items: string[];
  end(results?: string[]): void;
  fail(error: Error): void;
}

let flushes: Flush[];

beforeEach(() => {
  flushes = [];
});

function gather(
  limits: { items?: number; bytes?: number; inFlight?: number } = {},
  endsAll?: (error: unknown) => boolean,
): Gather<string, string> {
  return new Gather<string, string>(
    { items: 3, bytes: 100, inFlight: 2, ...limits },
    (items) =>
      new Promise((resolve, reject) => {
        const end = (results = items.map((item) => `${item}!`)) => resolve(results);
        flushes.push({ items, end, fail: reject });
      }),
    endsAll,
  );
}

/** The items of each flush so far. */
const groups = () => flushes.map(({ items }) => items);

/** Lets all that is ready run: what leaves at the next turn has left. */
async function turn(): Promise<void> {
  for (let at = 0; at < 3; at++) await nextTurn();
}

test('callers of one turn leave together, at the next', async () => {
  const gathered = gather();
  const results = ['a', 'b', 'c'].map((item) => gathered.add(item));
  expect(groups()).toEqual([]);
  await turn();
  expect(groups()).toEqual([['a', 'b', 'c']]);
  flushes[0]?.end();
  expect(await Promise.all(results)).toEqual(['a!', 'b!', 'c!']);
});

test('a caller alone leaves at the next turn', async () => {
  const gathered = gather();
  const result = gathered.add('a');
  await turn();
  flushes[0]?.end();
  expect(await result).toBe('a!');
});

test('a group has at most so many items, and two are in flight', async () => {
  const gathered = gather();
  const results = [...'abcdefgh'].map((item) => gathered.add(item));
  await turn();
  expect(groups()).toEqual([
    ['a', 'b', 'c'],
    ['d', 'e', 'f'],
  ]);
  flushes[1]?.end();
  await turn();
  expect(groups()[2]).toEqual(['g', 'h']);
  flushes[2]?.end();
  flushes[0]?.end();
  expect(await Promise.all(results)).toEqual([...'abcdefgh'].map((item) => `${item}!`));
});

test('who comes while all are in flight forms the next group', async () => {
  const gathered = gather({ inFlight: 1 });
  const first = gathered.add('a');
  await turn();
  const later = ['b', 'c'].map((item) => gathered.add(item));
  await turn();
  expect(groups()).toEqual([['a']]);
  flushes[0]?.end();
  expect(await first).toBe('a!');
  await turn();
  expect(groups()).toEqual([['a'], ['b', 'c']]);
  flushes[1]?.end();
  expect(await Promise.all(later)).toEqual(['b!', 'c!']);
});

test('a group has at most so many bytes, up to the last one', async () => {
  const gathered = gather({ items: 10, inFlight: 9 });
  for (const [item, bytes] of [
    ['a', 60],
    ['b', 40],
    ['c', 1],
    ['d', 99],
    ['e', 1],
  ] as const)
    void gathered.add(item, bytes);
  await turn();
  expect(groups()).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
});

test('a larger item goes alone, and its neighbours without it', async () => {
  const gathered = gather({ items: 10, inFlight: 9 });
  for (const [item, bytes] of [
    ['a', 1],
    ['b', 101],
    ['c', 1],
  ] as const)
    void gathered.add(item, bytes);
  await turn();
  expect(groups()).toEqual([['a'], ['b'], ['c']]);
});

test('a flush that fails rejects its own group only', async () => {
  const gathered = gather({ items: 2 });
  const results = ['a', 'b', 'c', 'd', 'e'].map((item) => gathered.add(item));
  const settled = Promise.allSettled(results);
  await turn();
  const lost = new Error('lost');
  flushes[0]?.fail(lost);
  flushes[1]?.end();
  await turn();
  flushes[2]?.end();
  expect((await settled).map((each) => (each.status === 'rejected' ? each.reason : each.value))).toEqual([
    lost,
    lost,
    'c!',
    'd!',
    'e!',
  ]);
});

test('an error that others would meet, too, rejects all that have not left; what is on its way goes on', async () => {
  const away = new Error('away');
  const gathered = gather({ items: 1 }, (error) => error === away);
  const settled = Promise.allSettled(['a', 'b', 'c', 'd'].map((item) => gathered.add(item)));
  await turn();
  flushes[0]?.fail(away);
  flushes[1]?.end();
  expect((await settled).map((each) => (each.status === 'rejected' ? each.reason : each.value))).toEqual([
    away,
    'b!',
    away,
    away,
  ]);
  expect(groups()).toEqual([['a'], ['b']]);
});

test('a flush that throws at once rejects its group, and gives its place back', async () => {
  const throws = new Gather<string, string>({ items: 1, bytes: 1, inFlight: 1 }, () => {
    throw new Error('at once');
  });
  const results = await Promise.allSettled([throws.add('a'), throws.add('b')]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});

test('a flush runs under no deadline, though its callers do', async () => {
  const deadlines: (Deadline | undefined)[] = [];
  const limits = { items: 3, bytes: 100, inFlight: 1 };
  const groups = new Gather<string, string>(limits, async (items) => {
    deadlines.push(Deadline.current());
    return items;
  });
  const deadline = new Deadline({ refuseMs: 60_000, endMs: 60_000 });
  await deadline.run(async () => {
    expect(Deadline.current()).toBe(deadline);
    await Promise.all([groups.add('a'), groups.add('b').then(() => groups.add('c'))]);
  });
  deadline.close();
  expect(deadlines).toEqual([undefined, undefined]);
});
