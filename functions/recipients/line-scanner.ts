import { NOT_A_NUMBER, toE164 } from './phone-number.js';
import { FileNotText } from './recipients.errors.js';
import { type RejectList, VALUE_BYTES } from './reject-list.js';

export const LF = 0x0a;
export const CR = 0x0d;
const TAB = 0x09;
const ZERO = 0x30;

/** What a byte means in the first column. BLANK is also what `white space` means for a line. */
const BLANK = 0;
const DIGIT = 1;
const PUNCTUATION = 2;
const END = 3;
const PLUS = 4;
const QUOTE = 5;
const CONTROL = 6;
const OTHER = 7;

/** One kind a byte; `special` names the characters in which a file and a list entry differ. */
function kinds(special: Record<string, number>): Uint8Array {
  const table = new Uint8Array(256).fill(OTHER);
  table.fill(CONTROL, 0x00, 0x20).fill(DIGIT, ZERO, ZERO + 10);
  table[0x7f] = CONTROL;
  const all = {
    ' ': BLANK,
    '(': PUNCTUATION,
    ')': PUNCTUATION,
    '-': PUNCTUATION,
    '.': PUNCTUATION,
    '+': PLUS,
    ...special,
  };
  for (const [character, kind] of Object.entries(all)) table[character.charCodeAt(0)] = kind;
  return table;
}

/** A line of a file: columns end at `,` `;` or tab, lines at CR or LF, and a column may stand in quotes. */
export const FILE_LINE = kinds({ ',': END, ';': END, '\t': END, '\r': END, '\n': END, '"': QUOTE });
/** An entry of a list has no columns, no lines and no quotes: white space of any kind is a blank. */
export const LIST_ENTRY = kinds({ '\t': BLANK, '\r': BLANK, '\n': BLANK });

/**
 * Reads one line after the other, byte by byte, and need not have the line in one piece: of a line that is cut it keeps
 * the first VALUE_BYTES of its first column and what the rest came to. A character of several bytes must not be cut.
 *
 * A separator ends the column even between quotes: no number holds one, so the line is refused either way.
 */
export class LineScanner {
  /** Of the line being read, from 1. */
  lineNumber = 0;
  /** Where the line begins in the piece at hand; negative if in an earlier piece. */
  #start = 0;
  /** Length of the first column, once its separator has been seen, or -1. */
  #columnEnd = -1;
  /** The first column's digits as one number, and how many. Inexact from 16 on, where the count alone decides. */
  #digits = 0;
  #count = 0;
  #plus = false;
  #other = false;
  /** Offsets in the line: the last character that is no blank, the quote before all others, the last quote. Or -1. */
  #last = -1;
  #open = -1;
  #close = -1;
  #quotes = 0;
  /** Whether the line holds a digit, and anything but white space, behind its first column. */
  #laterDigit = false;
  #laterText = false;
  readonly #kinds: Uint8Array;
  /** Enough for a value behind an opening quote, which may have VALUE_BYTES blanks before it. */
  readonly #kept = new Uint8Array(VALUE_BYTES * 2);
  #keptSize = 0;

  /** `kinds`: FILE_LINE or LIST_ENTRY. */
  constructor(kinds: Uint8Array) {
    this.#kinds = kinds;
  }

  /** The next line begins at `start` of the piece at hand. */
  begin(start: number): void {
    this.lineNumber++;
    this.#start = start;
    this.#columnEnd = -1;
    this.#digits = 0;
    this.#count = 0;
    this.#plus = false;
    this.#other = false;
    this.#last = -1;
    this.#open = -1;
    this.#close = -1;
    this.#quotes = 0;
    this.#laterDigit = false;
    this.#laterText = false;
    this.#keptSize = 0;
  }

  /** Reads on to the line's CR or LF and returns where that stands, or to the piece's end and returns its length. */
  scan(bytes: Uint8Array, from: number): number {
    let at = from;
    if (this.#columnEnd < 0) {
      at = this.#scanColumn(bytes, from);
      const stop = bytes[at];
      if (stop === undefined || stop === LF || stop === CR) return at;
      this.#columnEnd = at - this.#start;
    }
    return this.#scanLater(bytes, at);
  }

  /** The piece is over, the line is not: the next scan gets the next piece, from 0. */
  suspend(bytes: Uint8Array): void {
    this.#keep(bytes, bytes.length);
    this.#start -= bytes.length;
  }

  /** Whether the line has any byte in the pieces suspended so far. */
  get begun(): boolean {
    return this.#start < 0;
  }

  /** Whether the line, read to its end, has nothing but white space. */
  get blank(): boolean {
    return this.#last < 0 && !this.#laterText;
  }

  /** Whether the line, read to its end, has an ASCII digit in any column. */
  get anyDigit(): boolean {
    return this.#count > 0 || this.#laterDigit;
  }

