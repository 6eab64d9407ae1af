const BRAZIL = /^\+55/;

/**
 * A pattern of the digits of what is this number, in whatever notation it was written. People write a Brazilian one with and
 * without country code, so DDD and number are looked for, wherever they stand; of another country the whole, as the few digits
 * of a short one stand in many others.
 */
export function asWritten(phoneNumber: string): string {
  return BRAZIL.test(phoneNumber) ? phoneNumber.replace(BRAZIL, '') : `^0*${phoneNumber.replace('+', '')}$`;
}

/** The digits of a text in SQL, whatever else stands between them: also an escape such as `\u200b`, which has digits itself. */
export function digitsOf(value: string): string {
  return `regexp_replace(${value}, '\\\\u(\\{[0-9a-f]+\\}|[0-9a-f]{4})|\\D', '', 'g')`;
}
