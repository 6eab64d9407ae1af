import { describe, expect, test } from 'vitest';
import { parseCnpj } from './cnpj.js';

describe('a CNPJ', () => {
  // Banco do Brasil, Petrobras and the Receita Federal's own example of the alphanumeric form.
  test.each([
    ['00.000.000/0001-91', '00000000000191'],
    ['33000167000101', '33000167000101'],
    ['12.ABC.345/01DE-35', '12ABC34501DE35'],
    ['12.abc.345/01de-35', '12ABC34501DE35'],
    [' 33.000.167/0001-01 ', '33000167000101'],
  ])('%j is %s', (text, cnpj) => {
    expect(parseCnpj(text)).toBe(cnpj);
  });

  test.each([
    ['a wrong first check digit', '33000167000111'],
    ['a wrong second check digit', '33000167000102'],
    ['a wrong check digit of the alphanumeric form', '12ABC34501DE36'],
    ['letters as check digits', '12ABC34501DEAB'],
    ['one digit too few', '3300016700010'],
    ['one digit too many', '330001670001011'],
    ['zeros only', '00000000000000'],
    ['ones only', '11.111.111/1111-11'],
    ['a letter that only upper case makes two of', '12ABC34501ß35'],
    ['other characters', '33000167000101\0'],
    ['nothing', ''],
  ])('%s is none', (_, text) => {
    expect(parseCnpj(text)).toBeUndefined();
  });
});
