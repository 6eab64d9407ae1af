import { foreignNumber } from './foreign-number.js';

/** Why an entry is no recipient. The position in this list is what a RejectList stores. */
export const REJECT_REASONS = [
  'not_a_number',
  'not_mobile',
  'wrong_length',
  'unknown_ddd',
  'extra_digits',
  'fraction',
  'not_in_plan',
] as const;

/** Stable words, seen in answers and in `campaign_rejects`. */
export type RejectReason = (typeof REJECT_REASONS)[number];

/** Other characters than a number has, or no digit. */
export const NOT_A_NUMBER = -1;
/** A whole Brazilian number that is not a mobile's. */
export const NOT_MOBILE = -2;
/** Too many digits or too few. */
export const WRONG_LENGTH = -3;
/** A mobile's number, but with an area code that is not in use. */
export const UNKNOWN_DDD = -4;
/** Digits after or before a number: an extension, a counter, a second number. */
export const EXTRA_DIGITS = -5;
/** A decimal fraction, as a spreadsheet writes one. */
export const FRACTION = -6;
/** A number of another country that its numbering plan does not have, or of no country. */
const NOT_IN_PLAN = -7;

/**
 * The 67 area codes in use, of the 90 that two digits from 11 to 99 could name.
 * Source: ANATEL, Plano Geral de Códigos Nacionais; the list stands in its Consulta Pública 274/2000, article 22.
 */
export const AREA_CODES: readonly number[] = [
  ...[11, 12, 13, 14, 15, 16, 17, 18, 19], // São Paulo
  ...[21, 22, 24, 27, 28], // Rio de Janeiro, Espírito Santo
  ...[31, 32, 33, 34, 35, 37, 38], // Minas Gerais
  ...[41, 42, 43, 44, 45, 46, 47, 48, 49], // Paraná, Santa Catarina
  ...[51, 53, 54, 55], // Rio Grande do Sul
  ...[61, 62, 63, 64, 65, 66, 67, 68, 69], // Centre-West, Tocantins, Rondônia, Acre
  ...[71, 73, 74, 75, 77, 79], // Bahia, Sergipe
  ...[81, 82, 83, 84, 85, 86, 87, 88, 89], // Pernambuco to Piauí
  ...[91, 92, 93, 94, 95, 96, 97, 98, 99], // the North, Maranhão
];

const BRAZIL = 55;
/** Country code and number together: at most 15 by ITU-T E.164, at least 8 by the contract (docs/api.md). */
const E164_DIGITS = { min: 8, max: 15 };
/** Bytes of the longest line of e164Lines, with the plus and the newline. */
export const E164_LINE_BYTES = E164_DIGITS.max + 2;
const LF = 0x0a;
const PLUS = 0x2b;
const ZERO = 0x30;

const IS_AREA_CODE = new Uint8Array(100);
for (const ddd of AREA_CODES) IS_AREA_CODE[ddd] = 1;

/**
 * The number that an entry's digits stand for, as E.164 without the plus: '+5511987654321' is 5511987654321 (15 digits fit a
 * double exactly). Below zero: why it is none (NOT_A_NUMBER .. NOT_IN_PLAN).
 *
 * `value` is the digits read as one whole number, `count` how many there were (leading zeros count), `plus` whether a
 * plus stood before them. The caller refuses characters that belong to no number.
 *
 * | plus | digits | begins   | then                                                                                  |
 * |------|--------|----------|---------------------------------------------------------------------------------------|
 * | any  | 0      |          | not_a_number                                                                          |
 * | any  | 13     | 55       | national                                                                              |
 * | any  | 12     | 55       | a DDD in use follows: not_mobile (eight digits are a landline); else wrong_length     |
 * | +    | other  | 55       | wrong_length: with a plus 55 is Brazil, never the DDD 55                              |
 * | +    | 8..15  | not 0    | another country: judged by its numbering plan, see foreign-number.ts                  |
 * | +    | other  |          | wrong_length; also every `+0`: no country code begins with 0                          |
 * | no   | 11     |          | national                                                                              |
 * | no   | 12     | 0        | national without the 0 (the trunk prefix)                                             |
 * | no   | 10     |          | a DDD in use in front: not_mobile; else wrong_length                                  |
 * | no   | other  |          | wrong_length                                                                          |
 *
 * National is DDD and nine digits: the third not 9 is not_mobile, whatever the DDD; then unknown_ddd; then accepted.
 */
