import { describe, expect, it } from 'vitest';
import { isOutage, unlessOutage } from './outage.js';

const coded = (code: string | number, message = '') => Object.assign(new Error(message), { code });
const named = (name: string, cause?: Error) => Object.assign(new Error('', { cause }), { name });

describe('an error while things go wrong', () => {
  it.each([
    ['a closed port', coded('ECONNREFUSED')],
    ['a connection that breaks under fetch', new TypeError('fetch failed', { cause: coded('ECONNRESET') })],
    ['an answer that breaks off', new TypeError('terminated', { cause: coded('UND_ERR_SOCKET', 'other side closed') })],
    ['no answer in time', new DOMException('The operation was aborted due to timeout', 'TimeoutError')],
    ['a PostgreSQL that stops', coded('57P01')],
    ['a PostgreSQL that starts', coded('57P03')],
    ['a PostgreSQL that is gone', new Error('Connection terminated unexpectedly')],
    ['a PostgreSQL that does not answer', new Error('timeout exceeded when trying to connect')],
    ['a MongoDB that stops', Object.assign(coded(11_600), { name: 'MongoServerError' })],
    ['a MongoDB that is gone', named('MongoNetworkError')],
    ['a MongoDB that cannot be found', named('MongoServerSelectionError', named('MongoNetworkError'))],
  ])('is explained by an outage: %s', (_, error) => {
    expect(isOutage(error)).toBe(true);
    expect(unlessOutage(error)).toBeUndefined();
  });

  it.each([
    ['a column that is not there', coded('42703', 'column "stored" does not exist')],
    ['too many connections', coded('53300')],
    ['a question that MongoDB does not understand', Object.assign(coded(9), { name: 'MongoServerError' })],
    ['a bug of the test', new TypeError("Cannot read properties of undefined (reading 'id')")],
    ['a URL that is none', new TypeError('fetch failed', { cause: coded('ERR_INVALID_URL') })],
    ['no error at all', 'ECONNREFUSED'],
  ])('is not explained by an outage, and thrown: %s', (_, error) => {
    expect(isOutage(error)).toBe(false);
    expect(() => unlessOutage(error)).toThrow();
  });
});
