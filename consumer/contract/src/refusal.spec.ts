import { MongoClient } from 'mongodb';
import { expect, test } from 'vitest';
import { refusal } from './refusal.js';

test.each([
  'mongodb://user:secret/with/slash@host/db',
  'mongodb://user:secret@host:port/db',
  'mongodb://user:secret@host/db?nothing',
  'mongodb://user:secret@host/db?tls=maybe',
])('a URL that the driver cannot read is refused without showing it: %s', (url) => {
  const error = caught(() => new MongoClient(url));
  expect(refusal(error)).toBe(
    'is not usable; check its options and the files they name, and percent-encode special characters',
  );
});

test('what may heal by waiting is no refusal', () => {
  for (const code of ['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT', 'ECONNRESET', '57P03', '53300'])
    expect(refusal(Object.assign(new Error(code), { code }))).toBeUndefined();
  expect(refusal(new Error('socket hang up'))).toBeUndefined();
  expect(refusal(undefined)).toBeUndefined();
});

test('a refusal is found in causes, in lists of errors and in the servers of a selection', () => {
  const expired = Object.assign(new Error('certificate has expired'), { code: 'CERT_HAS_EXPIRED' });
  const says = "the server's certificate is not trusted (certificate has expired)";
  expect(refusal(new Error('outer', { cause: new Error('inner', { cause: expired }) }))).toBe(says);
  expect(refusal(new AggregateError([new Error('first'), expired]))).toBe(says);
  const reason = { servers: new Map([['host:1', { error: expired }]]) };
  expect(refusal(Object.assign(new Error('selection'), { reason }))).toBe(says);
});

function caught(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
