import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { afterEach, expect, test } from 'vitest';
import { untilTrue } from '../../../../testing/until.js';
import type { Config } from '../../../platform/config.js';
import { RawReceiver } from '../../../test/webhooks/raw-receiver.js';
import { requestOf } from './request.js';
import { SendWebhook } from './send.js';

const SHORT_MS = 300;
const NOW = Date.UTC(2026, 10, 30, 12);
const HEADERS = { 'content-type': 'application/json', 'content-length': '5' };
const BODY = Buffer.from('12345');
/** More than the buffers of a connection hold. */
const LARGE = Buffer.alloc(32 * 1_024 * 1_024, 'x');
const LARGE_HEADERS = { 'content-length': String(LARGE.byteLength) };

const config = { webhooksAllowPrivate: true } as Config;
const sender = new SendWebhook(config, { nowMs: () => NOW });
const hasty = new SendWebhook(config, { limitMs: SHORT_MS });
/** Its limit is none of a test's time: what waits for it fails. */
const patient = new SendWebhook(config, { limitMs: 600_000 });
let receivers: { close(): unknown }[] = [];

afterEach(async () => {
  for (const receiver of receivers) await receiver.close();
  receivers = [];
});

async function receive(...how: Parameters<typeof RawReceiver.open>): Promise<RawReceiver> {
  const receiver = await RawReceiver.open(...how);
  receivers.push(receiver);
  return receiver;
}

async function answering(...how: Parameters<typeof RawReceiver.answering>): Promise<RawReceiver> {
  const receiver = await RawReceiver.answering(...how);
  receivers.push(receiver);
  return receiver;
}

/** Says the start, and then a piece now and then, for ever. */
function drip(socket: Socket, start: string, piece = 'x'): void {
  socket.write(start);
  const timer = setInterval(() => socket.write(piece), SHORT_MS / 10);
  socket.on('close', () => clearInterval(timer));
}

