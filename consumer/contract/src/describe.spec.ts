import { readFileSync } from 'node:fs';
import { expect, it, describe as suite } from 'vitest';
import { describe } from './describe.js';

const SECRETS = readFileSync(new URL('../examples/secrets.jsonl', import.meta.url), 'utf8');
const URL_WITH_SECRET = 'postgresql://user:s%40nha@db.example:5432/x';
const coded = (fields: object, message = 'a driver says') => Object.assign(new Error(message), fields);
const refused = coded({ code: 'ECONNREFUSED', address: '::1', port: 5432 });

suite('why a service cannot be reached', () => {
  it.each(
    SECRETS.trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<'text' | 'url' | 'says', string>),
  )('says no secret: $text', ({ text, url, says }) => {
    expect(describe(new Error(text), url)).toBe(says);
  });

  it.each([
    ['connection refused at ::1:5432', refused],
    ['connection refused at ::1:5432', new AggregateError([refused], '')],
    ['connection refused at ::1:5432', new Error('selection timed out', { cause: refused })],
    ['unknown host db.example', coded({ code: 'ENOTFOUND', hostname: 'db.example' })],
    ['unknown host db.example', coded({ code: 'EAI_AGAIN', hostname: 'db.example' })],
    ['the user or the password is wrong', coded({ code: '28P01' })],
    ['connect ETIMEDOUT', coded({ code: 'ETIMEDOUT' }, 'connect ETIMEDOUT')],
    ['not primary', new Error('not primary\nand more')],
    ['the first', new AggregateError([new Error('the first')], '')],
  ])('%s', (line, error) => {
    expect(describe(error, URL_WITH_SECRET)).toBe(line);
  });
});
