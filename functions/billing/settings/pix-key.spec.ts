import { expect, test } from 'vitest';
import { pixKeyOf } from './pix-key.js';

test.each([
  ['12.345.678/0001-95', '12345678000195'],
  ['12abc34501de35', '12ABC34501DE35'],
  ['111.444.777-35', '11144477735'],
  ['+5511987654321', '+5511987654321'],
  [' Fulana@Example.com ', 'fulana@example.com'],
  ['123E4567-E89B-12D3-A456-426614174000', '123e4567-e89b-12d3-a456-426614174000'],
])('%j is the Pix key %j', (text, key) => {
  expect(pixKeyOf(text)).toBe(key);
});

test.each([
  ['wrong check digits of a CNPJ', '12345678000194'],
  ['wrong check digits of a CPF', '11144477736'],
  ['eleven like digits', '11111111111'],
  ['a phone without its plus', '5511987654321'],
  ['a phone with blanks', '+55 11 98765-4321'],
  ['an e-mail without a domain', 'fulana@'],
  ['an e-mail that is too long', `${'a'.repeat(66)}@example.com`],
  ['a UUID that is too short', '123e4567-e89b-12d3-a456-42661417400'],
  ['a letter that only upper case makes two of', '12ABC34501ß35'],
  ['a Kelvin sign for a k', '\u212aarl@example.com'],
  ['a line feed', '12345678000195\n'],
  ['nothing', ''],
])('no Pix key: %s', (_, text) => {
  expect(pixKeyOf(text)).toBeUndefined();
});
