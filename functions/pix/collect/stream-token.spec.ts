import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newRead, newToken, parseToken, tokenText } from './stream-token.js';

test('a token is eight symbols of the stream and four of the read', () => {
  for (let n = 0; n < 1_000; n++) {
    const token = newToken();
    expect(tokenText(token)).toMatch(/^[0-9a-z]{12}$/);
    expect(parseToken(tokenText(token))).toEqual(token);
    expect([token.stream.length, token.read.length]).toEqual([8, 4]);
    expect(newRead()).toMatch(/^[0-9a-z]{4}$/);
  }
});

test.each([
  '',
  'start',
  'a'.repeat(11),
  'a'.repeat(13),
  'A'.repeat(12),
  'aaaaaaaa-aaa',
  'aaaaaaaaaaaa\n',
  'ááááááááaaaa',
])('%j can be no token', (text) => expect(parseToken(text)).toBeUndefined());

test('a text that is a token is taken apart and put together again as it was', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9a-z]{12}$/), (text) => {
      const token = parseToken(text);
      return token !== undefined && tokenText(token) === text;
    }),
  );
});

test('each symbol is as likely as the others, at each place', () => {
  const TOKENS = 36_000;
  const counts = new Map<string, number>();
  for (let n = 0; n < TOKENS; n++)
    for (const [place, symbol] of [...tokenText(newToken())].entries())
      counts.set(`${place}${symbol}`, (counts.get(`${place}${symbol}`) ?? 0) + 1);
  expect(counts.size).toBe(12 * 36);
  const wanted = TOKENS / 36;
  const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - wanted) ** 2 / wanted, 0);
  // 12 times 35 degrees of freedom: mean 420, deviation 29; beyond 620 by chance once in 10^9. A byte modulo 36 has over 4,000.
  expect(chiSquare).toBeLessThan(620);
});

test('two streams never have the same token', () => {
  const found = new Set(Array.from({ length: 10_000 }, () => newToken().stream));
  expect(found.size).toBe(10_000);
});
