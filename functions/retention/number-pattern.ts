const BRAZIL = /^\+55/;

/**
 * A pattern for the digits of this number, in any notation. People write a Brazilian number with and without the country
 * code, so it matches DDD and number anywhere. For another country it matches the whole number: the few digits of a short
 * one occur in many others.
 */
export function numberPattern(phoneNumber: string): string {
  return BRAZIL.test(phoneNumber) ? phoneNumber.replace(BRAZIL, '') : `^0*${phoneNumber.replace('+', '')}$`;
}

/**
 * SQL for the digits of a text, without all that stands between them. An escape like `\u200b` goes whole, as it has digits
 * itself.
 */
export function digitsOf(value: string): string {
  return `regexp_replace(${value}, '\\\\u(\\{[0-9a-f]+\\}|[0-9a-f]{4})|\\D', '', 'g')`;
}