test('a request arrives once, as it was signed', async () => {
  const secret = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
  const event = {
    id: '1',
    type: 'a.b',
    version: 1,
    clientId: 'c',
    message: 'é',
    time: null,
    receivedAt: new Date(NOW),
  };
  const { headers, body } = requestOf({ url: '', secrets: [secret], row: 1, event }, Date.now());
  const verified: unknown[] = [];
  const server = createServer(async (request, response) => {
    const raw = await buffer(request);
    verified.push(new Webhook(secret).verify(raw, request.headers as Record<string, string>));
    response.writeHead(201).end(`${request.method} ${request.url} ${request.headers.connection}`);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  receivers.push(server);

  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks?a=b`;
  expect(await sender.send(url, headers, body)).toEqual({
    status: 201,
    error: null,
    tookMs: expect.any(Number),
    response: 'POST /hooks?a=b close',
    retryAfterMs: null,
  });
  expect(verified).toEqual([JSON.parse(body.toString())]);
});

test.each([
  ['204 No Content', '', { status: 204, response: '' }],
  ['200 OK', 'ok\0 \0then', { status: 200, response: 'ok then' }],
  ['200 OK', Buffer.from([0xff, 0x61, 0xc3]), { status: 200, response: '\ufffda' }],
  ['500 Oh', '\ufefftext', { status: 500, response: '\ufefftext' }],
  ['200 OK\r\ncontent-encoding: gzip', 'raw', { status: 200, response: 'raw' }],
  ['200 OK\r\ncontent-length: 100', 'breaks off', { status: 200, response: 'breaks off' }],
  ['200 OK\r\ntransfer-encoding: chunked', 'no chunk\r\n', { status: 200, response: '' }],
  ['410 Gone', '', { status: 410, response: '' }],
  ['429 Slow\r\nretry-after: 120', '', { status: 429, response: '', retryAfterMs: 120_000 }],
  ['503 No\r\nRetry-After: Mon, 30 Nov 2026 12:00:10 GMT', '', { status: 503, response: '', retryAfterMs: 10_000 }],
  ['100 Continue\r\n\r\nHTTP/1.1 103 Early\r\n\r\nHTTP/1.1 202 OK', '', { status: 202, response: '' }],
])('a head is an answer, whatever becomes of its body: %j', async (head, body, answer) => {
  const receiver = await answering(head, body);
  expect(await sender.send(receiver.url, HEADERS, BODY)).toEqual({
    error: null,
    retryAfterMs: null,
    tookMs: expect.any(Number),
    ...answer,
  });
  expect(receiver.received).toHaveLength(1);
});

test('no redirect is followed', async () => {
  const elsewhere = await answering('200 OK');
  for (const status of [301, 302, 303, 307, 308]) {
    const receiver = await answering(`${status} There\r\nlocation: ${elsewhere.url}`);
    expect(await sender.send(receiver.url, HEADERS, BODY)).toMatchObject({ status, error: null });
  }
  expect(elsewhere.received).toEqual([]);
});

test('the first KiB is kept, without the character that the cut goes through, and the rest is not read', async () => {
  const receiver = await receive((socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    const more = () => {
      while (!socket.destroyed && socket.write('€'.repeat(10_000)));
    };
    socket.on('drain', more);
    more();
  });
  expect(await patient.send(receiver.url, HEADERS, BODY)).toMatchObject({
    status: 200,
    response: '€'.repeat(341),
  });
  await untilTrue(() => receiver.open === 0, 'the connection is closed');
});

test.each([
  ['says nothing', () => undefined],
  ['sends its head byte by byte', (socket: Socket) => drip(socket, 'HTTP/1.1 200 O')],
  ['repeats that it goes on', (socket: Socket) => drip(socket, '', 'HTTP/1.1 100 Continue\r\n\r\n')],
])('a receiver has a limited time for all: it %s', async (_, answer) => {
  const receiver = await receive(answer);
  expect(await hasty.send(receiver.url, HEADERS, BODY)).toEqual({
    status: null,
    error: 'no answer within 0.3 s',
    tookMs: expect.any(Number),
    response: null,
    retryAfterMs: null,
  });
  await untilTrue(() => receiver.open === 0, 'the connection is closed');
});

test('a TLS handshake that hangs, and a request that nobody reads, end in time', async () => {
  const silent = await receive(() => undefined);
  const error = 'no answer within 0.3 s';
  expect(await hasty.send(silent.url.replace('http:', 'https:'), HEADERS, BODY)).toMatchObject({ status: null, error });
  const deaf = await receive((socket) => socket.pause());
  expect(await hasty.send(deaf.url, LARGE_HEADERS, LARGE)).toMatchObject({ status: null, error });
});

test.each([200, 500])(
  'what came of a body that drips is kept when the time is over, and the head counts: %i',
  async (status) => {
    const receiver = await receive((socket) => drip(socket, `HTTP/1.1 ${status} So\r\n\r\nbody`));
    const answer = await hasty.send(receiver.url, HEADERS, BODY);
    expect(answer).toMatchObject({ status, error: null, response: expect.stringMatching(/^bodyx+$/) });
    await untilTrue(() => receiver.open === 0, 'the connection is closed');
  },
);

test('a 2xx before the request was read does not count, any other answer does', async () => {
  const status = (head: string) => (socket: Socket) => {
    socket.pause();
    socket.write(`HTTP/1.1 ${head}\r\ncontent-length: 2\r\n\r\nhm`);
  };
  const early = await receive(status('200 OK'));
  expect(await hasty.send(early.url, LARGE_HEADERS, LARGE)).toMatchObject({
    status: null,
    error: 'the request was not read within 0.3 s',
  });
  const refusing = await receive(status('413 Too Large'));
  expect(await hasty.send(refusing.url, LARGE_HEADERS, LARGE)).toMatchObject({ status: 413, response: 'hm' });
});

test('an early 2xx counts once the request has been sent', async () => {
  const receiver = await receive((socket) => {
    if (socket.bytesWritten === 0) socket.write(`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(2_000)}`);
  });
  expect(await patient.send(receiver.url, LARGE_HEADERS, LARGE)).toMatchObject({ status: 200 });
  await untilTrue(
    () => receiver.received.join().split('\r\n\r\n')[1]?.length === LARGE.byteLength,
    'all of the request has come',
  );
});

test('an early 2xx of a receiver that goes away before it has read the request does not count', async () => {
  const receiver = await receive((socket) => {
    socket.pause();
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhm', () => socket.destroy());
  });
  expect(await patient.send(receiver.url, LARGE_HEADERS, LARGE)).toMatchObject({
    status: null,
    error: 'the connection was closed too early',
  });
});

test('an answer that changes the protocol ends the connection', async () => {
  const receiver = await receive((socket) =>
    socket.write('HTTP/1.1 101 Go\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
  );
  expect(await patient.send(receiver.url, HEADERS, BODY)).toMatchObject({ status: 101, response: '' });
  await untilTrue(() => receiver.open === 0, 'the connection is closed');
});

test.each([
  ['closes at once', (socket: Socket) => socket.end(), 'the connection was closed too early'],
  ['resets', (socket: Socket) => socket.resetAndDestroy(), 'the connection was closed too early'],
  [
    'breaks off its head',
    (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\nA: b'),
    'the connection was closed too early',
  ],
  ['speaks HTTP/0.9', (socket: Socket) => socket.end('<html>hello</html>'), 'the answer is not HTTP'],
  ['speaks SSH', (socket: Socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n'), 'the answer is not HTTP'],
  [
    'gives two lengths',
    (socket: Socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n'),
    'the answer is not HTTP',
  ],
  [
    'has a head of 100 KiB',
    (socket: Socket) => socket.write(`HTTP/1.1 200 OK\r\na: ${'b'.repeat(102_400)}\r\n\r\n`),
    'the head of the answer is too long',
  ],
  [
    'has 10,000 fields',
    (socket: Socket) => socket.write(`HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(10_000)}\r\n`),
    'the head of the answer is too long',
  ],
])('without an answer, a member reads why: a receiver %s', async (_, answer, error) => {
  const receiver = await receive(answer);
  expect(await sender.send(receiver.url, HEADERS, BODY)).toMatchObject({ status: null, error, response: null });
  expect(receiver.received).toHaveLength(1);
});

test('a port that nobody listens on refuses the connection', async () => {
  const receiver = await RawReceiver.open(() => undefined);
  const { url } = receiver;
  await receiver.close();
  expect(await sender.send(url, HEADERS, BODY)).toMatchObject({ error: 'the connection was refused' });
});

test('nothing rejects, whatever is to be sent', async () => {
  expect(await sender.send('no url', HEADERS, BODY)).toMatchObject({ error: 'the url is not a valid URL' });
  expect(await sender.send('http://127.0.0.1', { 'a\n': 'b' }, BODY)).toMatchObject({ error: 'the request failed' });
});

test('200 requests leave no connection and no timer', async () => {
  const receiver = await answering('200 OK', 'x'.repeat(5_000));
  const before = process.getActiveResourcesInfo().filter((kind) => kind !== 'TCPServerWrap').length;
  const answers = await Promise.all(Array.from({ length: 200 }, () => sender.send(receiver.url, HEADERS, BODY)));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(200);
  await untilTrue(() => receiver.open === 0, 'the connections are closed');
  await untilTrue(
    () => process.getActiveResourcesInfo().filter((kind) => kind !== 'TCPServerWrap').length <= before,
    () => `${process.getActiveResourcesInfo()}, before ${before}`,
  );
});
