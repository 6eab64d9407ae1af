import { setImmediate as nextTurn } from 'node:timers/promises';
import { type FileLayout, HEAD_BYTES, layoutOf } from './file/file-layout.js';
import type { TakeRecord } from './file/quick-line.js';
import { RecordReader } from './file/record-reader.js';
import { plainName } from './file/telephone-column.js';
import { mayHavePrefix, toE164 } from './number/phone-number.js';
import { BLANK, writtenNumber } from './number/written-number.js';
import { NumberList } from './number-list.js';
import { FileIsNotText, PhoneColumnUnknown } from './recipients.errors.js';
import { Recipients } from './recipients.js';
import { RejectList, VALUE_BYTES } from './reject-list.js';

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
/** What old programs write at the end of a text: NUL to fill it up, and ^Z to end it. Only white space may stand among them. */
const FILLING = Buffer.from('\0\x1a\r\n\t ');
/** List entries between two turns of the event loop. */
const ENTRIES_A_TURN = 8 * 1024;
/** What most entries of a list are. */
const PLAIN = /^\+?[0-9]{8,15}$/;
/** Control characters that are no white space. */
const CONTROL = /[^\P{Cc}\t\r\n]/u;

/** `allowDuplicates`: a number that comes again is a recipient again, and `counts.duplicate` stays 0. */
export interface ReadOptions {
  allowDuplicates: boolean;
  /** The column with the numbers: its name, or its number from 1. A RecipientsFile takes it when it is made. */
  column?: PhoneColumn | undefined;
}

/** A column of a file: its name, as the header has it but for case and accents, or its number from 1. */
export type PhoneColumn = string | number;

/** The result of the lines or entries read so far. */
class Reading {
  readonly numbers = new NumberList();
  readonly rejects = new RejectList();
  blank = 0;
  column: PhoneColumn = 1;

  take(line: number, code: number, value: () => Uint8Array): void {
    if (code > 0) this.numbers.push(code);
    else if (code === BLANK) this.blank++;
    else this.#reject(line, code, value());
  }

  #reject(line: number, code: number, value: Uint8Array): void {
    this.rejects.add(line, code, value, 0, value.length);
  }
}

/**
 * Reads a file of numbers, one a record, piece by piece, however it is cut. Holds an accepted number as eight bytes and a
 * reject as its bytes, never the text. Of the file, it holds the first HEAD_BYTES until they are complete.
 */
export class RecipientsFile {
  readonly #reading = new Reading();
  readonly #wanted: PhoneColumn | undefined;
  #head: Uint8Array[] = [];
  #headSize = 0;
  #reader: RecordReader | undefined;
  #columns: number | undefined;
  /** The line where NUL or ^Z began to fill up the file, once one has. */
  #filledFrom: number | undefined;

  /** `column`: the one with the numbers, by its name or its number from 1, where the request names it. */
  constructor(column?: PhoneColumn) {
    this.#wanted = column;
  }

  /** How many columns the file has; undefined until that is known, HEAD_BYTES from its beginning. */
  get columns(): number | undefined {
    return this.#columns;
  }

  /** The column that is read: its name where the file has a header, else its number. */
  get column(): PhoneColumn {
    return this.#reading.column;
  }

  /** For a file with a single column: whether `column` means that one. */
  reads(column: PhoneColumn | undefined): boolean {
    return column === undefined || column === 1 || plainName(String(column)) === plainName(String(this.column));
  }

  /**
   * Keeps nothing of `piece`, which may be used again. Throws PhoneColumnUnknown. Throws FileIsNotText at a control character
   * other than tab, CR and LF: U+0000..U+001F and U+007F anywhere, U+0080..U+009F only in the column with the numbers, as
   * elsewhere these bytes may be letters of Windows-1252. NUL and ^Z may stand at the very end of the file.
   */
  write(piece: Uint8Array): void {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    const filled = this.#filledFrom === undefined ? fillingAt(bytes) : 0;
    this.#read(bytes.subarray(0, filled));
    if (filled === bytes.length) return;
    this.#filledFrom ??= this.#begin().line;
    if (!bytes.subarray(filled).every((byte) => FILLING.includes(byte))) throw new FileIsNotText(this.#filledFrom);
  }

  /**
   * The file is over. Lets the event loop turn while it looks for repeats. Throws as write does. Call it once, and write
   * nothing after it.
   */
  async finish(options: ReadOptions): Promise<Recipients> {
    this.#begin().finish();
    return Recipients.of(this.#reading, options);
  }

  #read(bytes: Uint8Array): void {
    if (this.#reader) {
      this.#reader.write(bytes);
      return;
    }
    this.#head.push(Uint8Array.from(bytes));
    this.#headSize += bytes.length;
    if (this.#headSize >= HEAD_BYTES + BYTE_ORDER_MARK.length) this.#begin();
  }

  /** The file's beginning, or all of the file, is there: finds where the numbers stand. */
  #begin(): RecordReader {
    if (this.#reader) return this.#reader;
    const joined = Buffer.concat(this.#head);
    const head = joined.subarray(joined.indexOf(BYTE_ORDER_MARK) === 0 ? BYTE_ORDER_MARK.length : 0);
    const layout = layoutOf(head.subarray(0, HEAD_BYTES), this.#wanted);
    this.#head = [];
    this.#columns = layout.columns;
    this.#reading.column = layout.name ?? layout.column + 1;
    this.#reader = new RecordReader(layout, takeData(this.#reading, layout));
    this.#reader.write(head);
    return this.#reader;
  }
}

function takeData(reading: Reading, { notData }: FileLayout): TakeRecord {
  const last = Math.max(0, ...notData);
  return (line, code, value) => reading.take(line, line <= last && notData.has(line) ? BLANK : code, value);
}

/** Where NUL or ^Z stands first, or the length. */
function fillingAt(bytes: Buffer): number {
  const places = [bytes.indexOf(0), bytes.indexOf(0x1a)].filter((at) => at >= 0);
  return Math.min(bytes.length, ...places);
}

/**
 * The same for a list from a JSON body: each element is one entry, `line` is its index + 1, and there is no header, no
 * column and no quote. White space in an entry, line ends too, is blank; other control characters throw FileIsNotText.
 */
export async function recipientsFromList(entries: readonly string[], options: ReadOptions): Promise<Recipients> {
  if (options.column !== undefined && options.column !== 1) throw new PhoneColumnUnknown([1]);
  const reading = new Reading();
  for (const [index, text] of entries.entries()) {
    if (index > 0 && index % ENTRIES_A_TURN === 0) await nextTurn();
    if (CONTROL.test(text)) throw new FileIsNotText(index + 1);
    reading.take(index + 1, entryNumber(text), () => Buffer.from(text.slice(0, VALUE_BYTES)));
  }
  return Recipients.of(reading, options);
}

function entryNumber(text: string): number {
  if (PLAIN.test(text)) {
    const plus = text.startsWith('+') ? 1 : 0;
    const count = text.length - plus;
    const number = toE164(Number(text), count, plus > 0);
    if (number > 0 || !mayHavePrefix(Number(text), count)) return number;
  }
  return writtenNumber(text);
}
