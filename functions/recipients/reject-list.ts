import { shownValue, textOf } from '../platform/shown-text.js';
import { REJECT_REASONS, type RejectReason, reasonOf } from './number/phone-number.js';

/**
 * An entry that is no recipient. `value`: the column as given, with what cannot be seen escaped, such as `\u200b`; at most 64
 * UTF-16 units, no lone surrogate.
 */
export interface Reject {
  line: number;
  value: string;
  reason: RejectReason;
}

/** Length of a reject's `value`, in UTF-16 units. */
export const VALUE_LIMIT = 64;
/**
 * This many bytes of a column are enough for its `value`: a unit takes three bytes of UTF-8 at most, and the character after
 * the last may begin within the limit and need four.
 */
export const VALUE_BYTES = VALUE_LIMIT * 3 + 4;

/** Only the first rejects are kept; the others are counted. A file may have hundreds of millions, which nobody reads. */
const REJECTS_KEPT = 10_000;

const BLOCK_BYTES = 256 * 1024;
/** Two numbers of at most 53 bits, seven bits a byte, then the value. */
const RECORD_BYTES = 8 + 8 + VALUE_BYTES;

/**
 * The first REJECTS_KEPT rejects in file order, and how many there were in all. Held as bytes, 2 MB at most: lines since the
 * reject before, length and reason, the value undecoded.
 */
export class RejectList {
  /** Of all rejects, kept or not. */
  size = 0;
  readonly #blocks: Buffer[] = [];
  /** Bytes written into each block. */
  readonly #used: number[] = [];
  #lastLine = 0;

  /** Takes `bytes[from..to)`, a column or its beginning, with the line and the reject code that toE164 gave. */
  add(line: number, code: number, bytes: Uint8Array, from: number, to: number): void {
    if (this.size++ >= REJECTS_KEPT) return;
    const length = Math.min(Math.max(to - from, 0), VALUE_BYTES);
    let block = this.#blocks.at(-1);
    let at = this.#used.at(-1) ?? 0;
    if (block === undefined || at + RECORD_BYTES > BLOCK_BYTES) {
      block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      at = 0;
      this.#blocks.push(block);
      this.#used.push(at);
    }
    at = writeVarint(block, at, line - this.#lastLine);
    at = writeVarint(block, at, length * REJECT_REASONS.length - code - 1);
    for (let i = 0; i < length; i++) block[at + i] = bytes[from + i] as number;
    this.#used[this.#used.length - 1] = at + length;
    this.#lastLine = line;
  }

  /** Of the rejects, how many can be read. */
  get kept(): number {
    return Math.min(this.size, REJECTS_KEPT);
  }

  *[Symbol.iterator](): IterableIterator<Reject> {
    let line = 0;
    for (const [index, block] of this.#blocks.entries()) {
      const end = this.#used[index] as number;
      for (let at = 0; at < end; ) {
        const skipped = readVarint(block, at);
        const packed = readVarint(block, skipped.next);
        const length = Math.floor(packed.value / REJECT_REASONS.length);
        line += skipped.value;
        at = packed.next + length;
        const text = textOf(block.subarray(packed.next, at), { isCut: length === VALUE_BYTES });
        const value = shownValue(text, VALUE_LIMIT);
        yield { line, value, reason: reasonOf(-(packed.value % REJECT_REASONS.length) - 1) };
      }
    }
  }
}

/** Seven bits a byte, the lowest first; the high bit says that more follow. Returns the position after it. */
function writeVarint(block: Buffer, from: number, value: number): number {
  let at = from;
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) block[at++] = (rest % 0x80) | 0x80;
  block[at++] = rest;
  return at;
}

function readVarint(block: Buffer, from: number): { value: number; next: number } {
  let value = 0;
  let scale = 1;
  let at = from;
  for (; ; at++, scale *= 0x80) {
    const byte = block[at] as number;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return { value, next: at + 1 };
  }
}