  /** What the first column says, as toE164 gives it. */
  number(): number {
    if (this.#other || (this.#quotes > 0 && !(this.#quotes === 2 && this.#quoted))) return NOT_A_NUMBER;
    return toE164(this.#digits, this.#count, this.#plus);
  }

  /** Adds the first column to the rejects. `bytes` and `end` are those of the scan that found the line's end. */
  rejectTo(rejects: RejectList, code: number, bytes: Uint8Array, end: number): void {
    const from = this.#quoted ? this.#open + 1 : 0;
    const to = this.#quoted ? this.#close : this.#columnEnd < 0 ? end - this.#start : this.#columnEnd;
    if (this.#start >= 0) {
      rejects.add(this.lineNumber, code, bytes, this.#start + from, this.#start + to);
      return;
    }
    this.#keep(bytes, end);
    rejects.add(this.lineNumber, code, this.#kept, from, Math.min(to, this.#keptSize));
  }

  /** A pair of quotes stands around the column; blanks outside it do not matter. */
  get #quoted(): boolean {
    return this.#open >= 0 && this.#close > this.#open && this.#close === this.#last;
  }

  #scanColumn(bytes: Uint8Array, from: number): number {
    const kinds = this.#kinds;
    const start = this.#start;
    let digits = this.#digits;
    let at = from;
    for (; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      const kind = kinds[byte] as number;
      if (kind === DIGIT) {
        digits = digits * 10 + (byte - ZERO);
        this.#count++;
        this.#last = at - start;
      } else if (kind === PUNCTUATION) {
        this.#last = at - start;
      } else if (kind === END) {
        break;
      } else if (kind !== BLANK) {
        at += this.#takeRare(kind, bytes, at);
      }
    }
    this.#digits = digits;
    return at;
  }

  /** Takes a character that is no digit, punctuation or blank of one byte; returns how many bytes more than one it has. */
  #takeRare(kind: number, bytes: Uint8Array, at: number): number {
    if (kind === CONTROL || isC1(bytes, at)) throw new FileNotText(this.lineNumber);
    const width = wideBlank(bytes, at);
    if (width > 0) return width - 1;
    const offset = at - this.#start;
    if (kind === PLUS && this.#count === 0 && !this.#plus) {
      this.#plus = true;
    } else if (kind === QUOTE) {
      if (this.#last < 0 && offset < VALUE_BYTES) this.#open = offset;
      this.#close = offset;
      this.#quotes++;
    } else {
      this.#other = true;
    }
    this.#last = offset;
    return 0;
  }

  /**
   * The columns behind the first, from a separator on. They may be in any encoding that has ASCII in it, so bytes from
   * 0x80 on are all allowed. Looks closer only where the line may be a header or white space.
   */
  #scanLater(bytes: Uint8Array, from: number): number {
    const closer = this.lineNumber === 1 || this.#last < 0;
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (byte < 0x20 ? byte !== TAB : byte === 0x7f) {
        if (byte === LF || byte === CR) return at;
        throw new FileNotText(this.lineNumber);
      }
      if (!closer) continue;
      const width = byte === TAB || byte === 0x20 ? 1 : wideBlank(bytes, at);
      if (width === 0) this.#laterText = true;
      else at += width - 1;
      if (byte >= ZERO && byte < ZERO + 10) this.#laterDigit = true;
    }
    return bytes.length;
  }

  /** Keeps what this piece has of the first column, whose bytes so far end at `end`, as far as there is room. */
  #keep(bytes: Uint8Array, end: number): void {
    const columnEnd = this.#columnEnd < 0 ? end : Math.min(end, this.#start + this.#columnEnd);
    const from = Math.max(this.#start, 0);
    const to = Math.min(columnEnd, from + this.#kept.length - this.#keptSize);
    for (let at = from; at < to; at++) this.#kept[this.#keptSize++] = bytes[at] as number;
  }
}

/**
 * The bytes at the end of a piece that a blank of several bytes, or a C1 control character, may begin with: they must
 * wait for the next piece.
 */
export function unfinished(bytes: Uint8Array): number {
  const last = bytes.at(-1);
  if (last === 0xc2 || last === 0xe2) return 1;
  return last === 0x80 && bytes.at(-2) === 0xe2 ? 2 : 0;
}

/** Bytes of the blank at `at` that spreadsheets put between digits, U+00A0 or U+202F; 0 if it is neither. */
function wideBlank(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  if (byte === 0xc2) return bytes[at + 1] === 0xa0 ? 2 : 0;
  return byte === 0xe2 && bytes[at + 1] === 0x80 && bytes[at + 2] === 0xaf ? 3 : 0;
}

/** U+0080..U+009F, control characters that are two bytes of UTF-8. */
function isC1(bytes: Uint8Array, at: number): boolean {
  const next = bytes[at + 1];
  return bytes[at] === 0xc2 && next !== undefined && next >= 0x80 && next < 0xa0;
}
