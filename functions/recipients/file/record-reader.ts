import { asSeen } from '../number/blanks.js';
import { NOT_A_NUMBER } from '../number/phone-number.js';
import { BLANK } from '../number/written-number.js';
import { FileNotText } from '../recipients.errors.js';
import { BLANK_BYTE, byteKinds, CONTROL, CR, HIGH, LF, LINE_END, QUOTE, SEPARATOR, SPACE, TAB } from './bytes.js';
import type { FileLayout } from './file-layout.js';
import { PhoneCell } from './phone-cell.js';
import { QuickLine } from './quick-line.js';

/** A quoted field that is not closed within so many bytes never is. */
export const QUOTED_BYTES = 64 * 1024;
/** Of the bytes from 0x80 on that may be blanks; more are text. */
const HIGH_BYTES = 64;
const NOTHING = new Uint8Array(0);

/** Where in a record the next byte stands. At the beginning of a field, behind nothing but spaces. */
const START = 0;
/** In the column with the numbers, without quotes. */
const CELL = 1;
/** In another column. */
const ELSEWHERE = 2;
const QUOTED = 3;
/** Behind a quote in a quoted field, which closes it, or is the first half of an escaped one. */
const BEHIND_QUOTE = 4;
/** Behind the quote that closes, and spaces. */
const CLOSED = 5;

/** Takes a record that has ended: its line, from 1; a number, BLANK or a reject's code; its cell, for a reject. */
export type TakeRecord = (line: number, code: number, value: () => Uint8Array) => void;

/**
 * Reads the records of a file by RFC 4180, byte by byte, however it is cut. Separators and line ends in a quoted field are a
 * part of it; a field that does not begin with a quote has none; a quote that is not closed properly is a character like any
 * other. That is found out later, so what follows a quote is held, and read again from there if need be.
 *
 * A byte is read twice at most: what has been held has no quote that could begin another field.
 */
export class RecordReader {
  readonly #layout: FileLayout;
  readonly #take: TakeRecord;
  readonly #cellKinds: Uint8Array;
  readonly #otherKinds: Uint8Array;
  readonly #cell = new PhoneCell();
  readonly #quick: QuickLine;

  /** Of the record: the line that it begins on, from 1; line ends within its quoted fields; the field, from 0. */
  #line = 1;
  #breaks = 0;
  #field = 0;
  #place: number = START;
  /** Whether the record has any byte, and whether it has text beside its cell. */
  #begun = false;
  #text = false;
  readonly #high: number[] = [];
  /** The last piece ended in CR: a LF that begins the next one belongs to it. */
  #afterCR = false;
  #before = 0;

  /** The quote that began the field: where in the current piece, negative in an earlier one; what earlier pieces had of it. */
  #open = 0;
  #openBreaks = 0;
  #held: Uint8Array[] = [];
  #bytes: Uint8Array = NOTHING;
  readonly #value = () => this.#cell.value(this.#bytes);
  readonly #quickValue = () => this.#bytes.subarray(this.#quick.cellStart, this.#quick.cellEnd);

  constructor(layout: FileLayout, take: TakeRecord) {
    this.#layout = layout;
    this.#take = take;
    this.#otherKinds = byteKinds(layout.separators);
    this.#cellKinds = layout.endsAtAny ? byteKinds(',;\t') : this.#otherKinds;
    this.#quick = new QuickLine(layout.column, this.#cellKinds, this.#otherKinds);
  }

  /** The line that the next byte stands on, from 1. */
  get line(): number {
    return this.#line + this.#breaks;
  }

  /** Keeps nothing of `piece`. Throws FileNotText at a control character; in the cell, also at U+0080..U+009F. */
  write(piece: Uint8Array): void {
    let at = this.#enter(piece);
    while (at < piece.length) at = this.#step(piece, at);
    this.#suspend(piece);
  }

  /** The file is over: a quote that is open now is never closed. */
  finish(): void {
    while (this.#place === QUOTED) this.write(this.#reopen());
    if (this.#place >= QUOTED) this.#close(NOTHING, 0);
    else if (this.#begun && this.#isCell) this.#endCell(NOTHING, 0);
    if (this.#begun) this.#endRecord();
  }

  /** Begins with a piece; returns where to read on. */
  #enter(bytes: Uint8Array): number {
    this.#bytes = bytes;
    if (!this.#afterCR || bytes.length === 0) return 0;
    this.#afterCR = false;
    return bytes[0] === LF ? 1 : 0;
  }

  /** Reads on from `at`; returns where to go on. */
  #step(bytes: Uint8Array, at: number): number {
    switch (this.#place) {
      case START:
        return this.#start(bytes, at);
      case CELL:
        return this.#endField(bytes, this.#cell.scan(bytes, at, this.#cellKinds));
      case ELSEWHERE:
        return this.#endField(bytes, this.#scanElsewhere(bytes, at));
      case QUOTED:
        return this.#scanQuoted(bytes, at);
      default:
        return this.#behindQuote(bytes, at);
    }
  }

  get #isCell(): boolean {
    return this.#field === this.#layout.column;
  }

  #start(bytes: Uint8Array, at: number): number {
    if (!this.#begun) {
      const slow = this.#takeQuick(bytes, at);
      if (slow > at) return slow;
      this.#begun = true;
      this.#cell.begin(at);
    }
    const byte = bytes[at];
    if (byte === SPACE) return at + 1;
    if (byte !== QUOTE) {
      this.#place = this.#isCell ? CELL : ELSEWHERE;
      return at;
    }
    this.#place = QUOTED;
    this.#text = true;
    this.#open = at;
    this.#openBreaks = this.#breaks;
    return at + 1;
  }

  /** Takes all lines from `from` on that need no closer look; returns where the first one begins that does. */
  #takeQuick(bytes: Uint8Array, from: number): number {
    const quick = this.#quick;
    let at = from;
    while (at < bytes.length && quick.read(bytes, at)) {
      this.#take(this.#line++, quick.code, this.#quickValue);
      at = quick.next;
    }
    return at;
  }

