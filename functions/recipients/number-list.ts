import { randomInt } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Numbers in a block, and between two turns of the event loop. 64 Ki are about 10 ms of work. */
const BLOCK = 64 * 1024;
const BLOCK_BITS = 16;
/** The table of repeats is filled to three quarters at most: from there on linear probing gets long. */
const FULLEST = 0.75;

/** Whole numbers up to 2^53 in order, eight bytes each, in blocks: growing copies nothing. */
export class NumberList {
  #blocks: Float64Array<ArrayBuffer>[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(value: number): void {
    const at = this.#size & (BLOCK - 1);
    if (at === 0) this.#blocks.push(new Float64Array(freeable(BLOCK * Float64Array.BYTES_PER_ELEMENT), 0, BLOCK));
    (this.#blocks[this.#blocks.length - 1] as Float64Array)[at] = value;
    this.#size++;
  }

  /** `index` from 0 to size - 1. */
  at(index: number): number {
    return (this.#blocks[index >>> BLOCK_BITS] as Float64Array)[index & (BLOCK - 1)] as number;
  }

  /**
   * Copies the numbers from index `from` up to, but not including, `to` to the beginning of `into`. Returns that part of
   * `into`.
   */
  copyInto(into: Float64Array, from: number, to: number): Float64Array {
    const copy = into.subarray(0, to - from);
    for (let at = from; at < to; ) {
      const block = this.#blocks[at >>> BLOCK_BITS] as Float64Array;
      const part = block.subarray(at & (BLOCK - 1), (at & (BLOCK - 1)) + to - at);
      copy.set(part, at - from);
      at += part.length;
    }
    return copy;
  }

  /** Gives the memory back to the system. Nothing can be read any more. */
  free(): void {
    for (const block of this.#blocks) block.buffer.resize(0);
    this.#blocks = [];
  }

  /**
   * Keeps the first of equal numbers, in place and in order, and returns how many went. Lets the event loop turn after
   * every block, so that ten million do not stop the process for seconds.
   *
   * The table is open addressing, four bytes a slot: the index + 1 of a kept number in the low bits, and above it as much
   * of the hash as fits, so that the list is looked up almost only for a true repeat.
   */
  async dropRepeats(): Promise<number> {
    const before = this.#size;
    const repeats = new RepeatTable(before);
    let kept = 0;
    for (let block = 0; block * BLOCK < before; block++) {
      if (block > 0) await nextTurn();
      kept = this.#keepNew(repeats, block, Math.min(before - block * BLOCK, BLOCK), kept);
    }
    repeats.free();
    this.#size = kept;
    this.#blocks.length = Math.ceil(kept / BLOCK);
    return before - kept;
  }

  #keepNew(repeats: RepeatTable, block: number, size: number, keptBefore: number): number {
    const source = this.#blocks[block] as Float64Array;
    let kept = keptBefore;
    for (let i = 0; i < size; i++) {
      const value = source[i] as number;
      if (!repeats.add(this, value, kept)) continue;
      (this.#blocks[kept >>> BLOCK_BITS] as Float64Array)[kept & (BLOCK - 1)] = value;
      kept++;
    }
    return kept;
  }
}

class RepeatTable {
  readonly #slots: Uint32Array<ArrayBuffer>;
  readonly #shift: number;
  readonly #indexMask: number;
  /** Chosen anew for every file, so that nobody can make a file whose numbers all meet in one slot. */
  readonly #seed = randomInt(2 ** 32);

  constructor(capacity: number) {
    const bits = Math.max(4, Math.ceil(Math.log2((capacity + 1) / FULLEST)));
    this.#slots = new Uint32Array(freeable(2 ** bits * Uint32Array.BYTES_PER_ELEMENT), 0, 2 ** bits);
    this.#shift = 32 - bits;
    this.#indexMask = 2 ** Math.ceil(Math.log2(capacity + 2)) - 1;
  }

  free(): void {
    this.#slots.buffer.resize(0);
  }

  /** Notes that `value` will stand at `index` of `list`; false if it stands there already, at a lower index. */
  add(list: NumberList, value: number, index: number): boolean {
    const slots = this.#slots;
    const hash = mix(value, this.#seed);
    const tag = (Math.imul(hash, 0x9e3779b1) & ~this.#indexMask) >>> 0;
    let at = hash >>> this.#shift;
    for (let slot = slots[at] as number; slot !== 0; slot = slots[at] as number) {
      const other = slot & this.#indexMask;
      if ((slot ^ other) >>> 0 === tag && list.at(other - 1) === value) return false;
      at = (at + 1) & (slots.length - 1);
    }
    slots[at] = (tag | (index + 1)) >>> 0;
    return true;
  }
}

/**
 * Memory that `resize(0)` gives back to the system at once. For ten million numbers it is 76 MiB in the list and 64 MiB in
 * the table. Otherwise both would stay until a full collection: V8 is in no hurry, and meanwhile the heap grows.
 */
function freeable(bytes: number): ArrayBuffer {
  return new ArrayBuffer(bytes, { maxByteLength: bytes });
}

/** The finaliser of MurmurHash3 over both halves of the number. */
function mix(value: number, seed: number): number {
  let hash = (value >>> 0) ^ seed;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash ^= Math.imul((value / 2 ** 32) | 0, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
