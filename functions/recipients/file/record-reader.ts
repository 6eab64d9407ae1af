import { NOT_A_NUMBER } from '../number/phone-number.js';
import { BLANK } from '../number/written-number.js';
import { FileIsNotText } from '../recipients.errors.js';
import { byteKinds, CONTROL, CR, LF, LINE_END, QUOTE, SEPARATOR, SPACE, TAB } from './bytes.js';
import type { FileLayout } from './file-layout.js';
import { OtherColumns } from './other-columns.js';
import { PhoneCell } from './phone-cell.js';
import { QuickLine, type TakeRecord } from './quick-line.js';
import { QuotedField } from './quoted-field.js';

const NOTHING = new Uint8Array(0);

/** Where in a record the next byte stands. START: at the beginning of a field, after nothing but spaces. */
const START = 0;
/** In the column with the numbers, without quotes. */
const CELL = 1;
/** In another column. */
const ELSEWHERE = 2;
const QUOTED = 3;
/** After a quote in a quoted field: it closes the field, or is the first half of an escaped quote. */
const AFTER_QUOTE = 4;
/** After the quote that closes, and spaces. */
const CLOSED = 5;

/**
 * Reads the records of a file by RFC 4180, byte by byte, however it is cut. Separators and line ends in a quoted field are
 * part of it. A quote is a character like any other in a field that does not begin with one, and where it is not closed
 * properly (QuotedField).
 *
 * A byte is read twice at most: the bytes that are held contain no quote that could begin another field.
 */
export class RecordReader {
  readonly #layout: FileLayout;
  readonly #take: TakeRecord;
  readonly #cellKinds: Uint8Array;
  readonly #otherKinds: Uint8Array;
  readonly #cell = new PhoneCell();
  readonly #others: OtherColumns;
  readonly #quick: QuickLine;

  /** Of the record: the line that it begins on, from 1; the field, from 0. */
  #line = 1;
  #field = 0;
  #place: number = START;
  /** Whether the record has any byte. */
  #begun = false;
  /** The last piece ended in CR: a LF that begins the next one belongs to it. */
  #afterCR = false;
  #before = 0;

  readonly #quoted: QuotedField;
  #bytes: Uint8Array = NOTHING;
  readonly #value = () => this.#cell.value(this.#bytes);

  constructor(layout: FileLayout, take: TakeRecord) {
    this.#layout = layout;
    this.#take = take;
    this.#otherKinds = byteKinds(layout.separators);
    this.#cellKinds = layout.endsAtAny ? byteKinds(',;\t') : this.#otherKinds;
    this.#others = new OtherColumns(this.#otherKinds);
    this.#quoted = new QuotedField(this.#otherKinds);
    this.#quick = new QuickLine(layout.column, this.#cellKinds, this.#otherKinds);
  }

  /** The line that the next byte stands on, from 1. */
  get line(): number {
    return this.#line + this.#quoted.breaks;
  }

  /** Keeps nothing of `piece`. Throws FileIsNotText at a control character; in the cell, also at U+0080..U+009F. */
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
        return this.#endField(bytes, this.#others.scan(bytes, at));
      case QUOTED:
        return this.#scanQuoted(bytes, at);
      default:
        return this.#afterQuote(bytes, at);
    }
  }

  get #isCell(): boolean {
    return this.#field === this.#layout.column;
  }

  #start(bytes: Uint8Array, at: number): number {
    if (!this.#begun) {
      this.#line = this.#quick.takeAll(bytes, at, this.#line, this.#take);
      if (this.#quick.next > at) return this.#quick.next;
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
    this.#others.haveText();
    this.#quoted.begin(at);
    return at + 1;
  }

  #scanQuoted(bytes: Uint8Array, from: number): number {
    const at = this.#quoted.scan(bytes, from, this.#before);
    if (at < 0) throw new FileIsNotText(this.line);
    if (at === bytes.length) return at;
    this.#place = AFTER_QUOTE;
    return at + 1;
  }

  #afterQuote(bytes: Uint8Array, at: number): number {
    const byte = bytes[at] as number;
    if (byte === QUOTE && this.#place === AFTER_QUOTE) {
      this.#place = QUOTED;
      return at + 1;
    }
    const kind = (this.#isCell ? this.#cellKinds : this.#otherKinds)[byte] as number;
    if (!this.#quoted.isTooLong(at)) {
      if (byte === SPACE) {
        this.#place = CLOSED;
        return at + 1;
      }
      if (kind === SEPARATOR || kind === LINE_END) {
        this.#close(bytes, at);
        return this.#nextField(bytes, at);
      }
    }
    const { open } = this.#quoted;
    const held = this.#reopen();
    if (open >= 0) return open;
    this.write(held);
    return this.#enter(bytes);
  }

  /** The quoted field, with what follows its last quote, ends before `end`. */
  #close(bytes: Uint8Array, end: number): void {
    if (this.#isCell) {
      this.#cell.endQuoted(this.#quoted.content(bytes, end));
      this.#refuseC1();
    }
    this.#quoted.close();
  }

  /** The quote is a character like any other. Returns what earlier pieces held of the field. */
  #reopen(): Uint8Array {
    this.#place = this.#isCell ? CELL : ELSEWHERE;
    return this.#quoted.reopen();
  }

  /** The field ends before `at`, if the piece does not. */
  #endField(bytes: Uint8Array, at: number): number {
    if (at === bytes.length) return at;
    const kinds = this.#isCell ? this.#cellKinds : this.#otherKinds;
    if (kinds[bytes[at] as number] === CONTROL) throw new FileIsNotText(this.line);
    if (this.#isCell) this.#endCell(bytes, at);
    return this.#nextField(bytes, at);
  }

  #endCell(bytes: Uint8Array, end: number): void {
    this.#cell.end(bytes, end);
    this.#refuseC1();
  }

  #refuseC1(): void {
    if (this.#cell.hasC1) throw new FileIsNotText(this.line);
  }

  /** A separator or a line end stands at `at`. */
  #nextField(bytes: Uint8Array, at: number): number {
    const byte = bytes[at] as number;
    if (byte === LF || byte === CR) return this.#nextRecord(bytes, at);
    if (byte !== TAB) this.#others.haveText();
    this.#field++;
    // The first column may end at a separator that does not separate the others.
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
    const isText = code === BLANK && !this.#others.areBlank();
    this.#take(this.#line, isText ? NOT_A_NUMBER : code, this.#value);
    this.#line += 1 + this.#quoted.breaks;
    this.#quoted.breaks = 0;
    this.#field = 0;
    this.#place = START;
    this.#begun = false;
    this.#others.clear();
  }

  /** The piece is over, the record is not: keeps what is still needed of it. */
  #suspend(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#before = bytes.at(-1) as number;
    const isQuoted = this.#place >= QUOTED;
    if (this.#begun && this.#field >= this.#layout.column)
      this.#cell.suspend(bytes, this.#isCell && isQuoted ? Math.max(this.#quoted.open, 0) : bytes.length);
    if (!isQuoted) return;
    this.#quoted.suspend(bytes);
    if (this.#quoted.isTooLong(0)) this.write(this.#reopen());
  }
}
