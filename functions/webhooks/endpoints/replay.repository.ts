import { Injectable } from '@nestjs/common';
import type { Sql, Transaction } from '../../platform/stores/postgres.js';
import { requiredRow } from '../../platform/stores/rows.js';

/** Whose deliveries are replayed. */
export interface Target {
  endpointId: string;
  companyId: string;
}

/** A time, [since, until). */
export interface Time {
  since: Date;
  until: Date | null;
}

/** Where events of a time are looked for: behind the id `after` and, a bigint, before `before`; null: to the last one. */
export interface Span extends Time {
  after: number;
  before: string | null;
}

/** Some events that were looked at; those that were received at another time are left as they are. */
export interface ReplayedSlice {
  /** Deliveries that are due now and were not before. */
  count: number;
  /** Events that were looked at. */
  lookedAt: number;
  /** The id of the last of them, a bigint; null: there was none. */
  last: string | null;
}

/**
 * An event has its id before it is received: for so long it may wait for others that are stored, while a clock is set, too. So
 * whatever has a smaller id than an event was received no later than that event and this.
 */
const LATE_MS = 3_600_000;
/** Neighbours among the ids of a company: at `below` an event was received before $2, at `above` none, or there is none. */
const HALVED = `
  WITH RECURSIVE half AS (
    SELECT 0::bigint AS below, (SELECT coalesce(max(id), 0) + 1 FROM events WHERE company_id = $1) AS above
    UNION ALL
    SELECT CASE WHEN e.early THEN e.id ELSE h.below END, CASE WHEN e.early THEN h.above ELSE m.id END
      FROM half h CROSS JOIN LATERAL (SELECT (h.below + h.above) / 2 AS id) m
      LEFT JOIN LATERAL (SELECT e.id, e.received_at < $2 AS early FROM events e
        WHERE e.company_id = $1 AND e.id >= m.id AND e.id < h.above ORDER BY e.id LIMIT 1) e ON true
     WHERE h.above - h.below > 1)
  SELECT below, above FROM half ORDER BY above - below LIMIT 1`;

const IN_SPAN = 'e.received_at >= $3 AND ($4::timestamptz IS NULL OR e.received_at < $4)';
const BEFORE = (id: string) => `${id} < coalesce($6::bigint, 9223372036854775807)`;
/**
 * guard: no event that retention deletes meanwhile, and no circle with it: who sweeps locks events first, too. An event that
 * it has locked is gone in a moment.
 */
const HELD = 'FOR KEY SHARE OF e SKIP LOCKED';

/**
 * At its end, or waiting for its next attempt. guard: of what is under way the last attempt is not in the log yet; made due, it
 * would be sent by two.
 */
const ENDED_OR_WAITING = `(d.due_at IS NULL OR (d.due_at > clock_timestamp() AND EXISTS (SELECT FROM event_attempts a
    WHERE a.event_id = d.event_id AND a.endpoint_id = d.endpoint_id AND a.attempt = d.attempts)))`;

/** Rows that are to be due again, in the order of the event, so that two replays wait and never in a circle. */
const again = (which: string) => `
  ended AS MATERIALIZED (
    SELECT d.event_id FROM event_deliveries d
     WHERE d.endpoint_id = $1 AND d.event_id IN (SELECT id FROM page) AND ${which} ORDER BY d.event_id FOR UPDATE),
  again AS (
    -- guard: attempts never goes back: it is the key of the log and the number of the claim
    UPDATE event_deliveries d SET due_at = clock_timestamp(), delivered_at = NULL, dead_at = NULL, round_from = d.attempts
      FROM ended WHERE d.endpoint_id = $1 AND d.event_id = ended.event_id RETURNING d.event_id)`;

/** What the endpoint wants by now and was never owed. */
const BORN = `
  born AS (
    INSERT INTO event_deliveries (event_id, endpoint_id, due_at)
    SELECT p.id, n.id, clock_timestamp()
      FROM page p
      JOIN event_types t ON t.id = p.type_id
      JOIN event_endpoints n ON n.id = $1 AND NOT n.deleted
       AND (n.client_id IS NULL OR n.client_id = p.client_id) AND (n.type_names IS NULL OR t.name = ANY (n.type_names))
     -- guard: in place of a conflict, which would wait for a sender that has claimed the row
     WHERE NOT EXISTS (SELECT FROM event_deliveries d WHERE d.endpoint_id = n.id AND d.event_id = p.id)
     ORDER BY p.id
    ON CONFLICT DO NOTHING RETURNING event_id)`;
