import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { TcpProxy } from '../../../testing/proxy.js';
import { lockReads, lockStarts, unlockAll, untilBlocked } from './locks.js';
import {
  ask,
  MOST_MS,
  metric,
  one,
  openStream,
  places,
  refusal,
  servedMs,
  someIspb,
  startOf,
  states,
  store,
  UNAVAILABLE,
  untilPolls,
  waiting,
} from './streams.js';

const POSTGRES_PORT = 5432;

let stage: ApiStage;

/** A process of its own, which reaches PostgreSQL through this proxy. `heard`: what PostgreSQL has sent to it. */
async function behindProxy(): Promise<{ api: ApiStage; proxy: TcpProxy; heard: string[] }> {
  const heard: string[] = [];
  const hear = (bytes: Buffer) => heard.push(bytes.toString('latin1'));
  const proxy = await TcpProxy.openTo(stage.stores.env.DATABASE_URL, POSTGRES_PORT, hear);
  const api = await stage.beside({ DATABASE_URL: proxy.url });
  // For the first error that it logs a process reads its source map, which can take seconds: not while time is measured.
  await proxy.close();
  await one(api, startOf(someIspb()));
  await proxy.open();
  return { api, proxy, heard };
}

let closed: Awaited<ReturnType<typeof behindProxy>>;
let away: Awaited<ReturnType<typeof behindProxy>>;
let held: Awaited<ReturnType<typeof behindProxy>>;
const all = () => [closed, away, held].filter((each) => each !== undefined);

beforeAll(async () => {
  stage = await ApiStage.open();
  closed = await behindProxy();
  away = await behindProxy();
  held = await behindProxy();
}, 120_000);
afterAll(async () => {
  await unlockAll();
  await Promise.all(all().map(({ api }) => api.close()));
  await Promise.all(all().map(({ proxy }) => proxy.close()));
  await stage?.close();
});

// Three processes, and each has an outage of its own.
describe.concurrent('while PostgreSQL is away', () => {
  test('each route is a 503 without Pull-Next, and a poll that waits gets its message when it is back', async () => {
    const { api, proxy } = closed;
    const ispb = someIspb();
    const { path, answer } = await waiting(stage, ispb, api);
    await proxy.close();
    const ids = await store(stage, ispb, 2);
    expect(refusal(await one(api, startOf(ispb)))).toEqual(UNAVAILABLE);
    expect(refusal(await one(api, path))).toEqual(UNAVAILABLE);
    expect(refusal(await ask(api, 'DELETE', path))).toEqual(UNAVAILABLE);
    // Nobody asks PostgreSQL for a token that can be none.
    expect((await one(api, `${startOf(ispb)}x`)).status).toBe(404);
    expect((await ask(api, 'DELETE', `/api/pix/${ispb}/stream/A-token`)).status).toBe(404);
    await proxy.open();
    const { status, ids: found } = await answer;
    expect([status, found]).toEqual([200, ids]);
    expect(await places(stage, ispb)).toEqual(['in flight', 'in flight']);
    expect(await states(stage, ispb)).toEqual(['open']);
  });

  test('a poll whose last try fails is a 503, and a start of which nobody heard is closed when it is back', async () => {
    const { api, proxy } = away;
    const [followed, started] = [someIspb(), someIspb()];
    const { path, answer } = await waiting(stage, followed, api);
    const start = one(api, startOf(started));
    await stage.until(async () => (await states(stage, started)).length === 1, 'it is open');
    await untilPolls(api, 2);
    await proxy.close();
    const answers = await Promise.all([answer, start]);
    expect(answers.map(refusal)).toEqual([UNAVAILABLE, UNAVAILABLE]);
    for (const each of answers) {
      const ms = await servedMs(api, each);
      expect([ms > 7_790, ms < MOST_MS]).toEqual([true, true]);
    }
    await proxy.open();
    await stage.until(async () => (await states(stage, started))[0] === 'disconnect', 'the start is closed');
    const ids = await store(stage, followed);
    expect((await one(api, path)).ids).toEqual(ids);
  });

  test('a PostgreSQL that is silent holds up no answer beyond 8 s: 503 for a first read and DELETE, else 204', async () => {
    const { api, proxy } = held;
    const ispb = someIspb();
    const { path, answer } = await waiting(stage, ispb, api);
    // Each has a connection then: to wait for a new one ends sooner.
    const none = `/api/pix/${ispb}/stream/zzzzzzzzzzzz`;
    await Promise.all(Array.from({ length: 5 }, () => one(api, none)));
    proxy.hold();
    const first = [one(api, startOf(ispb)), one(api, path), ask(api, 'DELETE', path)];
    const { status, next } = await answer;
    expect({ status, next }).toEqual({ status: 204, next: path });
    const refused = await Promise.all(first);
    expect(refused.map(refusal)).toEqual(Array(3).fill(UNAVAILABLE));
    for (const each of [await answer, ...refused]) expect(await servedMs(api, each)).toBeLessThan(MOST_MS);
    await proxy.open();
    const ids = await store(stage, ispb);
    await stage.until(async () => (await one(api, path)).ids[0] === ids[0], 'its stream goes on');
  });
});

