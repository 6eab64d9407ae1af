import { randomBytes } from 'node:crypto';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { signatureOf } from './sign.js';

const BODY = Buffer.from('{"message":"não é só ascii: 日本 🎉 \\u0000"}');
const ID = 'evt_9007199254740993';
const timestamp = String(Math.floor(Date.now() / 1_000));

function newSecret(): string {
  return `whsec_${randomBytes(24).toString('base64')}`;
}

function verify(secret: string, signature: string, { id = ID, at = timestamp, body = BODY } = {}): unknown {
  const headers = { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature };
  return new Webhook(secret).verify(body, headers);
}

test('an implementation apart from this one takes the signature', () => {
  const secret = newSecret();
  expect(verify(secret, signatureOf([secret], ID, timestamp, BODY))).toEqual(JSON.parse(BODY.toString()));
});

test('while two secrets live, either of them alone verifies', () => {
  const [now, before, another] = [newSecret(), newSecret(), newSecret()];
  const signature = signatureOf([now, before], ID, timestamp, BODY);
  expect(signature).toMatch(/^v1,[\w+/]{43}= v1,[\w+/]{43}=$/);
  expect(verify(now, signature)).toBeDefined();
  expect(verify(before, signature)).toBeDefined();
  expect(() => verify(another, signature)).toThrow(WebhookVerificationError);
});

test('a change of one byte, of the id or of the time is found', () => {
  const secret = newSecret();
  const signature = signatureOf([secret], ID, timestamp, BODY);
  const body = Buffer.from(BODY);
  body[body.length - 3] = 0x31;
  expect(() => verify(secret, signature, { body })).toThrow(WebhookVerificationError);
  expect(() => verify(secret, signature, { id: 'evt_9007199254740992' })).toThrow(WebhookVerificationError);
  expect(() => verify(secret, signature, { at: String(Number(timestamp) + 1) })).toThrow(WebhookVerificationError);
});
