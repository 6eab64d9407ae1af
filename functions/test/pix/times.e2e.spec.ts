import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { untilTrue } from '../../../testing/until.js';
import { lockReads, lockStarts, unlockAll, untilBlocked } from './locks.js';
import {
  MOST_MS,
  many,
  metric,
  one,
  openStream,
  type Polled,
  places,
  refusal,
  servedMs,
  someIspb,
  startOf,
  states,
  store,
  UNAVAILABLE,
  waiting,
} from './streams.js';

/** From the arrival of a request to its 204. */
const WAIT_MS = 7_800;
/** Connections of a process to PostgreSQL. */
const POOL = 10;

let stage: ApiStage;
/** On the same stores: its connections are all taken in one of the tests. */
let other: ApiStage;
beforeAll(async () => {
  stage = await ApiStage.open();
  other = await stage.beside();
});
afterAll(async () => {
  await unlockAll();
  await other?.close();
  await stage?.close();
});

const nothing = ({ status, next, text, headers }: Polled) => ({
  status,
  next,
  text,
  type: headers.get('content-type'),
  length: headers.get('content-length'),
});
const empty = (next: string) => ({ status: 204, next, text: '', type: null, length: null });

async function expectTimes(process: ApiStage, answers: readonly Polled[]): Promise<void> {
  const times = await Promise.all(answers.map((answer) => servedMs(process, answer)));
  expect(Math.min(...times)).toBeGreaterThanOrEqual(WAIT_MS - 1);
  expect(Math.max(...times)).toBeLessThan(MOST_MS);
}

/** Waits until so long after a time: for what is a matter of time itself. */
function untilAfter(began: number, ms: number): Promise<unknown> {
  return untilTrue(() => performance.now() - began > ms, `${ms} ms are over`);
}

// They wait for the same eight seconds, all together.
describe.concurrent('polls without a message', () => {
  test('wait 7.8 s and no client longer than 8 s, and keep their token', async () => {
    const ispbs = [someIspb(), someIspb()];
    const paths = await Promise.all(
      Array.from({ length: 8 }, (_, n) => openStream(stage, ispbs[n % 2] ?? '', (n >> 1) + 1)),
    );
    const answers = await Promise.all(paths.map((path) => one(stage, path)));
    expect(answers.map(nothing)).toEqual(paths.map(empty));
    await expectTimes(stage, answers);
  });

  test('also count from their arrival when they queue for a connection', async () => {
    const [blocked, queued] = [someIspb(), someIspb()];
    const release = await lockStarts(stage, blocked);
    const began = performance.now();
    const blockers = Array.from({ length: POOL }, () => one(other, startOf(blocked)));
    // Of this ISPB: another test has starts that wait, too.
    await untilBlocked(stage, 'pix_start', POOL, release.pid);
    const paths = await Promise.all([1, 2].map((slot) => openStream(stage, queued, slot)));
    const polls = [...paths, startOf(queued), startOf(queued)].map((path) => one(other, path));
    // A wait that began only now would be longer than MOST_MS.
    await untilAfter(began, 1_500);
    await release();
    const answers = await Promise.all(polls);
    expect(answers.map(({ status }) => status)).toEqual([204, 204, 204, 204]);
    await expectTimes(other, answers);
    const statuses = (await Promise.all(blockers)).map(({ status }) => status).sort();
    expect(statuses).toEqual([204, 204, 204, 204, 204, 204, 429, 429, 429, 429]);
  });

  test('write nothing while they wait', async () => {
    const ispb = someIspb();
    const answer = one(stage, startOf(ispb));
    const row = () => stage.sql('SELECT ctid, xmin, xmax, current_read FROM pix_streams WHERE ispb = $1', [ispb]);
    await stage.until(async () => (await row()).length === 1, 'it is open');
    const [before, began] = [await row(), performance.now()];
    await untilAfter(began, 4_500);
    expect(await row()).toEqual(before);
    expect((await answer).status).toBe(204);
  });

  test('look, and end what is overdue, so that its messages come to them', async () => {
    const ispb = someIspb();
    const ids = await store(stage, ispb, 2);
    expect((await many(stage, await openStream(stage, ispb, 1))).ids).toEqual(ids);
    const path = await openStream(stage, ispb, 2);
    const poll = many(stage, path);
    // No notification says that a stream has become overdue.
    await stage.sql(`UPDATE pix_streams SET expires_at = now() + interval '0.5 s' WHERE ispb = $1 AND slot = 1`, [
      ispb,
    ]);
    const answer = await poll;
    expect(answer.ids).toEqual(ids);
    expect(await servedMs(stage, answer)).toBeLessThan(5_000);
  });

  test('a start that PostgreSQL does not finish in time is a 503, and its stream is closed later', async () => {
    const ispb = someIspb();
    const ids = await store(stage, ispb, 2);
    const release = await lockStarts(stage, ispb);
    const answer = await many(stage, startOf(ispb));
    expect(refusal(answer)).toEqual(UNAVAILABLE);
    expect(await servedMs(stage, answer)).toBeLessThan(MOST_MS);
    await release();
    await stage.until(async () => (await states(stage, ispb))[0] === 'disconnect', 'it is closed');
    expect(await places(stage, ispb)).toEqual(['waiting', 'waiting']);
    expect((await many(stage, startOf(ispb))).ids).toEqual(ids);
  });

  test('a first read that is not finished in time is a 503, and what it claims comes again', async () => {
    const ispb = someIspb();
    const path = await openStream(stage, ispb);
    const ids = await store(stage, ispb, 2);
    const release = await lockReads(stage, ispb);
    const answer = await many(stage, path);
    expect(refusal(answer)).toEqual(UNAVAILABLE);
    expect(await servedMs(stage, answer)).toBeLessThan(MOST_MS);
    await release();
    await stage.until(async () => (await places(stage, ispb))[0] === 'in flight', 'it claims late');
    expect((await many(stage, path)).ids).toEqual(ids);
  });

  test('a later read that is not finished in time is a 204, and what it claims comes again', async () => {
    const ispb = someIspb();
    const { path, answer: poll } = await waiting(stage, ispb);
    const release = await lockReads(stage, ispb);
    const ids = await store(stage, ispb, 2);
    const answer = await poll;
    expect(nothing(answer)).toEqual(empty(path));
    expect(await servedMs(stage, answer)).toBeLessThan(MOST_MS);
    await release();
    await stage.until(async () => (await places(stage, ispb))[0] === 'in flight', 'it claims late');
    expect((await many(stage, path)).ids).toEqual(ids);
  });
});

test('a message that comes during the wait is answered at once, whichever process it came by', async () => {
  const wakes = async () => {
    const name = 'disparo_pix_wake_seconds_count';
    return (await metric(stage, name)) + (await metric(other, name));
  };
  for (const [polled, told] of [
    [stage, other],
    [other, stage],
    [other, other],
  ] as const)
    await stage.until(async () => {
      const before = await wakes();
      const ispb = someIspb();
      const { answer } = await waiting(stage, ispb, polled);
      expect((await told.api('POST', `/api/util/msgs/${ispb}/2`)).status).toBe(201);
      const { status, ids } = await answer;
      expect([status, ids.length]).toEqual([200, 2]);
      expect(await servedMs(polled, await answer)).toBeLessThan(WAIT_MS);
      // A look of its own may come before the bell: then once more.
      return (await wakes()) === before + 1;
    }, 'a bell wakes it');
});
