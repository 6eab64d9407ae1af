import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { afterEach, expect, test } from 'vitest';
import { untilTrue } from '../../../testing/until.js';
import type { Config } from '../../platform/config.js';
import { RawReceiver } from '../../test/webhooks/raw-receiver.js';
import { requestOf } from './request.js';
import { SendWebhook } from './send.js';

const NOW = Date.UTC(2026, 10, 30, 12);
const HEADERS = { 'content-type': 'application/json', 'content-length': '5' };
const BODY = Buffer.from('12345');

const config = { webhooksAllowPrivate: true } as Config;
const sender = new SendWebhook(config, { nowMs: () => NOW });
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
  ['101 Switching\r\nupgrade: x\r\nconnection: upgrade', 'xyz', { status: 101, response: '' }],
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
  expect(await sender.send(receiver.url, HEADERS, BODY)).toMatchObject({
    status: 200,
    response: '€'.repeat(341),
  });
  await untilTrue(() => receiver.open === 0, 'the connection is closed');
});
