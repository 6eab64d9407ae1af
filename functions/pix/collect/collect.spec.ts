import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ServiceUnavailable } from '../../platform/problem.js';
import { Runtime } from '../../platform/runtime.js';
import type { PixMeter } from '../upkeep/pix-meter.js';
import type { AbandonedStreams } from './abandoned-streams.js';
import { Bell, type Bells } from './bells.js';
import { Collect } from './collect.js';
import type { ReadResult, StartResult, StreamsRepository } from './streams.repository.js';

const TOKEN = { stream: 'aaaaaaaa', read: 'bbbb' };
const EMPTY = { outcome: 'empty', read: 'bbbb' } as const;
/** Longer than a ring takes, and shorter than a look. */
const SOON_MS = 700;

/** What the database says, call by call; the test sets it. */
let start: () => Promise<StartResult>;
let read: () => Promise<ReadResult>;
let look: () => Promise<boolean>;
let hung: Set<Bell>;
let closed: string[];
let counts: { reads: number; looks: number };
let woke: number[];
let runtime: Runtime;
let gone: AbortController;
let collect: Collect;

beforeEach(() => {
  [hung, closed, woke, counts] = [new Set(), [], [], { reads: 0, looks: 0 }];
  start = async () => EMPTY;
  read = async () => EMPTY;
  look = async () => false;
  runtime = new Runtime('server');
  gone = new AbortController();
  const streams = {
    start: () => start(),
    read: () => {
      counts.reads++;
      return read();
    },
    look: () => {
      counts.looks++;
      return look();
    },
  } as unknown as StreamsRepository;
  const bells = {
    hang: () => {
      const bell = new Bell();
      hung.add(bell);
      return bell;
    },
    remove: (_: string, bell: Bell) => hung.delete(bell),
  } as unknown as Bells;
  const abandoned = {
    close: (_: string, { stream }: typeof TOKEN) => closed.push(stream),
  } as unknown as AbandonedStreams;
  const meter = {
    begins: () => {},
    ends: () => {},
    handsOut: () => {},
    woke: (ms: number) => woke.push(ms),
  } as unknown as PixMeter;
  collect = new Collect(streams, bells, abandoned, meter, runtime);
});

const ring = () => {
  for (const bell of hung) bell.ring();
};
const batch = (next: string): ReadResult => ({ outcome: 'batch', read: next, size: 1, body: '{}' });
const ask = (token: typeof TOKEN | undefined, arrivedAt = performance.now()) =>
  collect.collect({ ispb: '10000000', token, limit: 1, arrivedAt, gone: gone.signal });
const follow = (arrivedAt?: number) => ask(TOKEN, arrivedAt);
const begin = (arrivedAt?: number) => ask(undefined, arrivedAt);
const BATCH = { kind: 'batch', token: { stream: 'aaaaaaaa', read: 'cccc' }, body: '{}' };
const NOTHING = { kind: 'empty', token: TOKEN };

async function soon<T>(work: Promise<T>): Promise<T | 'late'> {
  return Promise.race([work, delay(SOON_MS, 'late' as const, { ref: false })]);
}

describe('waking', () => {
  test('a message that comes during the first read is read at once', async () => {
    let turn = 0;
    read = async () => {
      if (turn++ > 0) return batch('cccc');
      ring();
      return EMPTY;
    };
    look = async () => true;
    expect(await soon(follow())).toEqual(BATCH);
  });

  test('a message that comes during a look that still found nothing is looked for again at once', async () => {
    let turn = 0;
    look = async () => {
      if (turn++ > 0) return true;
      ring();
      return false;
    };
    read = async () => (counts.reads === 1 ? EMPTY : batch('cccc'));
    const answer = follow();
    await delay(0);
    ring();
    expect(await soon(answer)).toEqual(BATCH);
    expect(counts).toEqual({ reads: 2, looks: 2 });
    expect(woke).toHaveLength(1);
  });

  test('a ring where another has taken the message reads nothing, and the poll waits on', async () => {
    const answer = follow();
    await delay(0);
    ring();
    expect(await soon(answer)).toBe('late');
    expect(counts.reads).toBe(1);
    runtime.stop('the test is over');
    expect(await answer).toEqual(NOTHING);
  });

  test('no bell hangs once the poll has ended, however it ends', async () => {
    read = async () => batch('cccc');
    await follow();
    read = async () => ({ outcome: 'expired' });
    await expect(follow()).rejects.toMatchObject({ code: 'PIX.STREAM_EXPIRED' });
    expect(hung.size).toBe(0);
  });
});

