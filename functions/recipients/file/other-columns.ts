import { asSeen } from '../number/blanks.js';
import { BLANK_BYTE, HIGH, SEPARATOR } from './bytes.js';

/** How many bytes from 0x80 on may be blanks; more are text. */
const HIGH_BYTES = 64;

/** The columns without the numbers. They only show whether a record has any text outside its number. */
export class OtherColumns {
  #text = false;
  readonly #high: number[] = [];
  readonly #kinds: Uint8Array;

  constructor(kinds: Uint8Array) {
    this.#kinds = kinds;
  }

  /** The record has text: a quote, or a visible separator. */
  haveText(): void {
    this.#text = true;
  }

  /**
   * Returns where the field ends. It may be in any encoding that contains ASCII. Looks closer only while the record may be
   * blank.
   */
  scan(bytes: Uint8Array, from: number): number {
    const kinds = this.#kinds;
    for (let at = from; at < bytes.length; at++) {
      const kind = kinds[bytes[at] as number] as number;
      if (kind >= SEPARATOR) return at;
      if (this.#text) continue;
      if (kind === HIGH && this.#high.length < HIGH_BYTES) this.#high.push(bytes[at] as number);
      else if (kind !== BLANK_BYTE) this.#text = true;
    }
    return bytes.length;
  }

  areBlank(): boolean {
    return !this.#text && asSeen(Buffer.from(this.#high).toString()) === '';
  }

  /** The next record begins. */
  clear(): void {
    this.#text = false;
    this.#high.length = 0;
  }
}
