import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { shownValue, textOf } from '../../../platform/shown-text.js';
import { FileEmpty, TooManyRejects } from '../../billing.errors.js';
import type { Reject } from '../imports.schemas.js';
import { Chunk } from './chunk.js';
import { COLUMNS, type Field } from './field.js';
import { DebtFields, type FieldRules } from './fields.js';
import { type LineReason, type Lines, Splitter } from './splitter.js';

/** Where the lines of a file go. A chunk is overwritten once its promise is fulfilled; rejects may be kept. */
export interface Sink {
  chunk(chunk: Chunk): Promise<void>;
  rejects(rejects: readonly Reject[]): Promise<void>;
}

/** What a file was. */
export interface FileCounts {
  bytes: number;
  sha256: Buffer;
  lines: number;
  blank: number;
  accepted: number;
  rejected: number;
}

/** Bytes between two turns of the event loop: half a millisecond of work. */
const PIECE_BYTES = 64 * 1_024;
const PAGE_REJECTS = 10_000;
/** 100 MiB can be 52 million lines of one letter: as rows they take 5 GB, and the place of an accept for ten minutes. */
const MOST_REJECTS = 2_000_000;
/** Of a reject's value, in UTF-16 units. */
const VALUE_UNITS = 64;
/** Enough for these: a unit takes three bytes at most, and the character after the last may need four. */
const VALUE_BYTES = VALUE_UNITS * 3 + 4;

/** The lines of a file that are ready to be stored: those of the current chunk, and the current rejects. */
class Ready implements Lines {
  readonly chunk = new Chunk();
  rejects: Reject[] = [];
  rejected = 0;
  readonly #debt: DebtFields;

  constructor(rules: FieldRules) {
    this.#debt = new DebtFields(rules);
  }

  record(line: number, fields: readonly Field[]): void {
    const failure = this.#debt.read(fields);
    if (!failure) {
      this.chunk.add(line, this.#debt);
      return;
    }
    const { column, reason } = failure;
    this.#reject(line, column, reason, fields[COLUMNS.indexOf(column)] as Field);
  }

  unreadable(line: number, reason: LineReason, text: Field): void {
    this.#reject(line, '', reason, text);
  }

  #reject(line: number, column: string, reason: Reject['reason'], { bytes, from, to }: Field): void {
    this.rejected++;
    if (this.rejected > MOST_REJECTS) throw new TooManyRejects(MOST_REJECTS);
    const isCut = to - from > VALUE_BYTES;
    const text = textOf(bytes.subarray(from, isCut ? from + VALUE_BYTES : to), { isCut });
    this.rejects.push({ line, column, value: shownValue(text, VALUE_UNITS), reason });
  }
}

/**
 * Reads a file of debts to its end and hands on chunks and rejects as they come: of the file it holds one chunk at most.
 * Throws FileEmpty, HeaderInvalid, FileNotText, TooManyRejects.
 */
export async function readDebts(bytes: AsyncIterable<Uint8Array>, rules: FieldRules, sink: Sink): Promise<FileCounts> {
  const ready = new Ready(rules);
  const splitter = new Splitter(ready);
  const hash = createHash('sha256');
  const counts = { bytes: 0, accepted: 0 };
  const store = async (isLast: boolean) => {
    const { chunk, rejects } = ready;
    if (chunk.isFull || (isLast && chunk.rows > 0)) {
      counts.accepted += chunk.rows;
      await sink.chunk(chunk);
      chunk.clear();
    }
    if (rejects.length >= PAGE_REJECTS || (isLast && rejects.length > 0)) {
      ready.rejects = [];
      await sink.rejects(rejects);
    }
  };
  for await (const piece of bytes) {
    hash.update(piece);
    counts.bytes += piece.length;
    for (let at = 0; at < piece.length; at += PIECE_BYTES) {
      splitter.write(piece.subarray(at, at + PIECE_BYTES));
      await store(false);
      await nextTurn();
    }
  }
  splitter.finish();
  const { count: lines, blank } = splitter;
  if (lines === blank) throw new FileEmpty();
  await store(true);
  return { ...counts, rejected: ready.rejected, sha256: hash.digest(), lines, blank };
}
