import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { RawClient } from '../../../testing/raw-client.js';
import { lockKeys, lockReads, lockStarts, untilBlocked } from './locks.js';
import { ask, many, one, openStream, places, rawGet, someIspb, startOf, states, store, untilPolls } from './streams.js';

/** Far less than the time for which a poll waits. */
const SOON_MS = 4_000;

let stage: ApiStage;
const sockets: RawClient[] = [];

beforeAll(async () => {
  stage = await ApiStage.open();
});
afterEach(async () => {
  for (const client of sockets.splice(0)) client.socket.destroy();
  await untilPolls(stage, 0);
});
afterAll(() => stage?.close());

function get(...paths: (string | undefined)[]): RawClient {
  const client = rawGet(stage, ...paths);
  sockets.push(client);
  return client;
}

/** A GET whose client never reads: to the server it looks alive. */
function deaf(path?: string): RawClient {
  const client = get(path);
  client.socket.pause();
  return client;
}

/** Waits until so many starts of an ISPB are closed, and no other stream of it is open. */
async function untilGone(ispb: string, count: number): Promise<void> {
  await stage.until(async () => !(await states(stage, ispb)).includes('open'), 'all are closed', SOON_MS);
  expect(await states(stage, ispb)).toEqual(Array(count).fill('disconnect'));
}

test('a poll that hangs and its repeat have one batch and one next token: nothing is lost', async () => {
  const ispb = someIspb();
  const path = await openStream(stage, ispb);
  deaf(path);
  await untilPolls(stage, 1);
  const repeat = many(stage, path);
  await untilPolls(stage, 2);
  const ids = await store(stage, ispb, 2);
  const answer = await repeat;
  expect(answer.ids).toEqual(ids);
  await untilPolls(stage, 0);
  expect(await places(stage, ispb)).toEqual(['in flight', 'in flight']);
  const [last] = await store(stage, ispb);
  expect((await many(stage, answer.next)).ids).toEqual([last]);
  expect(await places(stage, ispb)).toEqual(['delivered', 'delivered', 'in flight']);
});

test('a batch that was claimed for a client that does not read comes again by the token that it has', async () => {
  const ispb = someIspb();
  const path = await openStream(stage, ispb);
  deaf(path);
  await untilPolls(stage, 1);
  const ids = await store(stage, ispb, 2);
  await untilPolls(stage, 0);
  expect(await places(stage, ispb)).toEqual(['in flight', 'in flight']);
  expect((await many(stage, path)).ids).toEqual(ids);
});

test('DELETE with the last token that is known acknowledges nothing that a lost answer brought', async () => {
  const ispb = someIspb();
  const [first, lost] = await store(stage, ispb, 2);
  const known = await one(stage, await openStream(stage, ispb));
  expect(known.ids).toEqual([first]);
  deaf(known.next);
  await stage.until(async () => (await places(stage, ispb))[1] === 'in flight', 'the second GET has claimed');
  expect((await ask(stage, 'DELETE', known.next ?? '')).status).toBe(200);
  expect(await places(stage, ispb)).toEqual(['delivered', 'waiting']);
  expect((await many(stage, startOf(ispb))).ids).toEqual([lost]);
});

test('a GET that timed out may claim late: DELETE after it still acknowledges only what was seen', async () => {
  const ispb = someIspb();
  const [first, late] = await store(stage, ispb, 2);
  const known = await one(stage, await openStream(stage, ispb));
  expect(known.ids).toEqual([first]);
  const release = await lockReads(stage, ispb);
  const timedOut = get(known.next);
  await untilBlocked(stage, 'pix_read', 1);
  timedOut.socket.destroy();
  const deleted = ask(stage, 'DELETE', known.next ?? '');
  await untilBlocked(stage, 'pix_close', 1);
  await release();
  expect((await deleted).status).toBe(200);
  await untilPolls(stage, 0);
  expect(await places(stage, ispb)).toEqual(['delivered', 'waiting']);
  expect((await many(stage, startOf(ispb))).ids).toEqual([late]);
});

test('a client that leaves while its poll waits ends it at once, and nothing is claimed for it', async () => {
  const ispb = someIspb();
  const path = await openStream(stage, ispb);
  const client = get(path);
  await untilPolls(stage, 1);
  client.socket.destroy();
  await untilPolls(stage, 0, SOON_MS);
  const ids = await store(stage, ispb, 2);
  expect(await places(stage, ispb)).toEqual(['waiting', 'waiting']);
  expect(await states(stage, ispb)).toEqual(['open']);
  expect((await many(stage, path)).ids).toEqual(ids);
});

