import { Metadata } from 'libphonenumber-js/max';
import { asSeen } from './blanks.js';
import {
  EXTRA_DIGITS,
  FRACTION,
  foreign,
  NOT_A_NUMBER,
  NOT_MOBILE,
  national,
  tenDigits,
  UNKNOWN_DDD,
  WRONG_LENGTH,
} from './phone-number.js';

/** The result for an entry with nothing visible in it. */
export const BLANK = 0;

/** In characters: longer than any number, with all that people write around one. */
const LONGEST = 128;
/** Digits of a number without its country: DDD and nine digits. */
const NATIONAL = 11;
const LANDLINE = 10;
/**
 * A number with at least this many digits may have a counter: digits in brackets after it, or before a single bracket in
 * front of it.
 */
const LOCAL = 8;
/** This many digits in one group are a number by themselves, or its end. */
const LONG_GROUP = 6;

/** Ten blanks between two digits are one. */
const REPEATED = /([ ().-])\1+/g;
/** One plain run of digits and a fraction. */
const DECIMAL = /^(\+?\d+)[.,](\d+)$/;
/** A comma among the digits, as 11.987.654.321,00 has one. */
const DECIMAL_COMMA = /^[+\d. ]*\d,\d+$/;
const EXPONENT = /^\+?\d+(?:[.,]\d+)?e[+-]?\d+$/i;
/** The place of a carrier's number, as in (0xx11): https://pt.wikipedia.org/wiki/Código_de_seleção_de_prestadora */
const CARRIER_PLACE = /^(\+?[ ()]*(?:55)?[ ().-]*)0[ .-]*\(?[xX*]{2}\)?/;
const NUMBER_CHARACTERS = /^[+\d ().-]+/;
const COUNTER_BEFORE = /^\d{1,2} ?\)/;
const COUNTER_AFTER = /\( ?\d{1,5} ?\)$/;
const TRUNK_ZERO = /\( ?0 ?\)/;

/**
 * The number of an entry, in any form that people and spreadsheets write: E.164 without the plus, BLANK, or, below zero, why
 * it is none. What could be read in two ways is refused: a message to nobody is better than one to somebody else.
 *
 * | written                                        | then                                                             |
 * |------------------------------------------------|------------------------------------------------------------------|
 * | 21987654321.0, one run of digits and zeros     | without the zeros; any other fraction is refused                 |
 * | (0xx11), 0 15 11, 0055 11, +55 (0)11           | trunk prefix, carrier, international prefix are taken out        |
 * | (11) 9876-5432 (2), 11 9876-5432 1             | extra_digits: the last digits are no part of the number          |
 * | 119.876.543-21, 91987-6543 21                  | extra_digits: nobody writes a telephone in such groups           |
 * | anything in letters                            | not_a_number, or extra_digits after a whole number               |
 */
export function writtenNumber(written: string): number {
  const seen = asSeen(written).replace(REPEATED, '$1');
  if (seen === '') return BLANK;
  if (seen.length > LONGEST) return /^[+\d ().-]*$/.test(seen) && /\d/.test(seen) ? WRONG_LENGTH : NOT_A_NUMBER;
  const fraction = DECIMAL.exec(seen);
  if (fraction && Number(fraction[2]) === 0) return read(fraction[1] as string);
  if (DECIMAL_COMMA.test(seen)) return FRACTION;
  if (EXPONENT.test(seen)) return NOT_A_NUMBER;
  const text = seen.replace(CARRIER_PLACE, '$10');
  const number = readable(text);
  // 1198765432.1 is a number of ten digits and a tenth; 11.987654321 is a number in groups.
  return fraction && number < 0 && number !== NOT_MOBILE ? FRACTION : number;
}

function readable(text: string): number {
  const front = NUMBER_CHARACTERS.exec(text)?.[0] ?? '';
  if (front.length < text.length) {
    const rest = text.slice(front.length);
    return /\d/.test(rest) && isWhole(read(front)) ? EXTRA_DIGITS : NOT_A_NUMBER;
  }
  return read(text);
}

/** Digits with blanks, brackets, dots and hyphens, and a plus that may stand before them all. */
function read(text: string): number {
  const plus = text.indexOf('+');
  if (plus >= 0 && (text.indexOf('+', plus + 1) >= 0 || /\d/.test(text.slice(0, plus)))) return NOT_A_NUMBER;
  const groups = text.match(/\d+/g);
  if (!groups) return NOT_A_NUMBER;
  const isInternational = plus >= 0;
  if (hasCounter(text)) return EXTRA_DIGITS;
  const number = judge(groups, isInternational, text);
  if (number !== WRONG_LENGTH) return number;
  const isCounted = (groups[0] as string).length <= 2 && isWhole(judge(groups.slice(1), false, ''));
  return isCounted || beginsWithWhole(groups, isInternational) ? EXTRA_DIGITS : WRONG_LENGTH;
}

/** `1) 11987654321`, `(11) 98765-4321 (2)`. */
function hasCounter(text: string): boolean {
  const digitsWithout = (pattern: RegExp) => text.replace(pattern, '').replace(/\D/g, '').length;
  if (COUNTER_BEFORE.test(text)) return digitsWithout(COUNTER_BEFORE) >= LOCAL;
  return COUNTER_AFTER.test(text) && digitsWithout(COUNTER_AFTER) >= LOCAL;
}

