import { isUtf8 } from 'node:buffer';
import { textOf } from '../../../platform/shown-text.js';
import { FileNotText } from '../../billing.errors.js';
import { type Field, fieldsOf } from './field.js';
import { type Layout, layoutOf } from './header.js';
import { unquoted } from './unquoted.js';

/** The most bytes of a line, its end not counted. It holds for the header, too. */
export const LINE_LIMIT = 4_096;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const NOTHING = Buffer.alloc(0);
/** What may wait for the end of its line. A line that is longer is cut down to its beginning. */
const CARRIED = LINE_LIMIT + BYTE_ORDER_MARK.length;
/** Enough of a line that is too long for the value of its reject. */
const KEPT_OF_LONG = 260;
/** Bytes that are taken in at a time. */
const BLOCK = 64 * 1_024;

const PLAIN = 0;
const SEPARATOR = 1;
const HIGH = 2;
const QUOTE = 3;
const LF = 4;
const CR = 5;
const CONTROL = 6;

const TAB_BYTE = 0x09;
const LF_BYTE = 0x0a;
const CR_BYTE = 0x0d;
const SPACE_BYTE = 0x20;
const QUOTE_BYTE = 0x22;
const DELETE_BYTE = 0x7f;

/** Why a line cannot be cut into the columns of the header. */
export const LINE_REASONS = ['columns', 'quotes', 'line_too_long'] as const;
export type LineReason = (typeof LINE_REASONS)[number];

/** Takes the lines of a file, in order. The fields are overwritten by the next line: what is to be kept has to be copied. */
export interface Lines {
  /** The six columns in the order of COLUMNS. `line` is physical, the header is 1. */
  record(line: number, fields: readonly Field[]): void;
  /** `text`: the line, or its beginning. */
  unreadable(line: number, reason: LineReason, text: Field): void;
}

/**
 * Cuts a CSV into lines and the lines into fields, however the file is cut into pieces. A record is one physical line: LF,
 * CRLF or CR ends it, in quotes too, so that an unclosed quote costs one line, and the line that closes it. Holds one line at
 * most.
 */
export class Splitter {
  /** Physical lines so far, the header counted. */
  #line = 0;
  #blank = 0;
  #layout: Layout | undefined;
  readonly #kinds = kindsOfBytes();
  readonly #bytes = Buffer.allocUnsafeSlow(CARRIED + BLOCK);
  /** The current line: where it begins, how far it was read, where the bytes end. */
  #start = 0;
  #at = 0;
  #end = 0;
  /** Where the fields of the current line end, from its beginning. */
  readonly #ends = new Int32Array(LINE_LIMIT + 1);
  #separators = 0;
  #hasQuote = false;
  #hasHigh = false;
  #isLong = false;
  #isAfterCr = false;
  /** A line before has opened a quote that is not closed yet, and no line with the columns of the header has come since. */
  #isOpen = false;
  readonly #fields = fieldsOf(this.#bytes);
  readonly #whole: Field = { bytes: this.#bytes, from: 0, to: 0, high: false };

  constructor(private readonly lines: Lines) {}

