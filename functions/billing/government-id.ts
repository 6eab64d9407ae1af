import { parseCnpj } from '../accounts/companies/cnpj.js';

/** What the check digits of a document say it is. */
export const GOVERNMENT_ID_KINDS = ['cpf', 'cnpj', 'unverified'] as const;
export type GovernmentIdKind = (typeof GOVERNMENT_ID_KINDS)[number];

const CPF = /^\d{11}$/;
const CNPJ_LENGTH = 14;
const ONE_DIGIT_ONLY = /^(\d)\1{10}$/;

/**
 * The kind of a document without punctuation. `unverified`: wrong check digits, or none of that length. So is a number of
 * one digit only, such as 111.111.111-11: its check digits are right, and it belongs to nobody.
 */
export function governmentIdKind(id: string): GovernmentIdKind {
  if (isCpf(id)) return 'cpf';
  return id.length === CNPJ_LENGTH && parseCnpj(id) === id ? 'cnpj' : 'unverified';
}

function isCpf(id: string): boolean {
  if (!CPF.test(id) || ONE_DIGIT_ONLY.test(id)) return false;
  const first = cpfDigit(id.slice(0, 9));
  return id.endsWith(`${first}${cpfDigit(id.slice(0, 9) + first)}`);
}

/** Modulo 11, weights from 2 at the right upwards: the rule of the Receita Federal. */
function cpfDigit(digits: string): number {
  let sum = 0;
  for (let at = 0; at < digits.length; at++) sum += Number(digits[at]) * (digits.length + 1 - at);
  const rest = sum % 11;
  return rest < 2 ? 0 : 11 - rest;
}