describe('a client that has left', () => {
  test('during a look: nothing is claimed for it', async () => {
    look = async () => {
      gone.abort();
      return true;
    };
    const answer = follow();
    await delay(0);
    ring();
    expect(await soon(answer)).toEqual(NOTHING);
    expect(counts).toEqual({ reads: 1, looks: 1 });
  });

  test('while it waits: the poll ends without another statement', async () => {
    const answer = follow();
    await delay(0);
    gone.abort();
    expect(await soon(answer)).toEqual(NOTHING);
    expect(counts).toEqual({ reads: 1, looks: 0 });
  });

  test('before its poll begins: nothing is read, and no stream is opened', async () => {
    gone.abort();
    expect(await follow()).toEqual(NOTHING);
    start = () => Promise.reject(new Error('opened'));
    expect(await begin()).toMatchObject({ kind: 'empty' });
    expect([counts, closed]).toEqual([{ reads: 0, looks: 0 }, []]);
  });

  test('from a start: its stream is closed once it has been opened, and not before', async () => {
    let open: (started: StartResult) => void = () => {};
    start = () => new Promise((resolve) => (open = resolve));
    const answer = begin();
    gone.abort();
    await delay(0);
    expect(closed).toEqual([]);
    open(batch('cccc'));
    await answer;
    await delay(0);
    expect(closed).toHaveLength(1);
  });
});

describe('time', () => {
  test('counts from the arrival, and not from the first read', async () => {
    expect(await soon(follow(performance.now() - 7_700))).toEqual(NOTHING);
    // The first one, and the last.
    expect(counts.reads).toBe(2);
  });

  test('a first read that is not done is unavailable; a later one is an answer without a message', async () => {
    const late = performance.now() - 7_900;
    read = () => new Promise(() => {});
    await expect(follow(late)).rejects.toBeInstanceOf(ServiceUnavailable);
    read = () => (counts.reads === 2 ? Promise.resolve(EMPTY) : new Promise(() => {}));
    expect(await soon(follow(performance.now() - 7_790))).toEqual(NOTHING);
  });

  test('a start that is not done is unavailable, and is closed when it is done', async () => {
    let open: (started: StartResult) => void = () => {};
    start = () => new Promise((resolve) => (open = resolve));
    await expect(begin(performance.now() - 7_950)).rejects.toBeInstanceOf(ServiceUnavailable);
    expect(closed).toEqual([]);
    open(batch('cccc'));
    await delay(0);
    expect(closed).toHaveLength(1);
  });

  test('a store that is away is tried again until the last read, which says so', async () => {
    let turn = 0;
    read = async () => {
      if (turn++ === 0) return EMPTY;
      throw new ServiceUnavailable('away');
    };
    look = () => Promise.reject(new ServiceUnavailable('away'));
    const answer = follow(performance.now() - 6_500);
    await delay(0);
    ring();
    await expect(answer).rejects.toBeInstanceOf(ServiceUnavailable);
    expect([counts.reads, counts.looks > 0]).toEqual([2, true]);
  });
});

describe('to the millisecond', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const never = () => new Promise<never>(() => {});
  /** How long after its arrival a poll is answered, and with what. */
  async function answered(work: Promise<unknown>): Promise<[number, unknown]> {
    const arrivedAt = performance.now();
    let at: [number, unknown] | undefined;
    const note = (answer: unknown) => {
      at = [performance.now() - arrivedAt, answer];
    };
    work.then(note, note);
    while (at === undefined && vi.getTimerCount() > 0) await vi.advanceTimersToNextTimerAsync();
    return at ?? [Number.POSITIVE_INFINITY, 'nothing'];
  }

  test('a poll without a message is answered 7.8 s after its arrival, one that came late too', async () => {
    expect(await answered(follow())).toEqual([7_800, NOTHING]);
    expect(await answered(begin())).toMatchObject([7_800, { kind: 'empty' }]);
    expect(await answered(follow(performance.now() - 3_000))).toEqual([4_800, NOTHING]);
  });

  test('a first read and a start that are not done are given up 7.95 s after the arrival', async () => {
    [read, start] = [never, never];
    for (const ask of [follow, begin]) expect(await answered(ask())).toEqual([7_950, expect.any(ServiceUnavailable)]);
    expect(await answered(follow(performance.now() - 3_000))).toEqual([4_950, expect.any(ServiceUnavailable)]);
  });

  test('a last read, and a look, that are not done are given up 7.95 s after the arrival', async () => {
    read = () => (counts.reads === 1 ? Promise.resolve(EMPTY) : never());
    expect(await answered(follow())).toEqual([7_950, NOTHING]);
    expect(counts.reads).toBe(2);
    [read, look] = [async () => EMPTY, never];
    expect(await answered(follow())).toEqual([7_950, NOTHING]);
  });
});

describe('a start', () => {
  test('whose id exists is made once more, and the other stream is left alone', async () => {
    let turn = 0;
    start = async () => (turn++ === 0 ? { outcome: 'exists' } : batch('cccc'));
    expect(await begin()).toMatchObject({ kind: 'batch' });
    gone.abort();
    await delay(0);
    // Its client left before the answer was written: of the second one alone.
    expect([turn, closed.length]).toEqual([2, 1]);
  });

  test('that finds no slot is refused, and closes nothing', async () => {
    start = async () => ({ outcome: 'full', retry_after: 7 });
    await expect(begin()).rejects.toMatchObject({ status: 429, headers: { 'retry-after': '7' } });
    gone.abort();
    await delay(0);
    expect(closed).toEqual([]);
  });
});
