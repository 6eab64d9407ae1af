import { E164_LINE_BYTES, e164Lines } from './number/phone-number.js';
import type { NumberList } from './number-list.js';
import type { Reject, RejectList } from './reject-list.js';

/** Of the lines of a file, or the entries of a list: `lines = accepted + duplicate + invalid + blank`. */
export interface LineCounts {
  lines: number;
  accepted: number;
  duplicate: number;
  invalid: number;
  blank: number;
}

/** The result of a file, as answers show it. */
export interface FileSummary extends LineCounts {
  /** The column that was read: its name where the file has a header, else its number from 1. */
  phone_column: string | number;
  /** Of the invalid lines, those that the campaign keeps. */
  rejects_kept: number;
  /** The first 20. */
  rejects: Reject[];
}

/** Consecutive recipients. `firstSequence` counts from 1; `phoneNumbers` has an E.164 number a line, no final newline. */
export interface RecipientChunk {
  firstSequence: number;
  size: number;
  phoneNumbers: string;
}

/** How many rejects an answer shows. */
const REJECTS_SHOWN = 20;

/** The result of reading a file or a list of numbers. Holds numbers and rejects as bytes; texts are made when asked for. */
export class Recipients {
  readonly counts: LineCounts;
  /** The column that was read: its name where the file has a header, else its number from 1. */
  readonly column: string | number;
  readonly #numbers: NumberList;
  readonly #rejects: RejectList;

  private constructor(counts: LineCounts, column: string | number, numbers: NumberList, rejects: RejectList) {
    this.counts = counts;
    this.column = column;
    this.#numbers = numbers;
    this.#rejects = rejects;
  }

  /** Takes both lists over. Without `allowDuplicates` a number that came before is dropped and counted, never rejected. */
  static async of(
    read: { numbers: NumberList; rejects: RejectList; blank: number; column: string | number },
    options: { allowDuplicates: boolean },
  ): Promise<Recipients> {
    const { numbers, rejects, blank, column } = read;
    const lines = numbers.size + rejects.size + blank;
    const duplicate = options.allowDuplicates ? 0 : await numbers.dropRepeats();
    const counts = { lines, accepted: numbers.size, duplicate, invalid: rejects.size, blank };
    return new Recipients(counts, column, numbers, rejects);
  }

  /** The accepted numbers in file order, `size` a chunk and the rest in the last. One chunk's text exists at a time. */
  *chunks(size: number): IterableIterator<RecipientChunk> {
    if (!Number.isSafeInteger(size) || size < 1) throw new RangeError(`a chunk of ${size} numbers`);
    const total = this.#numbers.size;
    // Used again for every chunk: short-lived memory outside the heap is not collected before there are many megabytes of
    // it.
    const numbers = new Float64Array(Math.min(size, total));
    const bytes = Buffer.allocUnsafeSlow(numbers.length * E164_LINE_BYTES);
    for (let first = 0; first < total; first += size) {
      const end = Math.min(first + size, total);
      const phoneNumbers = e164Lines(this.#numbers.copyInto(numbers, first, end), bytes);
      yield { firstSequence: first + 1, size: end - first, phoneNumbers };
    }
  }

  /** The numbers are stored by now: gives their memory back. `chunks` throws from here on. */
  freeNumbers(): void {
    this.#numbers.free();
  }

  /** The rejects that are kept, in file order. */
  rejects(): IterableIterator<Reject> {
    return this.#rejects[Symbol.iterator]();
  }

  /** How many rejects are counted and not kept. */
  get rejectsNotKept(): number {
    return this.counts.invalid - this.#rejects.kept;
  }

  /** Works after freeNumbers, too. */
  summary(): FileSummary {
    const { counts, column: phone_column } = this;
    return { ...counts, phone_column, rejects_kept: this.#rejects.kept, rejects: this.#firstRejects() };
  }

  #firstRejects(): Reject[] {
    const first: Reject[] = [];
    for (const reject of this.#rejects) {
      if (first.push(reject) === REJECTS_SHOWN) break;
    }
    return first;
  }
}
