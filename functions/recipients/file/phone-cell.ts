import { textOf } from '../../platform/shown-text.js';
import { mayHavePrefix, NOT_A_NUMBER, toE164, WRONG_LENGTH } from '../number/phone-number.js';
import { BLANK, writtenNumber } from '../number/written-number.js';
import { VALUE_BYTES } from '../reject-list.js';
import { BLANK_BYTE, DIGIT, PLUS, SEPARATOR, ZERO } from './bytes.js';

/** More bytes than any number has, with all that people write around one. */
const TEXT_BYTES = 256;
/** Characters that mean no more when they are repeated. */
const IS_REPEATABLE = marked(' ().-');
/** Characters that numbers are made of. */
const IS_NUMBERS = marked(' ().-+0123456789');
const QUOTED = /^[ \u00a0\u202f\ufeff]*"(.*)"[ \u00a0\u202f]*$/s;
/** The first of two bytes of a C1 control character, U+0080..U+009F, and the end of the others. */
const C1_LEAD = 0xc2;
const C1_END = 0xa0;

/**
 * The cell of one line in the column with the numbers, read byte by byte, however the file is cut. A cell of nothing but
 * digits needs no second look. Any other is read as text, as people write numbers in many ways.
 */
export class PhoneCell {
  /** Once the cell has ended: a number as toE164 returns it, BLANK, or why it is no number. */
  code = BLANK;
  /** It holds U+0080..U+009F, which no text has. */
  hasC1 = false;
  /**
   * The bytes of the current piece that are not kept yet: where they begin; where they end, or -1 until the cell has ended.
   */
  #start = 0;
  #end = -1;
  /** What earlier pieces held of the cell: its beginning, for a reject, and its text without repeated blanks. */
  readonly #raw = new ByteBuffer(VALUE_BYTES);
  readonly #text = new ByteBuffer(TEXT_BYTES);
  /**
   * `#cut`: the text was too long to keep. `#odd`: it holds characters that no number has. `#anyDigit`: it holds a digit.
   */
  #cut = false;
  #odd = false;
  #anyDigit = false;
  #previous = 0;
  /** The digits as one number, and how many. Inexact from 16 on, where the count alone decides. */
  #digits = 0;
  #count = 0;
  #plus = false;
  #plain = true;
  /** How many digits stood before the first blank that follows a digit, or -1. */
  #gap = -1;

  /** Begins the next line, whose cell stands at `start` of the current piece. Until that is read, the cell is blank. */
  begin(start: number): void {
    this.code = BLANK;
    this.hasC1 = false;
    this.#start = start;
    this.#end = -1;
    this.#raw.clear();
    this.#text.clear();
    this.#cut = false;
    this.#odd = false;
    this.#anyDigit = false;
    this.#previous = 0;
    this.#digits = 0;
    this.#count = 0;
    this.#plus = false;
    this.#plain = true;
    this.#gap = -1;
  }

  /** Reads on to a separator, a line end or a control character, and returns where it stands; or the piece's length. */
  scan(bytes: Uint8Array, from: number, kinds: Uint8Array): number {
    let digits = this.#digits;
    let count = this.#count;
    let at = from;
    for (; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      const kind = kinds[byte] as number;
      if (kind === DIGIT) {
        digits = digits * 10 + (byte - ZERO);
        count++;
      } else if (kind >= SEPARATOR) {
        break;
      } else {
        this.#takeOther(kind, byte, count);
      }
    }
    this.#digits = digits;
    this.#count = count;
    return at;
  }

  #takeOther(kind: number, byte: number, count: number): void {
    if (kind === BLANK_BYTE) {
      if (count > 0 && this.#gap < 0) this.#gap = count;
    } else if (byte === PLUS && count === 0 && !this.#plus) {
      this.#plus = true;
    } else {
      this.#plain = false;
    }
  }