  /** Lines after the header. */
  get count(): number {
    return Math.max(this.#line - 1, 0);
  }

  /** Of these, the blank ones. */
  get blank(): number {
    return this.#blank;
  }

  /**
   * Keeps nothing of `piece`, which may be used again. Throws HeaderInvalid, and FileNotText at U+0000..U+001F but tab, CR
   * and LF, and at U+007F. Then nothing more may be written.
   */
  write(piece: Uint8Array): void {
    for (let from = 0; from < piece.length; from += BLOCK) {
      const block = piece.subarray(from, from + BLOCK);
      this.#bytes.set(block, this.#end);
      this.#end += block.length;
      this.#scan();
      this.#carry();
    }
  }

  /** The file is over: its last line needs no end. Throws as write does. */
  finish(): void {
    if (this.#end > this.#start) this.#endLine(this.#end);
  }

  #scan(): void {
    const bytes = this.#bytes;
    const kinds = this.#kinds;
    const end = this.#end;
    for (let at = this.#at; at < end; at++) {
      const kind = kinds[bytes[at] as number];
      if (kind === PLAIN) continue;
      if (kind === SEPARATOR) {
        if (this.#separators < LINE_LIMIT) this.#ends[this.#separators++] = at - this.#start;
      } else if (kind === HIGH) this.#hasHigh = true;
      else if (kind === QUOTE) this.#hasQuote = true;
      else if (kind === CONTROL) throw new FileNotText(this.#line + 1);
      else if (kind === LF && this.#isAfterCr && at === this.#start) {
        // The second half of a CRLF.
        this.#isAfterCr = false;
        this.#start = at + 1;
      } else {
        this.#endLine(at);
        this.#isAfterCr = kind === CR;
        this.#start = at + 1;
      }
    }
    this.#at = end;
  }

  /** Moves the line that has not ended yet to the front; of one that is too long, its beginning only. */
  #carry(): void {
    let size = this.#end - this.#start;
    if (size > CARRIED) {
      this.#isLong = true;
      size = KEPT_OF_LONG;
    }
    this.#bytes.copyWithin(0, this.#start, this.#start + size);
    this.#start = 0;
    this.#at = size;
    this.#end = size;
  }

  #endLine(end: number): void {
    this.#line++;
    if (this.#line === 1) this.#readHeader(end);
    else if (this.#isLong || end - this.#start > LINE_LIMIT) this.#unreadable('line_too_long', end);
    else if (isBlank(this.#bytes, this.#start, end)) this.#blank++;
    else this.#readLine(end);
    this.#separators = 0;
    this.#hasQuote = false;
    this.#hasHigh = false;
    this.#isLong = false;
  }

  #readHeader(end: number): void {
    const bytes = this.#bytes.subarray(this.#start, end);
    const header = bytes.indexOf(BYTE_ORDER_MARK) === 0 ? bytes.subarray(BYTE_ORDER_MARK.length) : bytes;
    const isLong = this.#isLong || header.length > LINE_LIMIT;
    this.#layout = layoutOf(isLong ? NOTHING : Buffer.from(textOf(header)));
    this.#kinds[this.#layout.separator.charCodeAt(0)] = SEPARATOR;
  }

  #readLine(end: number): void {
    const { columns, places } = this.#layout as Layout;
    const start = this.#start;
    const isForeign = this.#hasHigh && !isUtf8(this.#bytes.subarray(start, end));
    if (this.#hasQuote || isForeign) {
      this.#readSlowly(end, isForeign);
      return;
    }
    if (this.#separators !== columns - 1) {
      this.#unreadable('columns', end);
      return;
    }
    const ends = this.#ends;
    ends[columns - 1] = end - start;
    for (let each = 0; each < places.length; each++) {
      const place = places[each] as number;
      const field = this.#fields[each] as Field;
      field.from = start + (place === 0 ? 0 : (ends[place - 1] as number) + 1);
      field.to = start + (ends[place] as number);
      field.high = this.#hasHigh;
    }
    this.#isOpen = false;
    this.lines.record(this.#line, this.#fields);
  }

  /** A line with quotes, or in Windows-1252. */
  #readSlowly(end: number, isForeign: boolean): void {
    const { columns, places, separator } = this.#layout as Layout;
    const line = this.#bytes.subarray(this.#start, end);
    const fields = unquoted(isForeign ? Buffer.from(textOf(line)) : line, separator.charCodeAt(0), this.#hasHigh);
    const isOdd = this.#hasQuote && hasOddQuotes(line);
    // guard: with a name of two lines in quotes the second line may have all columns, and its debt would have half of the name
    if (fields === undefined || (this.#isOpen && isOdd)) {
      this.#isOpen = this.#isOpen !== isOdd;
      this.#unreadable('quotes', end);
    } else if (fields.length !== columns) this.#unreadable('columns', end);
    else {
      this.#isOpen = false;
      this.lines.record(
        this.#line,
        places.map((place) => fields[place] as Field),
      );
    }
  }

  #unreadable(reason: LineReason, end: number): void {
    this.#whole.from = this.#start;
    this.#whole.to = end;
    this.lines.unreadable(this.#line, reason, this.#whole);
  }
}

function hasOddQuotes(line: Uint8Array): boolean {
  let isOdd = false;
  for (const byte of line) if (byte === QUOTE_BYTE) isOdd = !isOdd;
  return isOdd;
}

function isBlank(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== SPACE_BYTE && bytes[at] !== TAB_BYTE) return false;
  return true;
}

function kindsOfBytes(): Uint8Array {
  const kinds = new Uint8Array(256);
  kinds.fill(CONTROL, 0, SPACE_BYTE);
  kinds.fill(HIGH, 0x80);
  kinds[TAB_BYTE] = PLAIN;
  kinds[LF_BYTE] = LF;
  kinds[CR_BYTE] = CR;
  kinds[QUOTE_BYTE] = QUOTE;
  kinds[DELETE_BYTE] = CONTROL;
  return kinds;
}
