import pg from 'pg';
import type { ApiStage } from '../../../testing/api-stage.js';

/** Gives a lock back. `pid`: of the connection that has it. */
type Release = (() => Promise<void>) & { pid: number };

const holders = new Set<pg.Client>();

/** Takes a lock by a connection of its own. */
async function lock(stage: ApiStage, statement: string, values: unknown[] = []): Promise<Release> {
  const holder = new pg.Client({ connectionString: stage.stores.env.DATABASE_URL });
  await holder.connect();
  holders.add(holder);
  await holder.query('BEGIN');
  await holder.query(statement, values);
  const { rows } = await holder.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const release = async () => {
    holders.delete(holder);
    await holder.end();
  };
  return Object.assign(release, { pid: rows[0]?.pid ?? 0 });
}

/** Gives back the locks of tests that have failed. */
export async function unlockAll(): Promise<void> {
  await Promise.all([...holders].map((holder) => holder.end()));
}

/** Holds back every start of an ISPB. */
export function lockStarts(stage: ApiStage, ispb: string): Promise<Release> {
  return lock(stage, 'SELECT pg_advisory_xact_lock(hashtextextended($1, 7409))', [ispb]);
}

/** Holds back every read of the streams of an ISPB. */
export function lockReads(stage: ApiStage, ispb: string): Promise<Release> {
  return lock(stage, 'SELECT FROM pix_streams WHERE ispb = $1 FOR UPDATE', [ispb]);
}

/** Holds back every look for the keys of an ISPB that is not kept. */
export function lockKeys(stage: ApiStage): Promise<Release> {
  return lock(stage, 'LOCK TABLE pix_participants');
}

/** Waits until so many statements that contain `text` wait for a lock; `pid`: those alone that wait for this connection itself. */
export async function untilBlocked(
  stage: Pick<ApiStage, 'sql' | 'until'>,
  text: string,
  count: number,
  pid?: number,
): Promise<void> {
  await stage.until(async () => {
    const [found] = await stage.sql<{ count: number }>(
      `SELECT count(*)::int AS count FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND position($1 IN query) > 0
          AND ($2::int IS NULL OR $2 = ANY (pg_blocking_pids(pid)))`,
      [text, pid],
    );
    return found?.count === count;
  }, `${count} of ${text} wait for a lock`);
}
