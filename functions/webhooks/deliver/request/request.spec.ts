import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import type { Outgoing, OutgoingEvent } from '../delivery.js';
import { requestOf } from './request.js';

const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const EVENT: OutgoingEvent = {
  id: '9007199254740993',
  type: 'order.created',
  version: 2,
  clientId: 'client-1',
  message: '{"name":"João \\u0000","total":1.10}',
  time: '2026-11-30T12:00:00.000001Z',
  receivedAt: new Date('2026-11-30T12:00:01.5Z'),
};

function outgoing(event: Partial<OutgoingEvent> = {}): Outgoing {
  return { url: 'https://example.com', secrets: [SECRET], row: 1, event: { ...EVENT, ...event } };
}

test('the body is the event, its message a string as it was stored', () => {
  const { body } = requestOf(outgoing(), 0);
  expect(body.toString()).toBe(
    '{"type":"order.created","timestamp":"2026-11-30T12:00:01.500Z","data":{"id":"evt_9007199254740993",' +
      '"client_id":"client-1","version":2,"time":"2026-11-30T12:00:00.000001Z",' +
      '"message":"{\\"name\\":\\"João \\\\u0000\\",\\"total\\":1.10}"}}',
  );
});

test('a message that is no JSON, and a time that is absent, are sent as such', () => {
  const { body } = requestOf(outgoing({ message: 'é só texto', time: null }), 0);
  expect(JSON.parse(body.toString()).data).toMatchObject({ message: 'é só texto', time: null });
});

test('the bytes are the same at each attempt, time and signature are not', () => {
  const first = requestOf(outgoing(), 1_000_999);
  const second = requestOf({ ...outgoing(), row: 5, secrets: [SECRET, SECRET] }, 1_001_000);
  expect(second.body).toEqual(first.body);
  expect([first, second].map(({ headers }) => headers['webhook-timestamp'])).toEqual(['1000', '1001']);
  expect(second.headers['webhook-signature']).not.toBe(first.headers['webhook-signature']);
  expect(second.headers['webhook-id']).toBe(first.headers['webhook-id']);
});

test('the headers are those of Standard Webhooks, and an implementation apart from this one verifies them', () => {
  const { headers, body } = requestOf(outgoing(), Date.now());
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    'content-length': String(body.byteLength),
    'webhook-id': 'evt_9007199254740993',
  });
  expect(new Webhook(SECRET).verify(body, headers)).toEqual(JSON.parse(body.toString()));
});
