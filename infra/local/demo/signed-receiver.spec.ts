import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SignedReceiver, type SignedRequest } from './signed-receiver.js';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const BODY = '{"a":1}';
let receiver: SignedReceiver;
let heard: SignedRequest[];

beforeEach(async () => {
  heard = [];
  receiver = await SignedReceiver.open(
    'shaky',
    ({ turn }) => turn === 1,
    (request) => heard.push(request),
  );
  receiver.secret = SECRET;
});

afterEach(() => receiver.close());

/** Sends a signed request; returns the status of its answer. */
async function send({ url = receiver.url, secret = SECRET, body = BODY, signed = BODY } = {}): Promise<number> {
  const [id, now] = ['evt_1', new Date()];
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign(id, now, signed),
  };
  return (await fetch(url, { method: 'POST', headers, body })).status;
}

test('a signed request fails as told, and is taken when it comes again', async () => {
  expect([await send(), await send()]).toEqual([500, 200]);
  expect(heard).toMatchObject([
    { id: 'evt_1', turn: 1, status: 500, verified: true, tamperProof: true },
    { id: 'evt_1', turn: 2, status: 200, verified: true, tamperProof: true },
  ]);
  expect(receiver.requests).toEqual(heard);
});

test.each([
  ['another secret', { secret: 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD' }],
  ['another body', { signed: '{"a":2}' }],
  ['no body', { body: '', signed: 'a' }],
])('a signature of %s is refused', async (_, request) => {
  expect(await send(request)).toBe(401);
  expect(heard).toMatchObject([{ verified: false, status: 401 }]);
});

test('what an earlier demo owes to the same port is not counted', async () => {
  expect(await send({ url: new URL('/of-another-demo', receiver.url).href })).toBe(404);
  expect([receiver.requests, heard]).toEqual([[], []]);
});