/** Whether the first groups are a whole number by themselves, so that the rest is extra. */
function beginsWithWhole(groups: string[], isInternational: boolean): boolean {
  return groups.some((_, size) => size > 0 && isWhole(judge(groups.slice(0, size), isInternational, '')));
}

/** A number that one can call: also a landline, to which nothing is sent. */
function isWhole(number: number): boolean {
  return number > 0 || number === NOT_MOBILE;
}

/** `text`: as it is written, for the brackets in it. */
function judge(groups: string[], plus: boolean, text: string): number {
  const digits = groups.join('');
  // 00 is the plus of a telephone: no DDD begins with 0, so nothing else could be meant.
  const isZeroZero = !plus && digits.startsWith('00');
  const begin = isZeroZero ? 2 : 0;
  if (plus || isZeroZero) {
    if (digits.startsWith('55', begin) && (plus || digits.length > NATIONAL + 1))
      return ofBrazil(digits, begin + 2, groups);
    const number = ofAnotherCountry(digits.slice(begin), groups, text);
    if (plus || digits.length > NATIONAL + 1) return number;
    // Of up to twelve digits the first 0 may be the trunk prefix of a mobile whose DDD is wrong: 0 04 98765-4321.
    const national = ofBrazil(digits, 0, groups);
    return number > 0 && national !== UNKNOWN_DDD ? number : national;
  }
  const hasCountry = digits.length > NATIONAL + 1 && digits.startsWith('55');
  if (digits.length === NATIONAL + 1 && digits.startsWith('55')) return tenDigits(Number(digits.slice(2)));
  return ofBrazil(digits, hasCountry ? 2 : 0, groups);
}

/** The digits from `begin` on are DDD and number, perhaps after a trunk prefix and a carrier's number. */
function ofBrazil(digits: string, begin: number, groups: string[]): number {
  const from = digits.length - begin > NATIONAL ? begin + prefixLength(digits.slice(begin)) : begin;
  const length = digits.length - from;
  if (length === LANDLINE) return tenDigits(Number(digits.slice(from)));
  if (length !== NATIONAL) return WRONG_LENGTH;
  return hasLeftOver(endsOf(groups, from)) ? EXTRA_DIGITS : national(Number(digits.slice(from)));
}

function ofAnotherCountry(digits: string, groups: string[], text: string): number {
  const last = groups.at(-1) ?? '';
  if (groups.length > 1 && last.length === 1 && groups.some((group) => group.length > 1)) return EXTRA_DIGITS;
  // Where numbers have no fixed length, an extension makes another valid number: +43 664 123456-12.
  const isShort = last.length <= 2 || (last.length <= 4 && (groups.at(-2)?.length ?? 0) >= LONG_GROUP);
  if (groups.length > 1 && isShort && foreign(digits.slice(0, -last.length)) > 0) return EXTRA_DIGITS;
  const number = foreign(digits);
  if (number > 0 || !TRUNK_ZERO.test(text)) return number;
  const bare = foreign(text.replace(TRUNK_ZERO, '').replace(/\D/g, '').replace(/^00/, ''));
  return bare > 0 ? bare : number;
}

/** How many digits the trunk prefix 0 and the carrier after it have. Source: Google's metadata for Brazil. */
function prefixLength(digits: string): number {
  if (!digits.startsWith('0')) return 0;
  const match = TRUNK_PREFIX.exec(digits);
  if (!match) return 0;
  const afterCarrier = match[2];
  return afterCarrier === undefined ? match[0].length : match[0].length - afterCarrier.length;
}

const TRUNK_PREFIX = trunkPrefix();

function trunkPrefix(): RegExp {
  const metadata = new Metadata();
  metadata.selectNumberingPlan('BR');
  const plan = metadata.numberingPlan as
    | (Metadata['numberingPlan'] & { nationalPrefixForParsing(): string })
    | undefined;
  return new RegExp(`^(?:${plan?.nationalPrefixForParsing() ?? '0'})`);
}

/** After how many of the eleven national digits, the first of which is digit `from`, a group ends. */
function endsOf(groups: string[], from: number): Set<number> {
  const ends = new Set<number>();
  let at = -from;
  for (const group of groups) {
    at += group.length;
    if (at > 0 && at < NATIONAL) ends.add(at);
  }
  return ends;
}

/**
 * Whether eleven digits stand in groups that no mobile number is written in, but that fit a shorter number with something
 * before or after it. `1-1-9-8-7-6-5-4-3-2-1` is nothing but digits.
 *
 * | the last group has | because                                                                | but                     |
 * |--------------------|------------------------------------------------------------------------|-------------------------|
 * | one digit          | DDD, eight digits and a counter; a PIS                                 |                         |
 * | two                | nine digits without DDD and another number; a CPF (3, 3, 3, 2)         | 11 98765 43 21: pairs   |
 * | three              | eight digits without DDD, in one group or in two of four, and a third  | 11 987 654 321          |
 *
 * One digit alone before all others is a counter, too.
 */
function hasLeftOver(ends: Set<number>): boolean {
  if (ends.size === NATIONAL - 1) return false;
  if (ends.has(10) || ends.has(1)) return true;
  if (ends.has(9)) return !(ends.has(2) && ends.has(7));
  return ends.has(8) && [...ends].every((end) => end === 8 || end === 4);
}
