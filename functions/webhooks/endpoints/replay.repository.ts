import { Injectable } from '@nestjs/common';
import type { Transaction } from '../../platform/stores/postgres.js';
import { requiredRow } from '../../platform/stores/rows.js';

/** Whose deliveries are replayed. */
export interface Target {
  endpointId: string;
  companyId: string;
}

/** Events that were received in [since, until), by id, behind `after`. */
export interface Span {
  since: Date;
  until: Date | null;
  after: number;
}

/** Some events that were looked at. */
export interface ReplayedSlice {
  /** Deliveries that are due now and were not before. */
  count: number;
  /** Events that were looked at. */
  lookedAt: number;
  /** The id of the last of them, a bigint; null: there was none. */
  last: string | null;
}

const IN_SPAN = 'e.received_at >= $3 AND ($4::timestamptz IS NULL OR e.received_at < $4)';
/**
 * guard: no event that retention deletes meanwhile, and no circle with it: who sweeps locks events first, too. An event that
 * it has locked is gone in a moment.
 */
const HELD = 'FOR KEY SHARE OF e SKIP LOCKED';

/** Rows that are to be due again, in the order of the event, so that two replays wait and never in a circle. */
const again = (which: 'dead_at IS NOT NULL' | 'due_at IS NULL') => `
  ended AS MATERIALIZED (
    SELECT d.event_id FROM event_deliveries d
     WHERE d.endpoint_id = $1 AND d.event_id IN (SELECT id FROM page) AND d.${which} ORDER BY d.event_id FOR UPDATE),
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
const LOOKED_AT = '(SELECT count(*) FROM page)::int AS "lookedAt", (SELECT max(id) FROM page)::text AS last';
const ALL = `${again('due_at IS NULL')}, ${BORN}
  SELECT (SELECT count(*) FROM again)::int + (SELECT count(*) FROM born)::int AS count, ${LOOKED_AT}`;
const DEAD = `${again('dead_at IS NOT NULL')} SELECT (SELECT count(*) FROM again)::int AS count, ${LOOKED_AT}`;

/**
 * Makes deliveries due that are at their end. Rows that are due already stay as they are. Lock order: events, then
 * deliveries, each by id.
 */
@Injectable()
export class ReplayRepository {
  /** The next `limit` of those that were given up. */
  async dead(sql: Transaction, { endpointId, companyId }: Target, span: Span, limit: number): Promise<ReplayedSlice> {
    const page = `SELECT e.id FROM event_deliveries d JOIN events e ON e.id = d.event_id
       WHERE d.endpoint_id = $1 AND d.dead_at IS NOT NULL AND d.event_id > $5 AND e.company_id = $2 AND ${IN_SPAN}
       ORDER BY d.event_id LIMIT $6 ${HELD}`;
    return this.#slice(sql, page, DEAD, [endpointId, companyId, span.since, span.until, span.after, limit]);
  }

  /** The next `limit` events of the company: those that ended, and those that the endpoint wants and was never owed. */
  async all(sql: Transaction, { endpointId, companyId }: Target, span: Span, limit: number): Promise<ReplayedSlice> {
    const page = `SELECT e.id, e.client_id, e.type_id FROM events e
       WHERE e.company_id = $2 AND e.id > $5 AND ${IN_SPAN} ORDER BY e.id LIMIT $6 ${HELD}`;
    return this.#slice(sql, page, ALL, [endpointId, companyId, span.since, span.until, span.after, limit]);
  }

  /** One event, by its bigint; nothing is looked at where the company has no such event. */
  async one(sql: Transaction, { endpointId, companyId }: Target, eventId: string): Promise<ReplayedSlice> {
    const page = `SELECT e.id, e.client_id, e.type_id FROM events e
       WHERE e.company_id = $2 AND e.id = $3 ${HELD}`;
    return this.#slice(sql, page, ALL, [endpointId, companyId, eventId]);
  }

  /** Whether the event is or was owed to the endpoint. */
  async isOwed(sql: Transaction, endpointId: string, eventId: string): Promise<boolean> {
    const found = await sql.query('SELECT FROM event_deliveries WHERE event_id = $1 AND endpoint_id = $2', [
      eventId,
      endpointId,
    ]);
    return found.length > 0;
  }

  async #slice(sql: Transaction, page: string, rest: string, values: unknown[]): Promise<ReplayedSlice> {
    return requiredRow(await sql.one<ReplayedSlice>(`WITH page AS MATERIALIZED (${page}), ${rest}`, values));
  }
}