test('a start that PostgreSQL goes on with when its connection has broken is closed in the end', async () => {
  const { api, proxy, heard } = closed;
  const ispb = someIspb();
  await store(stage, ispb, 2);
  const release = await lockStarts(stage, ispb);
  const start = one(api, startOf(ispb));
  await untilBlocked(stage, 'pix_start', 1);
  await proxy.close();
  expect(refusal(await start)).toEqual(UNAVAILABLE);
  heard.length = 0;
  await proxy.open();
  // Its stream is not there yet.
  await stage.until(() => heard.some((bytes) => bytes.includes('unknown')), 'its end is tried');
  expect(await states(stage, ispb)).toEqual([]);
  await release();
  await stage.until(async () => (await states(stage, ispb))[0] === 'disconnect', 'it is closed');
  expect(await places(stage, ispb)).toEqual(['waiting', 'waiting']);
});

test('a listener whose connection PostgreSQL ends listens again, and polls are woken as before', async () => {
  const listeners = async () => {
    const sql = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN "pix_waiting"'`;
    return (await stage.sql<{ pid: number }>(sql)).map(({ pid }) => pid);
  };
  const added = async (known: readonly number[]) => {
    await stage.until(async () => (await listeners()).some((pid) => !known.includes(pid)), 'one more listens');
    return (await listeners()).filter((pid) => !known.includes(pid));
  };
  // Other processes may listen; this one does from its first poll on.
  const others = await listeners();
  const ispb = someIspb();
  const answer = one(stage, await openStream(stage, ispb));
  const own = await added(others);
  expect(own).toHaveLength(1);
  await stage.sql('SELECT pg_terminate_backend($1)', own);
  await added([...others, ...own]);
  const [id] = await store(stage, ispb);
  expect((await answer).ids).toEqual([id]);
  expect(await metric(stage, 'disparo_pix_wake_seconds_count')).toBe(1);
  const says = 'notifications of the database are heard again';
  await stage.until(() => stage.output.some((line) => line.includes(says)), 'it says so');
});

test('a read that PostgreSQL cancels is a 503 for a first one, and a poll that waits reads again', async () => {
  const ispb = someIspb();
  const { answer } = await waiting(stage, ispb);
  const second = await openStream(stage, ispb, 2);
  const release = await lockReads(stage, ispb);
  const first = one(stage, second);
  const ids = await store(stage, ispb, 2);
  await untilBlocked(stage, 'pix_read', 2);
  const blocked = `datname = current_database() AND wait_event_type = 'Lock' AND position('pix_read' IN query) > 0`;
  await stage.sql(`SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE ${blocked}`);
  expect(refusal(await first)).toEqual(UNAVAILABLE);
  await release();
  const { status, ids: found } = await answer;
  expect([status, found]).toEqual([200, ids]);
});
