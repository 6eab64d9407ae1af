import { setImmediate as nextTurn } from 'node:timers/promises';

/** Bytes between two turns of the event loop: some 2,000 of the shortest lines, which are milliseconds of work. */
const PIECE_BYTES = 4_096;

/**
 * Small pieces, with a turn of the event loop after each. A function has its request whole, and a socket that has much to read
 * is read up to 32 times before anything else gets its turn: https://github.com/libuv/libuv/blob/v1.x/src/unix/stream.c
 */
export async function* inTurns<T extends Uint8Array>(bytes: AsyncIterable<T>): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes)
    for (let at = 0; at < piece.length; at += PIECE_BYTES) {
      yield piece.subarray(at, at + PIECE_BYTES);
      await nextTurn();
    }
}
