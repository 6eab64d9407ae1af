import { mayHavePrefix, toE164 } from '../number/phone-number.js';
import { CONTROL, CR, LF, LINE_END, PLUS, QUOTE, SEPARATOR, SPACE, ZERO } from './bytes.js';

const OPEN = 0x28;
const CLOSE = 0x29;
const HYPHEN = 0x2d;
const NATIONAL = 11;
/** More digits are no number, and would not fit the bits of a whole number. */
const MOST_DIGITS = 15;

/** After how many of eleven digits a blank, a bracket or a hyphen may stand, one bit each: 11 98765-4321, 11 9 8765-4321. */
const GROUPS = new Set(
  [[], [2], [7], [2, 7], [2, 3], [2, 3, 7]].map((ends) => ends.reduce((bits, at) => bits | (1 << at), 0)),
);

/** Takes a record that has ended: its line, from 1; a number, BLANK or a reject's code; its cell, for a reject. */
export type TakeRecord = (line: number, code: number, value: () => Uint8Array) => void;

/**
 * Reads lines that are in one piece and whose number is written as most are. It leaves every other line to RecordReader.
 * Where both can read a line, they give the same result: the spec compares them.
 */
export class QuickLine {
  /** Where the next line to read begins. */
  next = 0;
  /** What the line that was read says, as toE164 has it, and where its cell stands. */
  #code = 0;
  #cellStart = 0;
  #cellEnd = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  readonly #value = () => this.#bytes.subarray(this.#cellStart, this.#cellEnd);
  readonly #column: number;
  readonly #cellKinds: Uint8Array;
  readonly #otherKinds: Uint8Array;

  constructor(column: number, cellKinds: Uint8Array, otherKinds: Uint8Array) {
    this.#column = column;
    this.#cellKinds = cellKinds;
    this.#otherKinds = otherKinds;
  }

  /**
   * Takes lines from `from` on, the first as line `line`, until one needs a closer look. Returns the number of that line.
   */
  takeAll(bytes: Uint8Array, from: number, line: number, take: TakeRecord): number {
    this.#bytes = bytes;
    this.next = from;
    let taken = line;
    while (this.next < bytes.length && this.#read(bytes, this.next)) take(taken++, this.#code, this.#value);
    return taken;
  }

  /** Returns false when the line at `from` needs a closer look; then nothing of it is taken. */
  #read(bytes: Uint8Array, from: number): boolean {
    const kinds = this.#otherKinds;
    let at = from;
    // Never reads past the end: one such read makes every other one slow.
    for (let field = 0; field < this.#column; field++) {
      at = skipField(bytes, at, kinds);
      if (at === bytes.length || kinds[bytes[at] as number] !== SEPARATOR) return false;
      at++;
    }
    at = this.#readNumber(bytes, at);
    if (at < 0) return false;
    let byte = bytes[at] as number;
    while (byte !== LF && byte !== CR) {
      // The first column may end at a separator that does not separate the others.
      at = kinds[byte] === SEPARATOR ? skipField(bytes, at + 1, kinds) : skipText(bytes, at + 1, kinds);
      if (at === bytes.length) return false;
      byte = bytes[at] as number;
      if (kinds[byte] === CONTROL) return false;
    }
    let next = at + 1;
    if (byte === CR) {
      // What follows CR may be in the next piece.
      if (next === bytes.length) return false;
      if (bytes[next] === LF) next++;
    }
    this.next = next;
    return true;
  }

  /** Where the cell ends, or -1. */
  #readNumber(bytes: Uint8Array, from: number): number {
    const size = bytes.length;
    if (from === size) return -1;
    const isQuoted = bytes[from] === QUOTE;
    let at = isQuoted ? from + 1 : from;
    const plus = at < size && bytes[at] === PLUS;
    if (plus) at++;
    let digits = 0;
    let count = 0;
    let ends = 0;
    let last = 0;
    let isOpen = false;
    for (; at < size && count <= MOST_DIGITS; at++) {
      const byte = bytes[at] as number;
      const digit = byte - ZERO;
      if (digit >= 0 && digit <= 9) {
        digits = digits * 10 + digit;
        count++;
      } else if (byte === SPACE || byte === HYPHEN || byte === OPEN || byte === CLOSE) {
        if (byte === OPEN) isOpen = true;
        else if (byte === CLOSE && !isOpen) return -1;
        ends |= 1 << count;
      } else {
        break;
      }
      last = byte;
    }
    if (last === CLOSE || (ends !== 0 && !isUsual(ends, count))) return -1;
    this.#cellStart = isQuoted ? from + 1 : from;
    this.#cellEnd = at;
    if (isQuoted && (at === size || bytes[at++] !== QUOTE)) return -1;
    if (count === 0 || at === size || !endsField(this.#cellKinds[bytes[at] as number])) return -1;
    this.#code = toE164(digits, count, plus);
    return this.#code > 0 || (ends === 0 && !mayHavePrefix(digits, count)) ? at : -1;
  }
}

/** Where the field ends; the piece's length where it is cut, or where its quote does not close on this line. */
function skipField(bytes: Uint8Array, from: number, kinds: Uint8Array): number {
  const size = bytes.length;
  if (from === size || bytes[from] === SPACE) return size;
  if (bytes[from] !== QUOTE) return skipText(bytes, from, kinds);
  let at = from + 1;
  while (at < size && bytes[at] !== QUOTE && (kinds[bytes[at] as number] as number) < LINE_END) at++;
  if (at + 1 >= size || bytes[at] !== QUOTE) return size;
  return endsField(kinds[bytes[at + 1] as number]) ? at + 1 : size;
}

function endsField(kind: number | undefined): boolean {
  return kind === SEPARATOR || kind === LINE_END;
}

function skipText(bytes: Uint8Array, from: number, kinds: Uint8Array): number {
  const size = bytes.length;
  let at = from;
  while (at < size && (kinds[bytes[at] as number] as number) < SEPARATOR) at++;
  return at;
}

/** Whether the groups are those of a mobile number, after 0, 55 or nothing. */
function isUsual(ends: number, count: number): boolean {
  const before = count - NATIONAL;
  if (before < 0 || before > 2) return false;
  const national = (ends & ~(1 << count)) >> before;
  const within = ends & ((1 << before) - 1);
  return (within & ~1) === 0 && GROUPS.has(national & ~1);
}
