import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type OwnDatabase, onServer, ownDatabase } from '../../../testing/databases.js';
import { TcpProxy } from '../../../testing/proxy.js';
import { untilTrue } from '../../../testing/until.js';
import type { Config } from '../../platform/config.js';
import { Bell, Bells } from './bells.js';

const LONG_MS = 60_000;
const NO_LOG = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Whether a wait is over by now, without a turn of the event loop for timers. */
async function isOver(wait: Promise<void>): Promise<boolean> {
  return Promise.race([wait.then(() => true), Promise.resolve().then(() => Promise.resolve().then(() => false))]);
}

describe('a bell', () => {
  test('ends the wait when it rings, and says when it first rang', async () => {
    const bell = new Bell();
    const wait = bell.wait(LONG_MS, []);
    expect(await isOver(wait)).toBe(false);
    const before = performance.now();
    bell.ring();
    bell.ring();
    await wait;
    const rungAt = bell.take();
    expect(rungAt).toBeGreaterThanOrEqual(before);
    expect(bell.take()).toBeUndefined();
  });

  test('keeps a ring until it is taken, so that the next wait ends at once', async () => {
    const bell = new Bell();
    bell.ring();
    await bell.wait(LONG_MS, []);
    await bell.wait(LONG_MS, []);
    bell.take();
    expect(await isOver(bell.wait(1, []))).toBe(false);
  });

  test('ends the wait when its time is over, without a ring', async () => {
    const bell = new Bell();
    await bell.wait(0, []);
    expect(bell.take()).toBeUndefined();
  });

  test('ends the wait when one of its ends aborts, and at once when it has', async () => {
    const [bell, gone, stopping] = [new Bell(), new AbortController(), new AbortController()];
    const wait = bell.wait(LONG_MS, [gone.signal, stopping.signal]);
    expect(await isOver(wait)).toBe(false);
    stopping.abort();
    await wait;
    await bell.wait(LONG_MS, [gone.signal, stopping.signal]);
    expect(bell.take()).toBeUndefined();
  });

  test('leaves no listener on a signal that outlives its waits', async () => {
    const [bell, stopping] = [new Bell(), new AbortController()];
    const counted = { added: 0, removed: 0 };
    const signal = {
      aborted: false,
      addEventListener: () => counted.added++,
      removeEventListener: () => counted.removed++,
    } as unknown as typeof stopping.signal;
    for (let n = 0; n < 3; n++) await bell.wait(0, [signal]);
    expect(counted).toEqual({ added: 3, removed: 3 });
  });
});

describe('the bells of a process', () => {
  let database: OwnDatabase;
  let proxy: TcpProxy;
  let bells: Bells;
  let stop: AbortController;
  let running: Promise<void>;

  beforeAll(async () => {
    database = await ownDatabase();
  });
  beforeEach(async () => {
    proxy = await TcpProxy.openTo(database.url, 5_432);
    bells = new Bells({ databaseUrl: proxy.url } as Config, NO_LOG);
    stop = new AbortController();
    running = bells.loop(stop.signal);
  });
  afterEach(async () => {
    stop.abort();
    await running;
    await proxy.close();
  });
  afterAll(() => database?.drop());

  const notify = (ispb: string) => onServer(database.url, `SELECT pg_notify('pix_waiting', '${ispb}')`);
  /** A bell that hangs while the process listens: it has rung, as the first LISTEN rings all. */
  async function hung(ispb: string): Promise<Bell> {
    const bell = bells.hang(ispb);
    const ring = await untilTrue(async () => {
      await notify(ispb);
      return bell.take();
    }, 'it is heard');
    expect(ring).toBeGreaterThan(0);
    return bell;
  }

  test('no connection is made before the first poll', async () => {
    expect(proxy.connections).toBe(0);
    bells.hang('10000001');
    await untilTrue(() => proxy.connections === 1, 'it listens');
  });

  test('a notification rings all bells of its ISPB, and of no other', async () => {
    const [first, other] = [await hung('10000002'), await hung('10000003')];
    const second = bells.hang('10000002');
    await untilTrue(async () => {
      first.take();
      await notify('10000003');
      return other.take();
    }, 'nothing more is on the way');
    for (const bell of [first, second, other]) bell.take();
    await notify('10000002');
    await Promise.all([first.wait(LONG_MS, []), second.wait(LONG_MS, [])]);
    expect(other.take()).toBeUndefined();
  });

  test('a bell that was removed rings no more, and the others do', async () => {
    const removed = await hung('10000004');
    const stays = bells.hang('10000004');
    bells.remove('10000004', removed);
    removed.take();
    await untilTrue(async () => {
      await notify('10000004');
      return stays.take();
    }, 'it rings');
    expect(removed.take()).toBeUndefined();
  });

  test('an ISPB of which no poll waits any more takes no memory', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const used = () => {
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const before = used();
    for (let n = 0; n < 100_000; n++) bells.remove(String(n), bells.hang(String(n)));
    // A set for each would be more than twice as much.
    expect(used() - before).toBeLessThan(10_000_000);
  });

  test('what was notified while the connection was broken rings when it is back', async () => {
    const bell = await hung('10000005');
    await proxy.close();
    await notify('10000005');
    bell.take();
    await proxy.open();
    await bell.wait(LONG_MS, []);
    expect(bell.take()).toBeGreaterThan(0);
  });
});
