import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Config } from '../../../platform/config.js';
import { AUTHORITY, EXPIRED, KEY, SELF_SIGNED, VALID } from '../../../test/webhooks/certificates.js';
import { RawReceiver } from '../../../test/webhooks/raw-receiver.js';
import { SendWebhook } from './send.js';

const BODY = Buffer.from('12345');
const surroundings = { resolve: async () => [{ address: '127.0.0.1', family: 4 }] };
const config = { webhooksAllowPrivate: true } as Config;
const trusting = new SendWebhook(config, { ...surroundings, ca: AUTHORITY });
const sender = new SendWebhook(config, surroundings);

let server: Server;
let requests: number;

beforeEach(() => {
  requests = 0;
});
afterEach(async () => {
  vi.unstubAllEnvs();
  server.close();
  await once(server, 'close');
});

/** @returns its port */
async function serve(cert: string): Promise<number> {
  server = createServer({ key: KEY, cert }, (request, response) => {
    requests += 1;
    request.resume().on('end', () => response.end('taken'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

test('a receiver whose certificate is right gets the request', async () => {
  const port = await serve(VALID);
  for (const host of ['hooks.example', 'hooks.example.', 'HOOKS.example'])
    expect(await trusting.send(`https://${host}:${port}/`, {}, BODY)).toMatchObject({ status: 200, response: 'taken' });
  expect(requests).toBe(3);
});

test.each([
  ['expired', trusting, EXPIRED, 'hooks.example', 'expired'],
  ['for another name', trusting, VALID, 'other.example', 'it is for another name'],
  ['for a name, where an address is called', trusting, VALID, '127.0.0.1', 'it is for another name'],
  ['signed by itself', sender, SELF_SIGNED, 'hooks.example', 'self-signed'],
  ['signed by somebody', sender, VALID, 'hooks.example', 'its issuer is not known'],
])('nothing is sent to a receiver whose certificate is %s', async (_, by, cert, host, why) => {
  const port = await serve(cert);
  // Some switch it off for their whole process.
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  for (const _again of [1, 2])
    expect(await by.send(`https://${host}:${port}/`, {}, BODY)).toMatchObject({
      status: null,
      error: `the certificate is not valid: ${why}`,
    });
  expect(requests).toBe(0);
});

test('a receiver that does not speak TLS is not spoken to without it', async () => {
  await serve(VALID);
  const plain = await RawReceiver.open((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  expect(await trusting.send(`https://hooks.example:${plain.port}/`, {}, BODY)).toMatchObject({
    status: null,
    error: 'the TLS handshake failed',
  });
  expect(plain.received.join()).not.toContain('POST');
  await plain.close();
});
