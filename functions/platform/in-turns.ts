import { setImmediate as nextTurn } from 'node:timers/promises';

/** Bytes between two turns of the event loop: about 2,000 of the shortest lines, which are milliseconds of work. */
const PIECE_BYTES = 4_096;

/**
 * Yields small pieces, with a turn of the event loop after each. Without that nothing else gets a turn for long: a function
 * has its whole request at once, and libuv reads a socket with much to read up to 32 times in a row:
 * https://github.com/libuv/libuv/blob/v1.x/src/unix/stream.c
 */
export async function* inTurns<T extends Uint8Array>(bytes: AsyncIterable<T>): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes)
    for (let at = 0; at < piece.length; at += PIECE_BYTES) {
      yield piece.subarray(at, at + PIECE_BYTES);
      await nextTurn();
    }
}
