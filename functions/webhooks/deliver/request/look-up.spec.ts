import { createSocket } from 'node:dgram';
import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Config } from '../../../platform/config.js';
import { INSIDE } from '../../../test/webhooks/inside.js';
import { RawReceiver } from '../../../test/webhooks/raw-receiver.js';
import { checkedLookup, type Resolve, resolveByDns, resolveHere } from './look-up.js';
import { SendWebhook } from './send.js';

const BODY = Buffer.from('12345');
const NOT_PUBLIC = 'the address of the name is not public';
const PUBLIC: LookupAddress[] = [
  { address: '8.8.8.8', family: 4 },
  { address: '2001:4860:4860::8888', family: 6 },
];
const PRIVATE: LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '10.0.0.1', family: 4 },
  { address: '169.254.169.254', family: 4 },
  { address: '::1', family: 6 },
  { address: '::ffff:127.0.0.1', family: 6 },
  { address: 'fd00:ec2::254', family: 6 },
];

const strict = { webhooksAllowPrivate: false } as Config;
const local = { webhooksAllowPrivate: true } as Config;
let here: RawReceiver;
/** What the resolver returns, one entry a call; the last one again and again. */
let found: LookupAddress[][];
let asked: string[];

const resolve: Resolve = async (name) => {
  asked.push(name);
  return (found.length > 1 ? found.shift() : found[0]) ?? [];
};

beforeAll(async () => {
  here = await RawReceiver.answering('200 OK');
});
afterAll(() => here.close());
beforeEach(() => {
  asked = [];
  here.received.length = 0;
});

/** What an agent that tries several addresses is given. */
function lookUp(allowPrivate: boolean): Promise<unknown> {
  return promisify(checkedLookup(resolve, allowPrivate))('hooks.example', { all: true });
}

test.each(INSIDE)('no connection is made to a host inside, in whatever spelling: %s', async (host) => {
  found = [[{ address: '127.0.0.1', family: 4 }]];
  const sender = new SendWebhook(strict, { resolve });
  expect(await sender.send(`https://${host}:${here.port}`, {}, BODY)).toMatchObject({
    status: null,
    error: 'the url must lead to a public address',
  });
  expect(here.received).toEqual([]);
});

test('no connection is made to a name that resolves to addresses inside alone', async () => {
  found = [PRIVATE];
  const sender = new SendWebhook(strict, { resolve });
  for (const host of ['hooks.example', 'hooks.example.', '127.0.0.1..', 'localhost..'])
    expect(await sender.send(`https://${host}:${here.port}`, {}, BODY)).toMatchObject({ error: NOT_PUBLIC });
  expect(here.received).toEqual([]);
});

test('of the addresses of a name only those that were checked are handed on', async () => {
  found = [[...PRIVATE, ...PUBLIC, ...PRIVATE]];
  expect(await lookUp(false)).toEqual(PUBLIC);
  expect(await lookUp(true)).toEqual(found[0]);
});

test('a name that changes its address is not asked again: the address that was checked is used', async () => {
  found = [PUBLIC, PRIVATE];
  expect(await lookUp(false)).toEqual(PUBLIC);
  expect(asked).toEqual(['hooks.example']);
  await expect(lookUp(false)).rejects.toThrow(NOT_PUBLIC);

  found = [[{ address: '127.0.0.1', family: 4 }], [{ address: '127.0.0.2', family: 4 }]];
  asked = [];
  const sender = new SendWebhook(local, { resolve });
  expect(await sender.send(`http://hooks.example:${here.port}`, {}, BODY)).toMatchObject({ status: 200 });
  expect(asked).toEqual(['hooks.example']);
  expect(here.received).toHaveLength(1);
});

test('an agent that asks for one address gets the first that was checked', async () => {
  found = [[...PRIVATE, ...PUBLIC]];
  const lookup = checkedLookup(resolve, false);
  const given = await new Promise((done) => lookup('hooks.example', {}, (...all) => done(all)));
  expect(given).toEqual([null, '8.8.8.8', 4]);
});

test('the next address is tried when one does not answer', async () => {
  found = [['127.0.0.2', '127.0.0.1'].map((address) => ({ address, family: 4 }))];
  const sender = new SendWebhook(local, { resolve });
  expect(await sender.send(`http://hooks.example:${here.port}`, {}, BODY)).toMatchObject({ status: 200 });
});

test.each([
  ['has none', async () => []],
  ['fails', () => Promise.reject(new Error('getaddrinfo EAI_AGAIN 10.1.2.3'))],
])('a name without an address says so, and nothing of the resolver: it %s', async (_, none: Resolve) => {
  const sender = new SendWebhook(local, { resolve: none });
  expect(await sender.send('http://hooks.example', {}, BODY)).toMatchObject({ error: 'the name cannot be resolved' });
});

test('a look-up that hangs ends with the request', async () => {
  const sender = new SendWebhook(strict, { resolve: () => new Promise(() => undefined), limitMs: 100 });
  expect(await sender.send('https://hooks.example', {}, BODY)).toMatchObject({ error: 'no answer within 0.1 s' });
});

test('for local work the hosts of this machine are found, and http is taken', async () => {
  expect(await resolveHere('localhost')).toContainEqual({ address: '127.0.0.1', family: 4 });
  const sender = new SendWebhook(local);
  for (const host of ['127.0.0.1', '2130706433', 'localhost'])
    expect(await sender.send(`http://${host}:${here.port}`, {}, BODY)).toMatchObject({ status: 200 });
  expect(here.received).toHaveLength(3);
});

test('DNS servers are asked for both families, and one that is silent holds up no other name', async () => {
  const silent = await dnsServer({});
  const answering = await dnsServer({
    1: Buffer.from([8, 8, 8, 8]),
    28: Buffer.from('20014860486000000000000000008888', 'hex'),
  });
  let stillWaiting = 16;
  const waiting = Array.from({ length: stillWaiting }, async (_, i) => {
    const none = await resolveByDns(`${i}.example`, [silent.address]);
    stillWaiting -= 1;
    return none;
  });
  expect(await resolveByDns('hooks.example', [answering.address])).toEqual(PUBLIC);
  expect(stillWaiting).toBe(16);
  expect((await Promise.all(waiting)).flat()).toEqual([]);
  silent.close();
  answering.close();
});

/** @param records the bytes of an address by the number of its type. A type that is not there is not answered. */
async function dnsServer(records: Readonly<Record<number, Buffer>>): Promise<{ address: string; close(): void }> {
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const endOfName = query.indexOf(0, 12);
    const data = records[query.readUInt16BE(endOfName + 1)];
    if (data === undefined) return;
    const head = Buffer.from([...query.subarray(0, 2), 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    const question = query.subarray(12, endOfName + 5);
    const answer = Buffer.from([0xc0, 12, ...question.subarray(-4), 0, 0, 0, 60, 0, data.byteLength, ...data]);
    socket.send(Buffer.concat([head, question, answer]), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { address: `127.0.0.1:${socket.address().port}`, close: () => socket.close() };
}
