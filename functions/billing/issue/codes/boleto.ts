/** The number of the simulated bank. No bank of Brazil has it. */
export const BANK = '999';
/** How the simulated bank names this kind of boleto. */
export const WALLET = '17';
const REAL = '9';
const DAY_MS = 86_400_000;
/** Day 0 of the due factor, set by the banks. Factor 9999 was 2025-02-21, and the day after has 1000 again. */
const FIRST_DAY = Date.UTC(1997, 9, 7);
const LAST_FACTOR = 9_999;
const FIRST_AGAIN = 1_000;
const MOST_CENTS = 9_999_999_999;
const MOST_AGREEMENT = 999_999;
const OUR_NUMBER_DIGITS = 17;
const BARCODE = /^\d{44}$/;
const LINE = /^\d{47}$/;
/** Of 100.00 and the like: three groups with a check digit each, the barcode's own check digit, factor and amount. */
const GROUPS = /^(\d{5})(\d{5})(\d{5})(\d{6})(\d{5})(\d{6})(\d)(\d{14})$/;

/** What a boleto of the simulated bank says in its barcode. */
export interface BarcodeParts {
  /** The beneficiary's number at the bank, 1 to 999999. */
  agreement: number;
  /** What identifies the boleto at the bank (nosso número). */
  ourNumber: bigint;
  cents: number;
  /** YYYY-MM-DD */
  dueOn: string;
}

/** The due factor of a date, YYYY-MM-DD: days since 1997-10-07, which go from 9999 on to 1000. */
export function dueFactor(dueOn: string): number {
  const days = (Date.parse(`${dueOn}T00:00:00Z`) - FIRST_DAY) / DAY_MS;
  if (!(days >= 0)) throw new RangeError(`no due factor for ${dueOn}`);
  return days <= LAST_FACTOR ? days : ((days - FIRST_AGAIN) % (LAST_FACTOR + 1 - FIRST_AGAIN)) + FIRST_AGAIN;
}

/** The 44 digits of a boleto's barcode. A value that does not fit would move all after it, so it is an error. */
export function barcodeOf({ agreement, ourNumber, cents, dueOn }: BarcodeParts): string {
  if (!Number.isInteger(cents) || cents < 1 || cents > MOST_CENTS) throw new RangeError(`no boleto of ${cents} cents`);
  if (!Number.isInteger(agreement) || agreement < 1 || agreement > MOST_AGREEMENT)
    throw new RangeError(`no agreement ${agreement}`);
  const number = ourNumber.toString().padStart(OUR_NUMBER_DIGITS, '0');
  if (ourNumber < 0n || number.length > OUR_NUMBER_DIGITS) throw new RangeError(`no boleto number ${ourNumber}`);
  const value = padded(dueFactor(dueOn), 4) + padded(cents, 10);
  const head = BANK + REAL;
  const rest = value + WALLET + padded(agreement, 6) + number;
  return head + checkOfBarcode(head + rest) + rest;
}

/** The 47 digits of a barcode that a person types (linha digitável). */
export function digitableLineOf(barcode: string): string {
  const first = barcode.slice(0, 4) + barcode.slice(19, 24);
  const second = barcode.slice(24, 34);
  const third = barcode.slice(34);
  return [first, second, third].map((group) => group + checkOfGroup(group)).join('') + barcode.slice(4, 19);
}

/** The 47 digits as they are printed: `AAAAA.AAAAA BBBBB.BBBBBB CCCCC.CCCCCC D FFFFVVVVVVVVVV`. */
export function formattedLineOf(line: string): string {
  return line.replace(GROUPS, '$1.$2 $3.$4 $5.$6 $7 $8');
}

/** The barcode of a line that a person typed, with or without blanks and dots; undefined when a check digit is wrong. */
export function barcodeOfLine(line: string): string | undefined {
  const digits = line.replace(/[\s.]/g, '');
  if (!LINE.test(digits)) return undefined;
  const free = digits.slice(4, 9) + digits.slice(10, 20) + digits.slice(21, 31);
  const barcode = digits.slice(0, 4) + digits.slice(32) + free;
  // Made again from the barcode, the three check digits of the groups are right or the line is another one.
  return hasRightCheck(barcode) && digitableLineOf(barcode) === digits ? barcode : undefined;
}

/** The number that a barcode of the simulated bank stands for; undefined when it is none of it or its check digit is wrong. */
export function ourNumberOf(barcode: string): bigint | undefined {
  if (!BARCODE.test(barcode) || !barcode.startsWith(BANK + REAL) || barcode.slice(19, 21) !== WALLET) return undefined;
  return hasRightCheck(barcode) ? BigInt(barcode.slice(27)) : undefined;
}

/** The check digit of a bank's number, as printed on a boleto: modulo 11, weights 2, 3, 4 from the right. */
export function bankWithCheck(bank: string): string {
  const sum = [...bank].reduce((total, digit, at) => total + Number(digit) * (4 - at), 0);
  const check = 11 - (sum % 11);
  return `${bank}-${check > 9 ? 0 : check}`;
}

function hasRightCheck(barcode: string): boolean {
  return barcode[4] === checkOfBarcode(barcode.slice(0, 4) + barcode.slice(5));
}

/** Modulo 11 over the other 43 digits, weights 2 to 9 from the right. 0 is no check digit of a barcode: it becomes 1. */
function checkOfBarcode(digits: string): string {
  let sum = 0;
  for (let at = digits.length - 1, weight = 2; at >= 0; at--, weight = weight === 9 ? 2 : weight + 1)
    sum += Number(digits[at]) * weight;
  const check = 11 - (sum % 11);
  return String(check > 9 ? 1 : check);
}

/** Modulo 10, weights 2 and 1 from the right, the digits of each product added. */
function checkOfGroup(digits: string): string {
  let sum = 0;
  for (let at = digits.length - 1, weight = 2; at >= 0; at--, weight = 3 - weight) {
    const product = Number(digits[at]) * weight;
    sum += product > 9 ? product - 9 : product;
  }
  return String((10 - (sum % 10)) % 10);
}

function padded(number: number, digits: number): string {
  return String(number).padStart(digits, '0');
}