  /** The cell had no quotes around it, and ends before `end` of the current piece. */
  end(bytes: Uint8Array, end: number): void {
    this.#end = end;
    if (this.#plain && (this.#gap < 0 || this.#gap === this.#count)) {
      this.code = this.#count > 0 ? toE164(this.#digits, this.#count, this.#plus) : this.#plus ? NOT_A_NUMBER : BLANK;
      if (this.code >= BLANK || !mayHavePrefix(this.#digits, this.#count)) return;
    }
    const isWhole = this.#raw.size === 0 && end - this.#start <= TEXT_BYTES;
    if (!isWhole) this.suspend(bytes);
    this.#read(isWhole ? bytes.subarray(this.#start, end) : this.#text.bytes());
  }

  /** The cell stood in quotes, and these are the bytes between them. */
  endQuoted(field: Uint8Array): void {
    this.begin(0);
    this.#end = field.length;
    if (field.length > TEXT_BYTES) this.suspend(field);
    else this.#raw.add(field, 0, field.length);
    this.#read(field.length > TEXT_BYTES ? this.#text.bytes() : field);
    this.#end = 0;
  }

  /** The current piece is over: keeps what it holds of the cell, up to `to`. */
  suspend(bytes: Uint8Array, to = bytes.length): void {
    const end = this.#end < 0 ? Math.max(to, this.#start) : this.#end;
    this.#raw.add(bytes, this.#start, end);
    for (let at = this.#start; at < end; at++) {
      const byte = bytes[at] as number;
      if (IS_REPEATABLE[byte] === 1 && byte === this.#text.last) continue;
      this.hasC1 ||= this.#previous === C1_LEAD && byte >= 0x80 && byte < C1_END;
      this.#previous = byte;
      this.#odd ||= IS_NUMBERS[byte] !== 1;
      this.#anyDigit ||= byte >= ZERO && byte < ZERO + 10;
      if (!this.#text.push(byte)) this.#cut = true;
    }
    this.#start = 0;
    if (this.#end >= 0) this.#end = 0;
  }

  /** The cell's bytes, or as many of them as a reject shows. `bytes`: the current piece. */
  value(bytes: Uint8Array): Uint8Array {
    this.#raw.add(bytes, this.#start, Math.max(this.#end, this.#start));
    this.#start = Math.max(this.#end, this.#start);
    return this.#raw.bytes();
  }

  #read(text: Uint8Array): void {
    this.hasC1 ||= holdsC1(text);
    // A text that was cut could be read as a number that it is not.
    if (this.#cut) this.code = this.#odd || !this.#anyDigit ? NOT_A_NUMBER : WRONG_LENGTH;
    else this.code = writtenNumber(withoutQuotes(textOf(text)));
  }
}

function marked(characters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const character of characters) table[character.charCodeAt(0)] = 1;
  return table;
}

/** For a cell where another kind of blank stands before the quotes, so that RFC 4180 does not take them for quotes. */
function withoutQuotes(text: string): string {
  return text.includes('"') ? text.replace(QUOTED, '$1') : text;
}

function holdsC1(text: Uint8Array): boolean {
  for (let at = text.indexOf(C1_LEAD); at >= 0; at = text.indexOf(C1_LEAD, at + 1)) {
    const next = text[at + 1] ?? 0;
    if (next >= 0x80 && next < C1_END) return true;
  }
  return false;
}

/** Bytes up to a limit; what comes after it is left out. */
class ByteBuffer {
  size = 0;
  readonly #bytes: Uint8Array;

  constructor(limit: number) {
    this.#bytes = new Uint8Array(limit);
  }

  get last(): number | undefined {
    return this.size > 0 ? this.#bytes[this.size - 1] : undefined;
  }

  clear(): void {
    this.size = 0;
  }

  /** Returns false when the buffer is full. */
  push(byte: number): boolean {
    if (this.size === this.#bytes.length) return false;
    this.#bytes[this.size++] = byte;
    return true;
  }

  add(from: Uint8Array, start: number, end: number): void {
    const to = Math.min(end, start + this.#bytes.length - this.size);
    if (to <= start) return;
    this.#bytes.set(from.subarray(start, to), this.size);
    this.size += to - start;
  }

  /** A view of the buffer, valid until its next change. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.size);
  }
}