const LOOKED_AT = '(SELECT count(*) FROM looked)::int AS "lookedAt", (SELECT max(id) FROM looked)::text AS last';
const ALL = `${again(ENDED_OR_WAITING)}, ${BORN}
  SELECT (SELECT count(*) FROM again)::int + (SELECT count(*) FROM born)::int AS count, ${LOOKED_AT}`;
const DEAD = `${again('d.dead_at IS NOT NULL')} SELECT (SELECT count(*) FROM again)::int AS count, ${LOOKED_AT}`;

/**
 * Makes deliveries due. Those that are due already or under way stay as they are. Lock order: events, then
 * deliveries, each by id.
 */
@Injectable()
export class ReplayRepository {
  /**
   * Between which ids of a company all are that were received at a time, and few others: to look at each id from the first one
   * on would take minutes. There is no index by time, but ids are nearly in its order.
   */
  async span(sql: Sql, companyId: string, { since, until }: Time): Promise<Span> {
    const at = async (ms: number) =>
      requiredRow(await sql.one<{ below: string; above: string }>(HALVED, [companyId, new Date(ms)]));
    const { below } = await at(since.getTime() - LATE_MS);
    const before = until && (await at(until.getTime() + LATE_MS)).above;
    return { since, until, after: Number(below), before };
  }

  /** The next `limit` of those that were given up. */
  async dead(sql: Transaction, target: Target, span: Span, limit: number): Promise<ReplayedSlice> {
    const looked = `SELECT d.event_id AS id FROM event_deliveries d
       WHERE d.endpoint_id = $1 AND d.dead_at IS NOT NULL AND d.event_id > $5 AND ${BEFORE('d.event_id')}
       ORDER BY d.event_id LIMIT $7`;
    return this.#slice(sql, looked, DEAD, target, span, limit);
  }

  /** The next `limit` events of the company: those that ended or wait, and those that the endpoint wants and was never owed. */
  async all(sql: Transaction, target: Target, span: Span, limit: number): Promise<ReplayedSlice> {
    const looked = `SELECT e.id FROM events e
       WHERE e.company_id = $2 AND e.id > $5 AND ${BEFORE('e.id')} ORDER BY e.id LIMIT $7`;
    return this.#slice(sql, looked, ALL, target, span, limit);
  }

  /** One event, by its bigint; nothing is looked at where the company has no such event. */
  async one(sql: Transaction, { endpointId, companyId }: Target, eventId: string): Promise<ReplayedSlice> {
    const row = await sql.one<ReplayedSlice>(
      `WITH page AS MATERIALIZED (
         SELECT e.id, e.client_id, e.type_id FROM events e WHERE e.company_id = $2 AND e.id = $3 ${HELD}),
       looked AS (SELECT id FROM page), ${ALL}`,
      [endpointId, companyId, eventId],
    );
    return requiredRow(row);
  }

  /** Whether the event is or was owed to the endpoint. */
  async isOwed(sql: Transaction, endpointId: string, eventId: string): Promise<boolean> {
    const found = await sql.query('SELECT FROM event_deliveries WHERE event_id = $1 AND endpoint_id = $2', [
      eventId,
      endpointId,
    ]);
    return found.length > 0;
  }

  /** guard: bounded by what it looks at, and not by what it finds: a slice ends, whatever there is of other times. */
  async #slice(
    sql: Transaction,
    looked: string,
    rest: string,
    { endpointId, companyId }: Target,
    { since, until, after, before }: Span,
    limit: number,
  ): Promise<ReplayedSlice> {
    const row = await sql.one<ReplayedSlice>(
      `WITH looked AS MATERIALIZED (${looked}),
       page AS MATERIALIZED (SELECT e.id, e.client_id, e.type_id FROM looked JOIN events e ON e.id = looked.id
         WHERE e.company_id = $2 AND ${IN_SPAN} ORDER BY e.id ${HELD}), ${rest}`,
      [endpointId, companyId, since, until, after, before, limit],
    );
    return requiredRow(row);
  }
}
