import { setTimeout as delay } from 'node:timers/promises';
import { ServiceUnavailable } from '../platform/problem.js';
import type { Sql } from '../platform/stores/postgres.js';

/** Less than PostgreSQL lets a transaction be silent for (30 s). */
const SAY_EVERY_MS = 10_000;

/** The bytes of a file until `stop` aborts; then throws ServiceUnavailable. */
export async function* unlessStopped(bytes: AsyncIterable<Uint8Array>, stop: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    if (stop.aborted) throw new ServiceUnavailable('told to stop');
    yield piece;
  }
}

/**
 * The bytes of a file that is read within a transaction. guard: says something to PostgreSQL while they come slowly, or while many of
 * them come to nothing that is stored. It would end a transaction of which it hears nothing, each time anew, and the file would be
 * read for ever.
 */
export async function* unlessSilent(
  sql: Sql,
  bytes: AsyncIterable<Uint8Array>,
  sayEveryMs = SAY_EVERY_MS,
): AsyncGenerator<Uint8Array> {
  const pieces = bytes[Symbol.asyncIterator]();
  let said = performance.now();
  const say = async () => {
    await sql.query('SELECT');
    said = performance.now();
  };
  try {
    for (;;) {
      const next = pieces.next();
      // A read that fails while a statement runs is thrown below.
      next.catch(() => {});
      while (!(await comesWithin(next, said + sayEveryMs - performance.now()))) await say();
      const { done, value } = await next;
      if (done) return;
      if (performance.now() - said >= sayEveryMs) await say();
      yield value;
    }
  } finally {
    await pieces.return?.();
  }
}

/** Whether `next` is settled before `ms` are over. */
async function comesWithin(next: Promise<unknown>, ms: number): Promise<boolean> {
  const over = new AbortController();
  const late = delay(Math.max(ms, 0), false, { signal: over.signal }).catch(() => false);
  const came = next.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([came, late]);
  } finally {
    over.abort();
  }
}
