import { Injectable } from '@nestjs/common';
import { Postgres } from '../../platform/stores/postgres.js';

/** Messages in quarantine that nobody has ended, of one reason. */
export interface OpenMessages {
  reason: string;
  count: number;
  /** Since the oldest of them came. */
  oldest_s: number;
}

/** A page of events that was swept. */
export interface SweptPage {
  /** The last id of the page; null: there is no event behind `after`. */
  last: string | null;
  /** Events of the page that were old enough, deleted or not. */
  old: number;
  /** Those of them that are deleted. */
  gone: number;
}

/** Rows of a statement of the sweep: a short one lets others pass. */
const SWEPT_AT_ONCE = 1_000;
const KEPT_DAYS = "now() - $1 * interval '1 day'";

/** What the gauges, the watch and retention ask of the tables of events. */
@Injectable()
export class UpkeepRepository {
  constructor(private readonly postgres: Postgres) {}

  /** Only reasons of which there are some. It reads every open row. */
  open(): Promise<OpenMessages[]> {
    return this.postgres.query<OpenMessages>(
      `SELECT reason, count(*)::int AS count,
              greatest(0, extract(epoch FROM clock_timestamp() - min(received_at)))::float8 AS oldest_s
         FROM event_quarantine WHERE resolved_at IS NULL GROUP BY reason ORDER BY reason`,
    );
  }

  /** The last id of an event; `0` where there is none. */
  async lastEvent(): Promise<string> {
    const row = await this.postgres.one<{ last: string }>('SELECT coalesce(max(id), 0)::text AS last FROM events');
    return row?.last ?? '0';
  }

  /** Events behind an id and up to another one, by the name of their type. */
  byType(after: string, last: string): Promise<{ type: string; count: number }[]> {
    return this.postgres.query<{ type: string; count: number }>(
      `SELECT t.name AS type, count(*)::int AS count FROM events e JOIN event_types t ON t.id = e.type_id
        WHERE e.id > $1 AND e.id <= $2 GROUP BY t.name`,
      [after, last],
    );
  }

  /** Deletes some messages of quarantine that were ended longer ago than that; returns how many. Open ones stay. */
  async sweepQuarantine(keepDays: number): Promise<number> {
    const gone = await this.postgres.query(
      `DELETE FROM event_quarantine WHERE id IN
         (SELECT id FROM event_quarantine WHERE resolved_at < ${KEPT_DAYS}
           ORDER BY resolved_at LIMIT ${SWEPT_AT_ONCE} FOR UPDATE SKIP LOCKED)
       RETURNING id`,
      [keepDays],
    );
    return gone.length;
  }

  /**
   * Deletes those of the next 1,000 events behind `after` that came longer ago than that, with their deliveries. Events of
   * which something is owed stay, and those that a message in quarantine names. By id and not by time, which has no index.
   *
   * What an endpoint is owed that is deleted, or was disabled longer ago than that, keeps no event: it is deleted, too.
   */
  sweepEvents(keepDays: number, after: string): Promise<SweptPage> {
    return this.postgres.transaction(async (sql) => {
      // guard: one that is enabled in this moment is in use. Who enables it waits for this page, or we pass over it.
      const unused = await sql.query<{ id: string }>(
        `SELECT id FROM event_endpoints e WHERE (deleted OR disabled_at < ${KEPT_DAYS})
            AND (SELECT true FROM event_deliveries d WHERE d.endpoint_id = e.id AND d.due_at IS NOT NULL LIMIT 1)
          FOR SHARE SKIP LOCKED`,
        [keepDays],
      );
      // a NEXT statement: with a fresh snapshot of what they are owed
      const page = await sql.one<SweptPage>(
        `WITH page AS MATERIALIZED (SELECT id, received_at < ${KEPT_DAYS} AS old FROM events WHERE id > $2
            ORDER BY id LIMIT ${SWEPT_AT_ONCE}),
         -- guard: one that is owed again meanwhile stays, and so does its event. Nothing is waited for: who replays or settles
         -- holds one delivery and may want another one, or its endpoint.
         ended AS MATERIALIZED (SELECT d.event_id, d.endpoint_id FROM event_deliveries d JOIN page p ON p.id = d.event_id
            WHERE p.old AND (d.due_at IS NULL OR d.endpoint_id = ANY ($3)) FOR UPDATE OF d SKIP LOCKED),
         free AS MATERIALIZED (SELECT e.id FROM events e JOIN page p ON p.id = e.id
            WHERE p.old AND NOT EXISTS (SELECT FROM event_deliveries d WHERE d.event_id = e.id
                AND (d.event_id, d.endpoint_id) NOT IN (SELECT event_id, endpoint_id FROM ended))
              AND NOT EXISTS (SELECT FROM event_quarantine q WHERE q.event_id = e.id)
            ORDER BY e.id FOR UPDATE OF e SKIP LOCKED),
         settled AS (DELETE FROM event_deliveries d USING free f WHERE d.event_id = f.id),
         gone AS (DELETE FROM events e USING free f WHERE e.id = f.id RETURNING e.id)
         SELECT (SELECT max(id) FROM page)::text AS last, (SELECT count(*) FROM page WHERE old)::int AS old,
                (SELECT count(*) FROM gone)::int AS gone`,
        [keepDays, after, unused.map(({ id }) => id)],
      );
      return page ?? { last: null, old: 0, gone: 0 };
    });
  }
}
