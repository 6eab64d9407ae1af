import fc from 'fast-check';
import { expect, test } from 'vitest';
import { printableOf } from './pdf-text.js';

const windows = new TextDecoder('windows-1252');

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
  const all = new Set(
    Array.from({ length: 256 }, (_, byte) => windows.decode(Uint8Array.of(byte))).filter(
      (each) => !/\p{C}/u.test(each),
    ),
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      expect([...printableOf(text)].filter((each) => !all.has(each))).toEqual([]);
    }),
  );
});
