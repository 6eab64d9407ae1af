import { Injectable } from '@nestjs/common';
import { Postgres } from '../../platform/stores/postgres.js';

/** How webhooks stand. Of endpoints that are not deleted. */
export interface Standing {
  /** Deliveries that are due, of endpoints that are not disabled: COUNTED_AT_MOST of them at most. */
  due: number;
  /** Deliveries that are dead: COUNTED_AT_MOST of them at most. */
  dead: number;
  /** Since the one that has waited longest for the sender alone may be sent. */
  oldest_due_s: number;
  oldest_dead_s: number;
  /** Endpoints that failed five times in a row: the breaker is open, or lets one probe through. */
  open: number;
  disabled: number;
}

/** A scrape stays short, whatever there is to count. */
export const COUNTED_AT_MOST = 100_000;
/** Rows of a statement of the sweep: a short one lets others pass. */
const SWEPT_AT_ONCE = 1_000;
const KEPT = "interval '15 days'";

/** What the gauges and retention ask of the tables of webhooks. */
@Injectable()
export class WebhooksUpkeepRepository {
  constructor(private readonly postgres: Postgres) {}

  /**
   * By indexes that have only what is due, or dead, an endpoint at a time: the limits within are for the planner, which would
   * read all of them first. `now()` and not `clock_timestamp()`, which no index can be asked for.
   * An attempt that is under way, or waits for its next row, is due in the future.
   */
  async standing(): Promise<Standing | undefined> {
    return this.postgres.one<Standing>(
      `WITH living AS MATERIALIZED (SELECT id, disabled_at IS NOT NULL AS disabled, failures >= 5 AS open,
         -- what rate and breaker hold back does not wait for us
         greatest(next_slot_at, open_until) AS held_until FROM event_endpoints WHERE NOT deleted)
       SELECT
         (SELECT count(*) FROM (SELECT FROM living e, LATERAL (SELECT FROM event_deliveries
            WHERE endpoint_id = e.id AND due_at < now() LIMIT ${COUNTED_AT_MOST}) AS d
            WHERE NOT e.disabled LIMIT ${COUNTED_AT_MOST}) AS due)::int AS due,
         (SELECT count(*) FROM (SELECT FROM living e, LATERAL (SELECT FROM event_deliveries
            WHERE endpoint_id = e.id AND dead_at IS NOT NULL LIMIT ${COUNTED_AT_MOST}) AS d
            LIMIT ${COUNTED_AT_MOST}) AS dead)::int AS dead,
         (SELECT coalesce(max(greatest(0, extract(epoch FROM now() - greatest(d.due_at, e.held_until)))), 0) FROM living e,
            LATERAL (SELECT due_at FROM event_deliveries WHERE endpoint_id = e.id AND due_at IS NOT NULL
              ORDER BY due_at LIMIT 1) AS d WHERE NOT e.disabled)::float8 AS oldest_due_s,
         (SELECT coalesce(max(greatest(0, extract(epoch FROM now() - d.dead_at))), 0) FROM living e,
            LATERAL (SELECT dead_at FROM event_deliveries WHERE endpoint_id = e.id AND dead_at IS NOT NULL
              ORDER BY dead_at LIMIT 1) AS d)::float8 AS oldest_dead_s,
         (SELECT count(*) FROM living WHERE open AND NOT disabled)::int AS open,
         (SELECT count(*) FROM living WHERE disabled)::int AS disabled`,
    );
  }

  /** Deletes some attempts that are older than 15 days from the log; returns how many. */
  async sweepAttempts(): Promise<number> {
    const gone = await this.postgres.query(
      `DELETE FROM event_attempts WHERE (event_id, endpoint_id, attempt) IN
         (SELECT event_id, endpoint_id, attempt FROM event_attempts WHERE at < now() - ${KEPT}
           ORDER BY at LIMIT ${SWEPT_AT_ONCE} FOR UPDATE SKIP LOCKED)
       RETURNING attempt`,
    );
    return gone.length;
  }

  /** Blanks secrets before a rotation that sign no longer; returns how many. */
  async sweepSecrets(): Promise<number> {
    const blanked = await this.postgres.query(
      `UPDATE event_endpoints SET old_secret = NULL, old_secret_until = NULL WHERE id IN
         -- guard: waits for nobody: who deletes a company locks its endpoints, too, in an order of its own
         (SELECT id FROM event_endpoints WHERE old_secret_until < now() FOR NO KEY UPDATE SKIP LOCKED)
       RETURNING id`,
    );
    return blanked.length;
  }
}