  /** Other columns may be in any encoding that has ASCII in it. Looks closer only while the record may be blank. */
  #scanElsewhere(bytes: Uint8Array, from: number): number {
    const kinds = this.#otherKinds;
    for (let at = from; at < bytes.length; at++) {
      const kind = kinds[bytes[at] as number] as number;
      if (kind >= SEPARATOR) return at;
      if (this.#text) continue;
      if (kind === HIGH && this.#high.length < HIGH_BYTES) this.#high.push(bytes[at] as number);
      else if (kind !== BLANK_BYTE) this.#text = true;
    }
    return bytes.length;
  }

  #scanQuoted(bytes: Uint8Array, from: number): number {
    const kinds = this.#otherKinds;
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (byte === QUOTE) {
        this.#place = BEHIND_QUOTE;
        return at + 1;
      }
      if (byte >= SPACE && kinds[byte] !== CONTROL) continue;
      if (byte === CR || (byte === LF && (at > 0 ? bytes[at - 1] : this.#before) !== CR)) this.#breaks++;
      else if (byte !== LF && byte !== TAB) throw new FileNotText(this.line);
    }
    return bytes.length;
  }

  #behindQuote(bytes: Uint8Array, at: number): number {
    const byte = bytes[at] as number;
    if (byte === QUOTE && this.#place === BEHIND_QUOTE) {
      this.#place = QUOTED;
      return at + 1;
    }
    const kind = (this.#isCell ? this.#cellKinds : this.#otherKinds)[byte] as number;
    if (at - this.#open <= QUOTED_BYTES) {
      if (byte === SPACE) {
        this.#place = CLOSED;
        return at + 1;
      }
      if (kind === SEPARATOR || kind === LINE_END) {
        this.#close(bytes, at);
        return this.#nextField(bytes, at);
      }
    }
    const open = this.#open;
    const held = this.#reopen();
    if (open >= 0) return open;
    this.write(held);
    return this.#enter(bytes);
  }

  /** The quoted field, with what follows its last quote, ends before `end`. */
  #close(bytes: Uint8Array, end: number): void {
    if (this.#isCell) {
      const field = Buffer.concat([...this.#held, bytes.subarray(Math.max(this.#open, 0), end)]).toString('latin1');
      this.#cell.endQuoted(Buffer.from(field.trimEnd().slice(1, -1).replaceAll('""', '"'), 'latin1'));
      this.#refuseC1();
    }
    this.#held = [];
  }

  /** The quote is a character like any other: the field is read again, from it on. Returns what earlier pieces had of it. */
  #reopen(): Uint8Array {
    const held = Buffer.concat(this.#held);
    this.#held = [];
    this.#breaks = this.#openBreaks;
    this.#place = this.#isCell ? CELL : ELSEWHERE;
    return held;
  }

  /** The field ends before `at`, if the piece does not. */
  #endField(bytes: Uint8Array, at: number): number {
    if (at === bytes.length) return at;
    const kinds = this.#isCell ? this.#cellKinds : this.#otherKinds;
    if (kinds[bytes[at] as number] === CONTROL) throw new FileNotText(this.line);
    if (this.#isCell) this.#endCell(bytes, at);
    return this.#nextField(bytes, at);
  }

  #endCell(bytes: Uint8Array, end: number): void {
    this.#cell.end(bytes, end);
    this.#refuseC1();
  }

  #refuseC1(): void {
    if (this.#cell.hasC1) throw new FileNotText(this.line);
  }

  /** A separator or a line end stands at `at`. */
  #nextField(bytes: Uint8Array, at: number): number {
    const byte = bytes[at] as number;
    if (byte === LF || byte === CR) return this.#nextRecord(bytes, at);
    if (byte !== TAB) this.#text = true;
    this.#field++;
    // The first column may end at a separator that is none of the others.
    this.#place = this.#otherKinds[byte] === SEPARATOR ? START : ELSEWHERE;
    if (this.#isCell) this.#cell.begin(at + 1);
    return at + 1;
  }

  #nextRecord(bytes: Uint8Array, at: number): number {
    this.#endRecord();
    let next = at + 1;
    if (bytes[at] === CR) {
      if (bytes[next] === LF) next++;
      this.#afterCR = next === bytes.length && bytes[next - 1] === CR;
    }
    return next;
  }

  #endRecord(): void {
    const { code } = this.#cell;
    const isBlank = code === BLANK && !this.#text && asSeen(Buffer.from(this.#high).toString()) === '';
    this.#take(this.#line, code === BLANK && !isBlank ? NOT_A_NUMBER : code, this.#value);
    this.#line += 1 + this.#breaks;
    this.#breaks = 0;
    this.#field = 0;
    this.#place = START;
    this.#begun = false;
    this.#text = false;
    this.#high.length = 0;
  }

  /** The piece is over, the record is not: keeps what is still needed of it. */
  #suspend(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#before = bytes.at(-1) as number;
    const isQuoted = this.#place >= QUOTED;
    if (this.#begun && this.#field >= this.#layout.column)
      this.#cell.suspend(bytes, this.#isCell && isQuoted ? Math.max(this.#open, 0) : bytes.length);
    if (!isQuoted) return;
    this.#held.push(Uint8Array.from(bytes.subarray(Math.max(this.#open, 0))));
    this.#open -= bytes.length;
    if (-this.#open > QUOTED_BYTES) this.write(this.#reopen());
  }
}
