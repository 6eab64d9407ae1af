import { randomBytes } from 'node:crypto';

/** A text or a number as JSON writes them. */
const LITERAL = /"(?:[^"\\]+|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
/** A double keeps so many digits. A shorter literal without an exponent needs no closer look. */
const SAFE_LENGTH = 15;

/** Perhaps a literal that a double does not hold, where a value may begin: 16 characters, or an exponent. Few texts have one. */
const SUSPECT = /(?:^|[:,[\s])-?(?:[\d.]{16}|[\d.]+[eE])/;

/** A parsed JSON text, from which parts can be written again without a change of their numbers. */
export interface ExactJson {
  value: unknown;
  /** The same as `value`, for `textOf` alone. */
  exact: unknown;
  /** A part of `exact` as JSON. Throws RangeError where it is nested too deeply to be written. */
  textOf(part: unknown): string;
}

/**
 * Parses JSON. `JSON.parse` changes numbers that a double cannot hold: an id of 20 digits gets another value, 1e400 becomes
 * null. What we store and deliver for others must not change, so such literals are kept as they are. Throws SyntaxError.
 */
export function parseExact(text: string): ExactJson {
  const value: unknown = JSON.parse(text);
  if (!SUSPECT.test(text)) return { value, exact: value, textOf: (part) => JSON.stringify(part) };
  // In the text of one that is not there, so that no text of the sender is taken for a number.
  let mark = '';
  const marked = text.replace(LITERAL, (literal) => {
    if (literal.startsWith('"') || isExact(literal)) return literal;
    mark ||= newMark(text);
    return `"${mark}${literal}"`;
  });
  if (mark === '') return { value, exact: value, textOf: (part) => JSON.stringify(part) };
  const markedLiteral = new RegExp(`"${mark}([^"]*)"`, 'g');
  return {
    value,
    exact: JSON.parse(marked),
    textOf: (part) => JSON.stringify(part).replace(markedLiteral, '$1'),
  };
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Parses bytes, as `parseExact` does; undefined when they are not JSON in UTF-8. */
export function exactJsonOf(bytes: Uint8Array): ExactJson | undefined {
  try {
    return parseExact(utf8.decode(bytes));
  } catch {
    return undefined;
  }
}

function newMark(text: string): string {
  for (;;) {
    const mark = `${randomBytes(8).toString('hex')}:`;
    if (!text.includes(mark)) return mark;
  }
}

/** Whether the number has the same decimal value after a double held it. */
function isExact(literal: string): boolean {
  if (literal.length <= SAFE_LENGTH && !/[eE]/.test(literal)) return true;
  return decimal(literal) === decimal(String(Number(literal)));
}

/** Sign, digits without zeros at both ends, and the power of ten: equal for equal values. */
function decimal(literal: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(literal) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  // Not /0+$/, which takes a minute of a literal of 250,000 digits with its zeros in the middle.
  let end = digits.length;
  while (digits[end - 1] === '0') end -= 1;
  const significant = digits.slice(0, end);
  if (significant === '') return '0';
  // Not a BigInt, which takes seconds of an exponent of a million digits. Where a number is not exact for it, or infinite, no
  // double has this exponent.
  const power = Number(exponent) - fraction.length + (digits.length - significant.length);
  return `${sign}${significant}e${power}`;
}
