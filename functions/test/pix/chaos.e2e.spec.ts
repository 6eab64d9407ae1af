import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { randomFrom } from '../../../testing/random.js';
import { untilTrue } from '../../../testing/until.js';
import { CarelessCollector } from './careless-collector.js';
import { Book, readTables } from './invariants.js';

const ISPB = '32074986';
const MESSAGES = 2_000;
const PART = 100;
/** After how many messages, which process, how; and whether it comes back. */
const TROUBLES = [
  { at: 500, process: 0, signal: 'SIGKILL', returns: true },
  { at: 1_200, process: 1, signal: 'SIGTERM', returns: true },
  { at: 1_700, process: 0, signal: 'SIGKILL', returns: false },
] as const;

const seed = Date.now() % 1_000_000_000;
const random = randomFrom(seed);
const done = new AbortController();
const book = new Book();
let processes: ApiStage[] = [];
let monitor: pg.PoolClient;
let collectors: CarelessCollector[] = [];

beforeAll(async () => {
  const first = await ApiStage.open();
  processes = [first];
  processes.push(await first.beside());
  monitor = await first.stores.pool.connect();
  collectors = Array.from({ length: 8 }, () => new CarelessCollector(ISPB, processes, book, random));
});
afterAll(async () => {
  done.abort();
  monitor?.release();
  for (const each of processes.toReversed()) await each.close();
});

/** Looks at the three places, and lets the streams expire that nobody follows, again and again. */
async function look(): Promise<void> {
  while (!done.signal.aborted) {
    const { confirmed } = book;
    book.check(await readTables(monitor), confirmed);
    await monitor.query(
      `UPDATE pix_streams SET expires_at = clock_timestamp() - interval '1 s' WHERE closed_at IS NULL AND id <> ALL ($1)`,
      [collectors.flatMap(({ stream }) => stream ?? [])],
    );
  }
}

async function made(): Promise<number> {
  return (await processes[0]?.sql<{ n: number }>('SELECT count(*)::int AS n FROM pix_messages'))?.[0]?.n ?? 0;
}

/** Makes messages in parts, and does not stop while a process is away. */
async function make(): Promise<void> {
  const troubles = [...TROUBLES];
  let trouble = Promise.resolve();
  for (let n = 0; n < MESSAGES; n = await made()) {
    const next = troubles[0];
    if (next && n >= next.at) {
      troubles.shift();
      await trouble;
      trouble = play(next);
    }
    const process = processes[Math.floor(random() * 2)];
    // It may have been killed before or after its commit.
    await process?.api('POST', `/api/util/msgs/${ISPB}/${PART}`).catch(() => {});
    await untilTrue(() => book.owed < PART, 'most of them are fetched');
  }
  await trouble;
}

async function play({ process: which, signal, returns }: (typeof TROUBLES)[number]): Promise<void> {
  const process = processes[which] as ApiStage;
  if (signal === 'SIGKILL') await process.kill();
  else expect(await process.stop()).toBe(0);
  if (returns) await process.start();
}

test('two thousand messages are acknowledged once each while processes and clients come and go', async () => {
  console.log(`seed ${seed}`);
  const crowd = Promise.all([look(), ...collectors.map((each) => each.run(done.signal))]);
  const all = async () => {
    await make();
    await untilTrue(async () => book.owed === 0 && (await made()) === book.acknowledged, 'all of them are fetched');
  };
  await Promise.race([crowd, all()]);
  done.abort();
  await crowd;
  const tables = await readTables(monitor);
  book.check(tables);
  expect(tables.messages.length).toBeGreaterThanOrEqual(MESSAGES);
  expect(tables.messages.filter(({ by, waiting, held }) => by === null || waiting + held > 0)).toEqual([]);
}, 120_000);
