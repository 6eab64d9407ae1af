import { expect, test } from 'vitest';
import type { Sql } from '../platform/stores/postgres.js';
import { unlessSilent, unlessStopped } from './object-bytes.js';

const PIECES = [Buffer.from('a'), Buffer.from('b')];

/** A database that counts what it hears, and tells of it. */
class Listener {
  heard = 0;
  tell = (): void => {};
  readonly sql = {
    query: async () => {
      this.heard++;
      this.tell();
      return [];
    },
  } as unknown as Sql;

  async untilHeard(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.tell = resolve;
    });
  }
}

async function all(bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const read: Uint8Array[] = [];
  for await (const piece of bytes) read.push(piece);
  return read;
}

test('a transaction is heard of while its file does not come', async () => {
  const listener = new Listener();
  async function* slow(): AsyncGenerator<Uint8Array> {
    for (const piece of PIECES) {
      await listener.untilHeard();
      yield piece;
    }
  }
  expect(await all(unlessSilent(listener.sql, slow(), 1))).toEqual(PIECES);
  expect(listener.heard).toBeGreaterThanOrEqual(PIECES.length);
});

test('a transaction is heard of while nothing of its file is stored', async () => {
  const listener = new Listener();
  async function* endless(): AsyncGenerator<Uint8Array> {
    while (listener.heard < 3) yield Buffer.from('\n');
  }
  await all(unlessSilent(listener.sql, endless(), 1));
  expect(listener.heard).toBe(3);
});

test('a file that comes at once needs no word to the database', async () => {
  const listener = new Listener();
  async function* quick(): AsyncGenerator<Uint8Array> {
    yield* PIECES;
  }
  expect([await all(unlessSilent(listener.sql, quick())), listener.heard]).toEqual([PIECES, 0]);
});

test('a broken file is no end of a file', async () => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('a');
    throw new Error('the connection broke');
  }
  await expect(all(unlessSilent(new Listener().sql, broken()))).rejects.toThrow('the connection broke');
});

test('a reader that is told to stop reads no further', async () => {
  const stop = new AbortController();
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('a');
    stop.abort();
    yield Buffer.from('b');
  }
  await expect(all(unlessStopped(pieces(), stop.signal))).rejects.toThrow('told to stop');
});