test('a client that leaves with a body of its GET unfinished is seen, too', async () => {
  const ispb = someIspb();
  const path = await openStream(stage, ispb);
  const client = RawClient.to(stage.url);
  client.socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n${'x'.repeat(200_000)}`);
  await untilPolls(stage, 1);
  client.socket.destroy();
  await untilPolls(stage, 0, SOON_MS);
});

test('six starts whose clients leave while they wait hold no slot', async () => {
  const ispb = someIspb();
  const six = Array.from({ length: 6 }, () => get(startOf(ispb)));
  await stage.until(async () => (await states(stage, ispb)).length === 6, 'six wait');
  expect((await one(stage, startOf(ispb))).status).toBe(429);
  for (const { socket } of six) socket.destroy();
  await untilGone(ispb, 6);
  const ids = await store(stage, ispb, 2);
  expect((await many(stage, startOf(ispb))).ids).toEqual(ids);
});

test('a start whose client has left before its answer is closed, and its batch waits again', async () => {
  const ispb = someIspb();
  const ids = await store(stage, ispb, 2);
  const release = await lockStarts(stage, ispb);
  const client = get(startOf(ispb));
  await untilBlocked(stage, 'pix_start', 1);
  client.socket.destroy();
  await untilPolls(stage, 1);
  await release();
  await stage.until(async () => (await states(stage, ispb))[0] === 'disconnect', 'it is closed', SOON_MS);
  expect(await places(stage, ispb)).toEqual(['waiting', 'waiting']);
  expect((await many(stage, startOf(ispb))).ids).toEqual(ids);
});

test('a client that closes its connection after the whole answer keeps its stream', async () => {
  const ispb = someIspb();
  const ids = await store(stage, ispb, 2);
  const client = get(startOf(ispb));
  await stage.until(() => client.received.endsWith(']'), 'it has its answer');
  client.socket.destroy();
  const next = /pull-next: (\S+)/i.exec(client.received)?.[1];
  const [later] = await store(stage, ispb);
  expect((await many(stage, next)).ids).toEqual([later]);
  expect(await places(stage, ispb)).toEqual([...ids.map(() => 'delivered'), 'in flight']);
});

test('six starts that one client sends one after the other, without waiting, hold no slot when it leaves', async () => {
  const ispb = someIspb();
  const client = get(...Array(6).fill(startOf(ispb)));
  await stage.until(async () => (await states(stage, ispb)).length === 6, 'six wait');
  client.socket.destroy();
  await untilGone(ispb, 6);
});

test('a batch whose answer is behind a poll of the same connection waits again when its client leaves', async () => {
  const [waits, ispb] = [someIspb(), someIspb()];
  const ids = await store(stage, ispb, 2);
  const client = get(startOf(waits), startOf(ispb));
  await stage.until(async () => (await places(stage, ispb))[1] === 'in flight', 'the second one has claimed');
  client.socket.destroy();
  await untilGone(waits, 1);
  await untilGone(ispb, 1);
  expect(await places(stage, ispb)).toEqual(['waiting', 'waiting']);
  expect((await many(stage, startOf(ispb))).ids).toEqual(ids);
});

test('a client that has left while its key was looked for opens no stream, and claims nothing', async () => {
  const ispb = someIspb();
  const ids = await store(stage, ispb, 2);
  const release = await lockKeys(stage);
  const client = get(startOf(ispb));
  await untilBlocked(stage, 'FROM pix_participants', 1);
  client.socket.destroy();
  // A later request is answered: by now the server has seen that the client has left.
  await stage.api('GET', '/api/health');
  await release();
  expect((await many(stage, startOf(ispb))).ids).toEqual(ids);
  expect(await states(stage, ispb)).toEqual(['open']);
});

test('thousands of requests on one connection, twenty of them at once, leave no listener on it', async () => {
  const client = RawClient.to(stage.url);
  sockets.push(client);
  const get = `GET /api/pix/${someIspb()}/stream/zzzzzzzzzzzz HTTP/1.1\r\nHost: x\r\n\r\n`;
  for (let sent = 20; sent <= 2_000; sent += 20) {
    client.socket.write(get.repeat(20));
    await stage.until(() => client.received.split('HTTP/1.1 404').length - 1 === sent, `${sent} answers`);
  }
  expect(stage.output.filter((line) => line.includes('MaxListenersExceededWarning'))).toEqual([]);
});
