import { CONTROL, CR, LF, QUOTE, SPACE, TAB } from './bytes.js';

/** A quoted field that is not closed within this many bytes counts as never closed. */
const QUOTED_BYTES = 64 * 1024;

/**
 * A quoted field as it is read, however the file is cut. Whether its quote is closed properly shows only later. So what
 * follows the quote is held, and is read again if it is not.
 */
export class QuotedField {
  /** Where the quote that began it stands in the current piece; negative: in an earlier one. */
  open = 0;
  /** Line ends within the record's quoted fields. `#breaksBefore`: those before this field. */
  breaks = 0;
  #breaksBefore = 0;
  /** What earlier pieces held of it. */
  #held: Uint8Array[] = [];
  readonly #kinds: Uint8Array;

  constructor(kinds: Uint8Array) {
    this.#kinds = kinds;
  }

  /** The field begins with the quote at `at`. */
  begin(at: number): void {
    this.open = at;
    this.#breaksBefore = this.breaks;
  }

  /**
   * Reads on from `from`, within the quotes; `before` is the last byte of the piece before. Returns where a quote stands, or
   * the piece's length where none does. At a control character, returns -1 minus its place.
   */
  scan(bytes: Uint8Array, from: number, before: number): number {
    const kinds = this.#kinds;
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (byte === QUOTE) return at;
      if (byte >= SPACE && kinds[byte] !== CONTROL) continue;
      if (byte === CR || (byte === LF && (at > 0 ? bytes[at - 1] : before) !== CR)) this.breaks++;
      else if (byte !== LF && byte !== TAB) return -1 - at;
    }
    return bytes.length;
  }

  /** Whether a quote that is not closed before `at` counts as never closed. */
  isTooLong(at: number): boolean {
    return at - this.open > QUOTED_BYTES;
  }

  /** What stands between the quotes; the field, with what follows its last quote, ends before `end`. */
  content(bytes: Uint8Array, end: number): Buffer {
    const field = Buffer.concat([...this.#held, bytes.subarray(Math.max(this.open, 0), end)]).toString('latin1');
    return Buffer.from(field.trimEnd().slice(1, -1).replaceAll('""', '"'), 'latin1');
  }

  /** It is closed, and nothing of it is needed any more. */
  close(): void {
    this.#held = [];
  }

  /** The quote is a character like any other: the field is read again, from it on. Returns what earlier pieces had of it. */
  reopen(): Uint8Array {
    const held = Buffer.concat(this.#held);
    this.#held = [];
    this.breaks = this.#breaksBefore;
    return held;
  }

  /** The piece is over and the field is not: holds what the piece has of it. */
  suspend(bytes: Uint8Array): void {
    this.#held.push(Uint8Array.from(bytes.subarray(Math.max(this.open, 0))));
    this.open -= bytes.length;
  }
}
