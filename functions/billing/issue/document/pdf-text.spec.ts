import fc from 'fast-check';
import { expect, test } from 'vitest';
import { printableOf } from './pdf-text.js';

/** By Unicode's CP1252.TXT: node 20 decodes 0x80 to 0x9f as Latin-1. */
const FROM_80_TO_9F = '€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ';

test.each([
  ['José da Conceição & Irmãos Ltda.', 'José da Conceição & Irmãos Ltda.'],
  ['Jose\u0301', 'José'],
  ['Őze Łukasz Đặng', 'Oze ?ukasz ?ang'],
  ['Ελένη', '?????'],
  ['Ana 😀 Maria', 'Ana ? Maria'],
  ['family 👩‍👩‍👧', 'family ???'],
  ['ﬁ ½ № “x” €', 'fi ½ No “x” €'],
  ['a\u00a0b\u2003c', 'a b c'],
  ['tab\there\u0000\u200d\ufeff', 'tab here'],
])('%j is printed as %j', (text, printed) => {
  expect(printableOf(text)).toBe(printed);
});

test('every text becomes one of Windows-1252, with no control character', () => {
  const latin1 = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString('latin1');
  const all = new Set([...latin1, ...FROM_80_TO_9F].filter((each) => !/\p{C}/u.test(each)));
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      expect([...printableOf(text)].filter((each) => !all.has(each))).toEqual([]);
    }),
  );
});
