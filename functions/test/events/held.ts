import type { ApiStage } from '../../../testing/api-stage.js';

/** A statement with its values. */
export type Statement = [text: string, values?: unknown[]];

/** Runs statements in a transaction, then `meanwhile` until so many others wait for its locks, then the last ones, and commits. */
export async function heldOn<T>(
  stage: ApiStage,
  statements: readonly Statement[],
  waiting: number,
  meanwhile: () => Promise<T>,
  last: readonly Statement[] = [],
): Promise<T> {
  const client = await stage.stores.pool.connect();
  try {
    const pid = (await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid as number;
    await client.query('BEGIN');
    for (const [text, values] of statements) await client.query(text, values);
    const done = meanwhile();
    await stage.until(async () => {
      const rows = await stage.sql(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> $1 AND wait_event_type = 'Lock'`,
        [pid],
      );
      return rows.length >= waiting;
    }, `${waiting} wait for a lock`);
    for (const [text, values] of last) await client.query(text, values);
    await client.query('COMMIT');
    return await done;
  } finally {
    client.release(true);
  }
}

/** Until somebody waits for a lock. */
export async function untilWaiting(stage: ApiStage): Promise<void> {
  await stage.until(async () => {
    const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
    return (await stage.sql(waiting)).length > 0;
  }, 'somebody waits for a lock');
}
