import type { Field } from './field.js';

/** Ten digits are what a boleto's barcode has for its amount. */
export const MAX_CENTS = 9_999_999_999;

const MAX_DIGITS = 14;
const DECIMALS = 2;
const COMMA = 0x2c;
const POINT = 0x2e;
const ZERO = 0x30;

/**
 * The cents of an amount, digit by digit and never through a fraction: 1 to 14 digits, and a point or a comma with one or two
 * more. Undefined: anything else, as money is not guessed. What is over MAX_CENTS may be inexact.
 */
export function centsOf({ bytes, from, to }: Field): number | undefined {
  let value = 0;
  let digits = 0;
  let decimals = -1;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    const digit = byte - ZERO;
    if (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      if (decimals >= 0) decimals++;
      else digits++;
    } else if ((byte === POINT || byte === COMMA) && decimals < 0) decimals = 0;
    else return undefined;
  }
  if (digits === 0 || digits > MAX_DIGITS || decimals === 0 || decimals > DECIMALS) return undefined;
  return decimals < 0 ? value * 100 : decimals === 1 ? value * 10 : value;
}
