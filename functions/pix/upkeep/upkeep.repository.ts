import { Injectable } from '@nestjs/common';
import { Postgres } from '../../platform/stores/postgres.js';
import { requiredRow } from '../../platform/stores/rows.js';

/** How streams and messages of all participants stand. */
export interface Standing {
  /** Open streams that have handed out nothing, or all of it acknowledged. */
  empty: number;
  /** Open streams whose last messages are not acknowledged yet. */
  holding: number;
  /** Messages that wait: COUNTED_AT_MOST of them at most. */
  waiting: number;
  /** Messages that were handed out and not acknowledged. */
  in_flight: number;
  /** Messages that waited again, since the beginning, by what ended their stream. */
  returned: Record<'collector' | 'expiry' | 'disconnect', number>;
}

/** A scrape stays short, however many messages wait. */
export const COUNTED_AT_MOST = 100_000;
/** Rows of a statement: a short one lets others pass. */
const DELETED_AT_ONCE = 1_000;

/** The statements on streams that no collector waits for. */
@Injectable()
export class PixUpkeepRepository {
  constructor(private readonly postgres: Postgres) {}

  /** Ends what is overdue. Returns how many streams. */
  async expire(): Promise<number> {
    return requiredRow(await this.postgres.one<{ ended: number }>('SELECT pix_expire(NULL) AS ended')).ended;
  }

  /**
   * Deletes some of the streams that ended seven days ago, whose tokens are found no more, and keeps the sum of what they
   * returned. Returns how many.
   */
  async deleteClosed(): Promise<number> {
    const { gone } = requiredRow(
      await this.postgres.one<{ gone: number }>(
        `WITH gone AS (DELETE FROM pix_streams WHERE id IN
           (SELECT id FROM pix_streams WHERE closed_at < now() - interval '7 days'
             ORDER BY closed_at LIMIT ${DELETED_AT_ONCE} FOR UPDATE SKIP LOCKED)
           RETURNING closed_by, returned),
         -- guard: in one order, as two processes may delete at once
         kept AS (INSERT INTO pix_returned AS r (closed_by, messages)
           SELECT closed_by, sum(returned) FROM gone WHERE returned > 0 GROUP BY closed_by ORDER BY closed_by
           ON CONFLICT (closed_by) DO UPDATE SET messages = r.messages + excluded.messages)
         SELECT count(*)::int AS gone FROM gone`,
      ),
    );
    return gone;
  }

  /** In one statement, so of one moment: a stream that is being deleted is in one of the two sums. */
  async standing(): Promise<Standing> {
    const { expiry, collector, disconnect, ...standing } = requiredRow(
      await this.postgres.one<Omit<Standing, 'returned'> & Standing['returned']>(
        `WITH open AS MATERIALIZED (SELECT cardinality(batch) AS size FROM pix_streams WHERE closed_at IS NULL),
         returned AS MATERIALIZED (
           SELECT closed_by, sum(messages)::float8 AS messages FROM (
             SELECT closed_by, returned AS messages FROM pix_streams WHERE returned > 0
             UNION ALL SELECT closed_by, messages FROM pix_returned) AS each GROUP BY closed_by)
         SELECT (SELECT count(*) FROM open WHERE size = 0)::int AS empty,
                (SELECT count(*) FROM open WHERE size > 0)::int AS holding,
                (SELECT count(*) FROM (SELECT FROM pix_waiting LIMIT ${COUNTED_AT_MOST}) AS found)::int AS waiting,
                (SELECT coalesce(sum(size), 0) FROM open)::int AS in_flight,
                coalesce((SELECT messages FROM returned WHERE closed_by = 'collector'), 0) AS collector,
                coalesce((SELECT messages FROM returned WHERE closed_by = 'expiry'), 0) AS expiry,
                coalesce((SELECT messages FROM returned WHERE closed_by = 'disconnect'), 0) AS disconnect`,
      ),
    );
    return { ...standing, returned: { collector, expiry, disconnect } };
  }
}
