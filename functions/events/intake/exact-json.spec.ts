import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseExact } from './exact-json.js';

const written = (text: string) => {
  const { exact, textOf } = parseExact(text);
  return textOf(exact);
};

test.each([
  ['an id of 20 digits', '{"id":12345678901234567890}'],
  ['more digits than a double has', '[0.1234567890123456789]'],
  ['a number over the largest double', '[1e400,-1e400]'],
  ['a number under the smallest double', '[1e-400]'],
  ['a number next to a text that looks like one', '["12345678901234567890",12345678901234567890,"\\"1e400"]'],
])('a number keeps its literal: %s', (_, text) => {
  expect(written(text)).toBe(text);
});

test.each([
  ['blanks', ' { "a" : [ 1 , 2 ] } ', '{"a":[1,2]}'],
  ['escapes', '{"a":"\\u00e9"}', '{"a":"é"}'],
  ['a key given twice', '{"a":1,"a":12345678901234567890}', '{"a":12345678901234567890}'],
])('what does not change the value is written one way: %s', (_, text, one) => {
  expect(written(text)).toBe(one);
});

test('what JSON.stringify wrote is written again as it was', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const once = JSON.stringify(JSON.parse(text));
      expect(written(once)).toBe(once);
    }),
    { numRuns: 2_000 },
  );
});

test('any literal has the same decimal value afterwards', () => {
  const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: 30 });
  const whole = digits.map((text) => text.replace(/^0+(?=\d)/, ''));
  const number = fc.tuple(
    fc.constantFrom('', '-'),
    whole,
    fc.option(digits),
    fc.option(fc.integer({ min: -500, max: 500 })),
  );
  fc.assert(
    fc.property(number, ([sign, integer, fraction, exponent]) => {
      const literal = `${sign}${integer}${fraction === null ? '' : `.${fraction}`}${exponent === null ? '' : `e${exponent}`}`;
      expect(scaled(written(`[${literal}]`).slice(1, -1))).toBe(scaled(literal));
    }),
    { numRuns: 5_000 },
  );
});

test('what is no JSON throws a SyntaxError', () => {
  expect(() => parseExact("Hello, I'm a bad message")).toThrow(SyntaxError);
});

/** The value times 10^1000, as a whole number. */
function scaled(literal: string): bigint {
  const [mantissa = '', exponent = '0'] = literal.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  return BigInt(`${whole}${fraction}`) * 10n ** BigInt(1_000 + Number(exponent) - fraction.length);
}

test('a literal whose exponent is longer than any number keeps it', () => {
  const [digits, zeros] = ['9'.repeat(1_000), '0'.repeat(1_000)];
  const literals = [`1e${digits}`, `-1e-${digits}`, `1e-${zeros}400`, `0.${zeros}1e${digits}`];
  for (const literal of literals) expect(written(`[${literal}]`)).toBe(`[${literal}]`);
  expect(written(`[0e${digits},1e${zeros}2]`)).toBe('[0,100]');
});

test('a literal with an exponent of millions of digits costs no more than others', () => {
  // As a BigInt it would take minutes.
  const literal = `1e${'9'.repeat(60_000_000)}`;
  expect(written(`[${literal}]`) === `[${literal}]`).toBe(true);
});

test('a long literal with its zeros in the middle costs no more than others', () => {
  const literal = `1${'0'.repeat(250_000)}1`;
  expect(written(`[${literal}]`)).toBe(`[${literal}]`);
});
