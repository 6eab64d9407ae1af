import type { Field } from './field.js';
import type { DebtFields } from './fields.js';

/** The columns of COPY in which `Chunk.rowOf` has its row. */
export const CHUNK_COLUMNS =
  'import_no, first_line, rows, line_nos, names, government_ids, emails, cents, dues, debt_ids' as const;
const COLUMN_COUNT = 10;

/** A merge takes a chunk in one transaction: of 100,000 lines it takes about a second. */
const CHUNK_LINES = 100_000;
/** Where names and addresses are long, a chunk has fewer lines, so that this process stays small. */
const CHUNK_BYTES = 16 * 1_024 * 1_024;
/** What goes to PostgreSQL at a time. */
const PIECE_BYTES = 64 * 1_024;
const COLUMN_BYTES = 256 * 1_024;

/** OIDs of the types of elements, which never change: pg_type.dat. */
const OID = { int8: 20, int4: 23, text: 25, date: 1082, uuid: 2950 } as const;
/** Number of dimensions, whether there are nulls, type of the elements; then length and lower bound of the one dimension. */
const ARRAY_HEADER = 5 * 4;
const LENGTH = 4;
const TWO_TO_32 = 2 ** 32;

/** The signature of COPY's binary form, its flags, the length of an extension: https://www.postgresql.org/docs/15/sql-copy.html */
const COPY_HEADER = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);
const COPY_END = Buffer.from([0xff, 0xff]);

/** An array as array_recv reads it, in memory that is used again for the next chunk. */
class ArrayColumn {
  #bytes = Buffer.allocUnsafeSlow(COLUMN_BYTES);
  size = ARRAY_HEADER;

  constructor(private readonly oid: number) {}

  int4(value: number): void {
    this.#begin(4);
    this.#int4(value);
  }

  /** A whole number up to 2^53. */
  int8(value: number): void {
    this.#begin(8);
    this.#int4(Math.floor(value / TWO_TO_32));
    this.#int4(value | 0);
  }

  bytes(bytes: Uint8Array, from: number, to: number): void {
    this.#begin(to - from);
    const target = this.#bytes;
    let size = this.size;
    // These are a few bytes: a call of copy() costs more.
    for (let at = from; at < to; at++) target[size++] = bytes[at] as number;
    this.size = size;
  }

  *pieces(count: number): Generator<Buffer> {
    const bytes = this.#bytes;
    let at = 0;
    for (const each of [1, 0, this.oid, count, 1]) at = bytes.writeInt32BE(each, at);
    for (let from = 0; from < this.size; from += PIECE_BYTES)
      yield bytes.subarray(from, Math.min(from + PIECE_BYTES, this.size));
  }

  #begin(length: number): void {
    const needed = this.size + LENGTH + length;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(2 * needed);
      this.#bytes.copy(larger, 0, 0, this.size);
      this.#bytes = larger;
    }
    this.#int4(length);
  }

  #int4(value: number): void {
    const bytes = this.#bytes;
    const at = this.size;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
    this.size = at + 4;
  }
}

/** Valid lines on their way to one row of billing_import_chunks. They are held as the bytes that go to PostgreSQL. */
export class Chunk {
  #rows = 0;
  #firstLine = 0;
  readonly #lines = new ArrayColumn(OID.int4);
  readonly #names = new ArrayColumn(OID.text);
  readonly #governmentIds = new ArrayColumn(OID.text);
  readonly #emails = new ArrayColumn(OID.text);
  readonly #cents = new ArrayColumn(OID.int8);
  readonly #dues = new ArrayColumn(OID.date);
  readonly #debtIds = new ArrayColumn(OID.uuid);
  readonly #columns = [
    this.#lines,
    this.#names,
    this.#governmentIds,
    this.#emails,
    this.#cents,
    this.#dues,
    this.#debtIds,
  ];

  get rows(): number {
    return this.#rows;
  }

  get isFull(): boolean {
    return this.#rows >= CHUNK_LINES || this.#names.size + this.#emails.size >= CHUNK_BYTES;
  }

  add(line: number, debt: DebtFields): void {
    if (this.#rows === 0) this.#firstLine = line;
    this.#rows++;
    this.#lines.int4(line);
    text(this.#names, debt.name);
    text(this.#governmentIds, debt.governmentId);
    text(this.#emails, debt.email);
    this.#cents.int8(debt.cents);
    this.#dues.int4(debt.dueDay);
    this.#debtIds.bytes(debt.debtId, 0, debt.debtId.length);
  }

  /** The row in COPY's binary form. */
  *copyOf(importNo: number): Generator<Buffer> {
    yield COPY_HEADER;
    const fixed = Buffer.alloc(2 + 3 * (LENGTH + 4));
    let at = fixed.writeInt16BE(COLUMN_COUNT);
    for (const value of [importNo, this.#firstLine, this.#rows])
      at = fixed.writeInt32BE(value, fixed.writeInt32BE(4, at));
    yield fixed;
    for (const column of this.#columns) {
      const length = Buffer.alloc(LENGTH);
      length.writeInt32BE(column.size);
      yield length;
      yield* column.pieces(this.#rows);
    }
    yield COPY_END;
  }

  /** Begins again with no line. */
  clear(): void {
    this.#rows = 0;
    for (const column of this.#columns) column.size = ARRAY_HEADER;
  }
}

function text(column: ArrayColumn, { bytes, from, to }: Field): void {
  column.bytes(bytes, from, to);
}
