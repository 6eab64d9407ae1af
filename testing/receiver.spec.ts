import { afterEach, expect, test } from 'vitest';
import { RawClient } from './raw-client.js';
import { Receiver } from './receiver.js';
import { untilTrue } from './until.js';

const open: Receiver[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

async function receiver(...given: Parameters<typeof Receiver.open>): Promise<Receiver> {
  const opened = await Receiver.open(...given);
  open.push(opened);
  return opened;
}

function post(url: string, id: string, body: Buffer | string = ''): Promise<Response> {
  return fetch(url, { method: 'POST', headers: { 'webhook-id': id }, body: new Uint8Array(Buffer.from(body)) });
}

test('a request is kept byte by byte, with when it came', async () => {
  const here = await receiver();
  const bytes = Buffer.from([0, 0xff, 0xc3, 0x28, 10]);
  const before = Date.now();
  expect((await post(`${here.url}hook?a=1`, 'evt_1', bytes)).status).toBe(200);

  const [request] = await here.untilCount(1);
  expect(request).toMatchObject({ method: 'POST', path: '/hook?a=1', id: 'evt_1', turn: 1, body: bytes });
  expect(request?.at).toBeGreaterThanOrEqual(before);
  expect(request?.at).toBeLessThanOrEqual(Date.now());
});

test('the answer follows from the request and from how often its id has come', async () => {
  const here = await receiver(({ id, turn }) =>
    turn < 3 ? { status: 500, headers: { 'retry-after': '7' }, body: `${id} ${turn}` } : { status: 204 },
  );
  const answers: unknown[] = [];
  for (const id of ['a', 'b', 'a', 'a', 'b']) {
    const answer = await post(here.url, id);
    answers.push([answer.status, answer.headers.get('retry-after'), await answer.text()]);
  }

  expect(answers).toEqual([
    [500, '7', 'a 1'],
    [500, '7', 'b 1'],
    [500, '7', 'a 2'],
    [204, null, ''],
    [500, '7', 'b 2'],
  ]);
  expect(here.of('a').map(({ turn }) => turn)).toEqual([1, 2, 3]);
});

test('closing ends those that wait for an answer, its delay or its end', async () => {
  const replies = { a: { never: 'answer' }, b: { delayMs: 60_000 }, c: { never: 'end', body: 'part' } } as const;
  const here = await receiver(({ id }) => replies[id as 'a' | 'b' | 'c']);
  const clients = ['a', 'b', 'c'].map((id) => {
    const client = RawClient.to(here.url);
    client.socket.write(`POST / HTTP/1.1\r\nHost: x\r\nWebhook-Id: ${id}\r\nContent-Length: 0\r\n\r\n`);
    return client;
  });
  await here.untilCount(3);
  await untilTrue(() => clients[2]?.received.includes('part'), 'the part that is sent comes');
  expect([here.inFlight, here.mostInFlight]).toEqual([3, 3]);
  await here.close();
  open.splice(0);

  await Promise.all(clients.map(({ closed }) => closed));
  expect(clients.map(({ statuses }) => statuses)).toEqual([[], [], [200]]);
  await untilTrue(() => here.inFlight === 0, 'nothing is in flight');
});

test('a request whose body breaks off is not kept', async () => {
  const here = await receiver();
  const client = RawClient.to(here.url);
  client.socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nfour');
  await untilTrue(() => here.inFlight === 1, 'its head has come');
  client.socket.destroy();
  await untilTrue(() => here.inFlight === 0, 'it has broken off');
  await post(here.url, 'whole');

  expect(here.requests.map(({ id }) => id)).toEqual(['whole']);
});

test('one that comes back is on the same port', async () => {
  const first = await Receiver.open();
  const { port } = first;
  await first.close();
  const second = await receiver(() => ({ delayMs: 1 }), { port });
  expect((await post(`http://127.0.0.1:${port}/`, 'a')).status).toBe(200);
  expect(second.requests).toHaveLength(1);
});
