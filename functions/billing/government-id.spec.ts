import { expect, test } from 'vitest';
import { governmentIdKind } from './government-id.js';

test.each([
  // published examples of the Receita Federal and its validators
  ['11144477735', 'cpf'],
  ['52998224725', 'cpf'],
  ['00000000191', 'cpf'],
  ['11222333000181', 'cnpj'],
  ['12ABC34501DE35', 'cnpj'],
])('%s has the check digits of a %s', (id, kind) => {
  expect(governmentIdKind(id)).toBe(kind);
});

test.each([
  ['one digit only', '11111111111'],
  ['one digit only', '00000000000000'],
  ['a wrong first check digit', '11144477725'],
  ['a wrong second check digit', '11144477736'],
  ['wrong check digits', '11222333000182'],
  ['the four digits of the example file', '0123'],
  ['twelve digits', '111444777350'],
  ['lower case', '12abc34501de35'],
  ['nothing', ''],
])('%s (%s) is unverified', (_, id) => {
  expect(governmentIdKind(id)).toBe('unverified');
});
