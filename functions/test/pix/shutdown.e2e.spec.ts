import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { RawClient } from '../../../testing/raw-client.js';
import { one, openStream, type Polled, places, someIspb, startOf, states, store, untilPolls } from './streams.js';

const POLLS = 50;
const STREAMS = 6;

let stage: ApiStage;
let other: ApiStage;
beforeAll(async () => {
  stage = await ApiStage.open();
  other = await stage.beside();
});
afterAll(async () => {
  await other?.close();
  await stage?.close();
});

test('told to stop, a process sends all that wait to another one, and their streams go on there', async () => {
  const ispbs = Array.from({ length: Math.ceil(POLLS / STREAMS) }, () => someIspb());
  const paths = await Promise.all(
    Array.from({ length: POLLS }, async (_, n) => {
      const ispb = ispbs[Math.floor(n / STREAMS)] ?? '';
      // Half of them are starts.
      return n % 2 ? startOf(ispb) : openStream(stage, ispb, (n % STREAMS) + 1);
    }),
  );
  const waiting = paths.map((path) => one(stage, path));
  // A request that has begun to come, and is whole only when the process is stopping.
  const begun = someIspb();
  const late = RawClient.to(stage.url);
  late.socket.write(`GET ${startOf(begun)} HTTP/1.1\r\nHost: x\r\n`);
  await untilPolls(stage, POLLS);
  await stage.until(async () => {
    const [row] = await stage.sql<{ count: number }>('SELECT count(*)::int AS count FROM pix_streams');
    return row?.count === POLLS;
  }, 'all have a stream');

  const exit = stage.stop();
  await stage.until(() => stage.output.some((line) => line.includes('"msg":"stopping"')), 'it stops');
  late.socket.write('\r\n');
  const answers = await Promise.all(waiting);
  expect(answers.map(seen)).toEqual(answers.map(() => ({ status: 204, text: '', connection: 'close' })));
  expect(new Set(answers.map(({ next }) => next)).size).toBe(POLLS);
  await late.closed;
  expect(late.statuses).toEqual([204]);
  expect(late.received).toMatch(/^connection: close\r$/im);
  expect(await exit).toBe(0);

  const lateNext = /pull-next: (\S+)/i.exec(late.received)?.[1] ?? '';
  for (const ispb of [...ispbs, begun]) expect(await states(stage, ispb)).not.toContain('disconnect');
  for (const ispb of [...ispbs, begun]) await store(stage, ispb, STREAMS);
  const followed = await Promise.all([...answers.map(({ next }) => next), lateNext].map((next) => one(other, next)));
  expect(followed.map(({ status, ids }) => [status, ids.length])).toEqual(followed.map(() => [200, 1]));
  expect(new Set(followed.flatMap(({ ids }) => ids)).size).toBe(POLLS + 1);
  expect((await places(stage, begun)).sort()).toEqual(['in flight', ...Array(STREAMS - 1).fill('waiting')]);
});

function seen({ status, text, headers }: Polled) {
  return { status, text, connection: headers.get('connection') };
}
