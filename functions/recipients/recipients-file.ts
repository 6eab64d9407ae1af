import { setImmediate as nextTurn } from 'node:timers/promises';
import { CR, FILE_LINE, LF, LIST_ENTRY, LineScanner, unfinished } from './line-scanner.js';
import { NumberList } from './number-list.js';
import { Recipients } from './recipients.js';
import { RejectList } from './reject-list.js';

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const;
/** List entries between two turns of the event loop. */
const ENTRIES_A_TURN = 64 * 1024;

/** `allowDuplicates`: a number that comes again is a recipient again, and `counts.duplicate` stays 0. */
export interface ReadOptions {
  allowDuplicates: boolean;
}

/** What the lines or entries read so far came to. */
class Reading {
  readonly numbers = new NumberList();
  readonly rejects = new RejectList();
  blank = 0;

  /** Takes the line that `line` has read to its end; `bytes` and `end` are those of its last scan. */
  take(line: LineScanner, isHeader: boolean, bytes: Uint8Array, end: number): void {
    if (line.blank || isHeader) {
      this.blank++;
      return;
    }
    const number = line.number();
    if (number > 0) this.numbers.push(number);
    else line.rejectTo(this.rejects, number, bytes, end);
  }
}

/**
 * Reads a file of numbers, one a line, piece by piece, however it is cut. Holds an accepted number as eight bytes and a
 * reject as its bytes, never the text, and of a line only the beginning, however long it is.
 */
export class RecipientsFile {
  readonly #reading = new Reading();
  readonly #line = new LineScanner(FILE_LINE);
  /** The end of the last piece, which only the next one explains: part of a byte order mark or of a character. */
  #heldBack: Uint8Array = new Uint8Array(0);
  #pastMark = false;
  #afterCR = false;

  constructor() {
    this.#line.begin(0);
  }

  /**
   * Keeps nothing of `piece`, which may be used again. Throws FileNotText at a control character other than tab, CR and
   * LF: U+0000..U+001F and U+007F anywhere, U+0080..U+009F in the first column only, because in later ones the same bytes
   * may be letters of Windows-1252.
   */
  write(piece: Uint8Array): void {
    const joined = this.#heldBack.length === 0 ? piece : Buffer.concat([this.#heldBack, piece]);
    const bytes = this.#withoutMark(joined);
    if (bytes === undefined) {
      this.#heldBack = Uint8Array.from(joined);
      return;
    }
    const whole = bytes.length - unfinished(bytes);
    this.#heldBack = Uint8Array.from(bytes.subarray(whole));
    this.#read(bytes.subarray(0, whole));
  }

  /** The file is over. Lets the event loop turn while it looks for repeats. Call it once, and write nothing after it. */
  async finish(options: ReadOptions): Promise<Recipients> {
    this.#read(this.#heldBack);
    if (this.#line.begun) this.#endLine(new Uint8Array(0), 0);
    return Recipients.of(this.#reading, options);
  }

  /** Undefined while all that there is may be the beginning of a byte order mark. */
  #withoutMark(bytes: Uint8Array): Uint8Array | undefined {
    if (this.#pastMark) return bytes;
    const agrees = BYTE_ORDER_MARK.every((byte, at) => at >= bytes.length || bytes[at] === byte);
    if (agrees && bytes.length < BYTE_ORDER_MARK.length) return undefined;
    this.#pastMark = true;
    return agrees ? bytes.subarray(BYTE_ORDER_MARK.length) : bytes;
  }

  #read(piece: Uint8Array): void {
    if (piece.length === 0) return;
    const bytes = this.#afterCR && piece[0] === LF ? piece.subarray(1) : piece;
    this.#afterCR = false;
    let end = this.#line.scan(bytes, 0);
    while (end < bytes.length) {
      this.#endLine(bytes, end);
      let next = end + 1;
      if (bytes[end] === CR) {
        if (bytes[next] === LF) next++;
        this.#afterCR = next === bytes.length && bytes[next - 1] === CR;
      }
      this.#line.begin(next);
      end = this.#line.scan(bytes, next);
    }
    this.#line.suspend(bytes);
  }

  #endLine(bytes: Uint8Array, end: number): void {
    const isHeader = this.#line.lineNumber === 1 && !this.#line.anyDigit;
    this.#reading.take(this.#line, isHeader, bytes, end);
  }
}

/**
 * The same for a list from a JSON body: each element is one entry, `line` is its index + 1, and there is no header, no
 * column and no quote. White space in an entry, line ends too, is blank; other control characters throw FileNotText.
 */
export async function recipientsFromList(entries: readonly string[], options: ReadOptions): Promise<Recipients> {
  const reading = new Reading();
  const entry = new LineScanner(LIST_ENTRY);
  for (const [index, text] of entries.entries()) {
    if (index > 0 && index % ENTRIES_A_TURN === 0) await nextTurn();
    const bytes = Buffer.from(text);
    entry.begin(0);
    reading.take(entry, false, bytes, entry.scan(bytes, 0));
  }
  return Recipients.of(reading, options);
}
