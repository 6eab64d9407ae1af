import { parseCnpj } from '../accounts/companies/cnpj.js';

/** What a document is by its check digits. */
export type GovernmentIdKind = 'cpf' | 'cnpj' | 'unverified';

const CPF = /^\d{11}$/;
const ONE_DIGIT_ONLY = /^(\d)\1*$/;

/** The kind of a document that is kept without punctuation. `unverified`: its check digits are wrong, or it has none. */
export function kindOfGovernmentId(text: string): GovernmentIdKind {
  if (CPF.test(text)) return isCpf(text) ? 'cpf' : 'unverified';
  return text.length === 14 && parseCnpj(text) === text ? 'cnpj' : 'unverified';
}

/** 111.111.111-11 and the like have right check digits, and belong to nobody. */
function isCpf(digits: string): boolean {
  return !ONE_DIGIT_ONLY.test(digits) && [9, 10].every((at) => Number(digits[at]) === checkDigit(digits.slice(0, at)));
}

/** Modulo 11, weights 2, 3, ... from the right. */
function checkDigit(digits: string): number {
  const sum = [...digits].reduce((sum, digit, at) => sum + Number(digit) * (digits.length + 1 - at), 0);
  const rest = sum % 11;
  return rest < 2 ? 0 : 11 - rest;
}
