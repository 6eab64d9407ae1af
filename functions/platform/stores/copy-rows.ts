import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';

/** Rows of a COPY, or parts of rows, in its text or CSV form. */
export type CopyRows = AsyncIterable<Buffer | string> | Iterable<Buffer | string>;

/** About how many bytes go out together: a millisecond or two of work. */
const BLOCK_BYTES = 64 * 1024;
/** The most bytes that a UTF-16 unit takes in UTF-8. */
const BYTES_A_UNIT = 3;

/**
 * Sends rows into a COPY, a block at a time, and lets the event loop turn after each. Otherwise a server that takes every
 * row at once would keep it from turning until the last row. One block exists at a time, however many rows there are.
 */
export async function copyRows(client: pg.PoolClient, statement: string, rows: CopyRows): Promise<void> {
  const copy = client.query(copyFrom(statement));
  // PostgreSQL's own refusal, or the end of the connection. After it no write calls back, so each wait races with this.
  const refused = new Promise<never>((_, reject) => copy.on('error', reject));
  refused.catch(() => {});
  const block = new Block();
  try {
    for await (const size of filled(block, rows)) {
      await Promise.race([written(copy, client, block.bytes.subarray(0, size)), refused]);
      await nextTurn();
    }
  } catch (error) {
    // Reading or sending the rows failed. COPY fails then, and the connection can be used again once PostgreSQL has said so.
    // After a refusal it has said so already.
    copy.destroy(error as Error);
    await refused.catch(() => {});
    throw error;
  }
  const finished = once(copy, 'finish');
  copy.end();
  await Promise.race([finished, refused]);
}

/**
 * Fills the block again and again; yields how many bytes are in it. Rows that are there already are not read by `for await`,
 * which costs a turn a row.
 */
async function* filled(block: Block, rows: CopyRows): AsyncGenerator<number> {
  if (Symbol.asyncIterator in rows) {
    for await (const row of rows) if (block.add(row)) yield block.take();
  } else {
    for (const row of rows) if (block.add(row)) yield block.take();
  }
  const rest = block.take();
  if (rest > 0) yield rest;
}

/** Resolves when the socket no longer needs the bytes, which are overwritten next: it makes no copy of what it still has. */
async function written(copy: Writable, client: pg.PoolClient, bytes: Buffer): Promise<void> {
  const { stream } = (client as unknown as { connection: { stream: Writable } }).connection;
  await taken(copy, bytes);
  await taken(stream, Buffer.alloc(0));
}

function taken(stream: Writable, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => stream.write(bytes, (error) => (error ? reject(error) : resolve())));
}

/** Collects rows in memory that is used again. New buffers would pile up: what is outside the heap is collected late. */
class Block {
  bytes = Buffer.allocUnsafeSlow(2 * BLOCK_BYTES);
  #size = 0;

  /** Takes a row; true when it is time to send. */
  add(row: Buffer | string): boolean {
    const most = typeof row === 'string' ? row.length * BYTES_A_UNIT : row.length;
    if (this.#size + most > this.bytes.length) this.#grow(this.#size + most);
    this.#size += typeof row === 'string' ? this.bytes.write(row, this.#size) : row.copy(this.bytes, this.#size);
    return this.#size >= BLOCK_BYTES;
  }

  /** Returns how many bytes there are, and starts again from zero. */
  take(): number {
    const size = this.#size;
    this.#size = 0;
    return size;
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(2 * needed);
    this.bytes.copy(larger, 0, 0, this.#size);
    this.bytes = larger;
  }
}

/** Rows of COPY's text form, `COPY ... FROM STDIN`: tab between columns, backslash escapes, null as \N. */
export function* textRows<T>(items: Iterable<T>, columns: (item: T) => (string | number | null)[]): Generator<string> {
  for (const item of items) yield `${columns(item).map(textColumn).join('\t')}\n`;
}

const ESCAPES: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

function textColumn(value: string | number | null): string {
  if (value === null) return '\\N';
  return typeof value === 'number'
    ? String(value)
    : value.replace(/[\\\t\n\r]/g, (character) => ESCAPES[character] ?? '');
}
