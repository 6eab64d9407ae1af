import { expect, it, describe as suite } from 'vitest';
import { describe } from './describe.js';

const URL_WITH_SECRET = 'postgresql://user:s%40nha@db.example:5432/x';

suite('why a service cannot be reached', () => {
  it.each([
    ['connect ECONNREFUSED 127.0.0.1:5432', 'connection refused at 127.0.0.1:5432'],
    ['connect ECONNREFUSED ::1:5432, connect ECONNREFUSED 127.0.0.1:5432', 'connection refused at ::1:5432'],
    ['getaddrinfo ENOTFOUND db.example', 'unknown host db.example'],
    ['getaddrinfo EAI_AGAIN db.example', 'unknown host db.example'],
    ['connect ETIMEDOUT', 'timed out (connect ETIMEDOUT)'],
    ['Query read timeout', 'timed out (Query read timeout)'],
    ['not primary\nand more', 'not primary'],
    [`cannot use ${URL_WITH_SECRET} today`, 'cannot use *** today'],
    ['not authorized on x to execute command { insert: "messages", documents: ["Oi"] }', 'not authorized on x'],
    [
      'E11000 duplicate key error index: phone dup key: { phone_number: "+5511987654321" }',
      'E11000 duplicate key error index: phone',
    ],
    ['bad value +5511987654321', 'bad value ***'],
    ['no s@nha, no s%40nha', 'no ***, no ***'],
  ])('%s', (message, line) => {
    expect(describe(new Error(message), URL_WITH_SECRET)).toBe(line);
  });

  it('looks into what has no message of its own', () => {
    const both = new AggregateError([new Error('connect ECONNREFUSED ::1:1')], '');
    expect(describe(both, URL_WITH_SECRET)).toBe('connection refused at ::1:1');
  });
});
