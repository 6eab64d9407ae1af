import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dayOf, documentLabelOf, reaisOf } from './written.js';

test.each([
  [100_000_000, 'R$ 1.000.000,00'],
  [9_999_999_999, 'R$ 99.999.999,99'],
  [100_000, 'R$ 1.000,00'],
  [99_999, 'R$ 999,99'],
  [100, 'R$ 1,00'],
  [5, 'R$ 0,05'],
])('%d cents are %s', (cents, written) => {
  expect(reaisOf(cents)).toBe(written);
});

test('amounts are written as the platform writes those of Brazil', () => {
  const platform = new Intl.NumberFormat('pt-BR', { style: 'currency', currency: 'BRL' });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9_999_999_999 }), (cents) => {
      expect(reaisOf(cents)).toBe(platform.format(cents / 100).replace('\u00a0', ' '));
    }),
  );
});

test('a date is written with the day first', () => {
  expect(dayOf('2022-10-12')).toBe('12/10/2022');
});

test.each([
  ['11111111111', 'CPF 111.111.111-11'],
  ['12345678000195', 'CNPJ 12.345.678/0001-95'],
  ['12ABC34501DE35', 'CNPJ 12.ABC.345/01DE-35'],
  ['0123', 'Documento 0123'],
])('the document %s is written %s', (governmentId, written) => {
  expect(documentLabelOf(governmentId)).toBe(written);
});