export function toE164(value: number, count: number, plus: boolean): number {
  if (count === 0) return NOT_A_NUMBER;
  if (count > E164_DIGITS.max) return WRONG_LENGTH;
  if (count === 11 && !plus) return national(value);
  if (count === 13 && leading(value, 11) === BRAZIL) return national(value % 1e11);
  if (count === 12 && leading(value, 10) === BRAZIL) return tenDigits(value % 1e10);
  if (plus) return value < 10 ** (count - 1) ? WRONG_LENGTH : foreign(String(value));
  if (count === 12 && value < 1e11) return national(value);
  return count === 10 ? tenDigits(value) : WRONG_LENGTH;
}

/**
 * Numbers as toE164 returned them, one a line, no final newline: 5511987654321 is '+5511987654321'.
 *
 * Written as bytes: V8 caches the string of each number it formats, which carries all of them into the old heap. `bytes` is
 * the working space: at least E164_LINE_BYTES for each number. Its content means nothing afterwards.
 */
export function e164Lines(numbers: Float64Array, bytes: Buffer): string {
  // From the end: division gives the last digit first.
  let at = bytes.length;
  for (let i = numbers.length - 1; i >= 0; i--) {
    bytes[--at] = LF;
    for (let rest = numbers[i] as number; rest > 0; ) {
      const tens = Math.floor(rest / 10);
      bytes[--at] = ZERO + rest - tens * 10;
      rest = tens;
    }
    bytes[--at] = PLUS;
  }
  return bytes.toString('latin1', at, bytes.length - 1);
}

/** The fewest digits of a number after 0055, or after 0 and a carrier's two digits. */
const PREFIXED_DIGITS = 13;
/** The fewest digits of another country's number after 00. */
const ABROAD_DIGITS = 10;

/**
 * Whether digits that toE164 refuses may begin with a prefix that writtenNumber knows. Takes the same `value` and `count` as
 * toE164.
 */
export function mayHavePrefix(value: number, count: number): boolean {
  return count >= PREFIXED_DIGITS || (count >= ABROAD_DIGITS && value < 10 ** (count - 2));
}

/** The reason that a result of toE164 below zero stands for. */
export function reasonOf(code: number): RejectReason {
  const reason = REJECT_REASONS[-code - 1];
  if (reason === undefined) throw new RangeError(`${code} is not a reject code`);
  return reason;
}

/** DDD and nine digits as one number: the mobile's number as E.164, or why it is none. */
export function national(eleven: number): number {
  if (leading(eleven, 8) % 10 !== 9) return NOT_MOBILE;
  return isAreaCode(leading(eleven, 9)) ? BRAZIL * 1e11 + eleven : UNKNOWN_DDD;
}

/** DDD and eight digits: no mobile has had so few since 2016. */
export function tenDigits(ten: number): number {
  return isAreaCode(leading(ten, 8)) ? NOT_MOBILE : WRONG_LENGTH;
}

/** The number of another country that `digits` stand for, calling code first; or why they stand for none. */
export function foreign(digits: string): number {
  if (digits.length < E164_DIGITS.min || digits.length > E164_DIGITS.max) return WRONG_LENGTH;
  // No calling code begins with 0, and Brazil's own numbers are judged by national.
  if (digits.startsWith('0') || digits.startsWith(String(BRAZIL))) return WRONG_LENGTH;
  const found = foreignNumber(digits);
  if (found === 'wrong_length') return WRONG_LENGTH;
  if (found === 'not_in_plan') return NOT_IN_PLAN;
  return found.length < E164_DIGITS.min ? WRONG_LENGTH : Number(found);
}

function isAreaCode(ddd: number): boolean {
  return IS_AREA_CODE[ddd] === 1;
}

/** What stands before the last `digits` digits. */
function leading(value: number, digits: number): number {
  return Math.floor(value / 10 ** digits);
}
