import { Injectable } from '@nestjs/common';
import type { Page, PageQuery } from '../../platform/http/slices.js';
import type { Sql, Transaction } from '../../platform/stores/postgres.js';
import { pageOfRows, requiredRow } from '../../platform/stores/rows.js';
import type { EndpointChange } from './endpoints.schemas.js';

/** An endpoint as callers see it: no secret. */
export interface EndpointRow {
  id: string;
  company_id: string;
  url: string;
  client_id: string | null;
  type_names: string[] | null;
  rate_per_s: number;
  state: 'active' | 'open' | 'disabled';
  failures: number;
  open_until: Date | null;
  disabled_at: Date | null;
  disabled_reason: 'member' | 'gone' | 'failing' | null;
  last_success_at: Date | null;
  old_secret_until: Date | null;
  created_at: Date;
}

/** What makes an endpoint. */
export interface EndpointSeed {
  id: string;
  companyId: string;
  url: string;
  clientId: string | null;
  typeNames: readonly string[] | null;
  ratePerS: number;
  secret: string;
}

/** A line of the log. `id` and `event_id` are bigints. */
export interface AttemptRow {
  id: string;
  event_id: string;
  attempt: number;
  at: Date;
  status: number | null;
  error: string | null;
  took_ms: number;
  response: string | null;
}

/** What was given up. `event_id` is a bigint. */
export interface DeadRow {
  event_id: string;
  event_type: string;
  attempts: number;
  dead_at: Date;
  received_at: Date;
}

/** `open_until` is there as long as the breaker is open, also when its time is over: a success alone, or a member, closes it. */
const VIEW = `id, company_id, url, client_id, type_names, rate_per_s,
  CASE WHEN disabled_at IS NOT NULL THEN 'disabled' WHEN open_until IS NOT NULL THEN 'open' ELSE 'active' END AS state,
  failures, CASE WHEN disabled_at IS NULL THEN open_until END AS open_until, disabled_at, disabled_reason, last_success_at,
  CASE WHEN old_secret_until > clock_timestamp() THEN old_secret_until END AS old_secret_until, created_at`;
/** guard: it is enabled, or has another URL: how the one before failed says nothing of it. */
const ANEW = '(NOT $8 OR $3 <> url)';
const ATTEMPT = 'id, event_id, attempt, at, status, error, took_ms, response';

/**
 * The statements on endpoints, and on what became of their deliveries, for members. A change of an endpoint needs the lock of
 * its company, and raises the version of the registry last.
 */
@Injectable()
export class EndpointsRepository {
  async insert(sql: Transaction, seed: EndpointSeed): Promise<EndpointRow> {
    const { id, companyId, url, clientId, typeNames, ratePerS, secret } = seed;
    const row = await sql.one<EndpointRow>(
      `INSERT INTO event_endpoints (id, company_id, url, client_id, type_names, rate_per_s, secret)
       VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ${VIEW}`,
      [id, companyId, url, clientId, typeNames, ratePerS, secret],
    );
    return requiredRow(row);
  }

  /** How many endpoints of a company live. */
  async count(sql: Transaction, companyId: string): Promise<number> {
    const row = await sql.one<{ endpoints: number }>(
      'SELECT count(*)::int AS endpoints FROM event_endpoints WHERE company_id = $1 AND NOT deleted',
      [companyId],
    );
    return requiredRow(row).endpoints;
  }

  /** The company of a living endpoint. */
  async companyOf(sql: Sql, id: string): Promise<string | undefined> {
    const row = await sql.one<{ company_id: string }>(
      'SELECT company_id FROM event_endpoints WHERE id = $1 AND NOT deleted',
      [id],
    );
    return row?.company_id;
  }

  /** A living endpoint of one of these companies. */
  async find(sql: Sql, companies: readonly string[], id: string): Promise<EndpointRow | undefined> {
    return sql.one(`SELECT ${VIEW} FROM event_endpoints WHERE company_id = ANY ($1) AND id = $2 AND NOT deleted`, [
      companies,
      id,
    ]);
  }

  async page(sql: Sql, companyId: string, page: PageQuery): Promise<Page<EndpointRow>> {
    const from = `SELECT ${VIEW} FROM event_endpoints WHERE company_id = $1 AND NOT deleted`;
    return pageOfRows(sql, from, 'created_at, id', [companyId], page);
  }

  /** How much is owed to it, and how much was given up. It reads an entry of an index for each. */
  async owed(sql: Sql, id: string): Promise<{ due: number; dead: number }> {
    const row = await sql.one<{ due: number; dead: number }>(
      `SELECT (SELECT count(*) FROM event_deliveries WHERE endpoint_id = $1 AND due_at IS NOT NULL)::int AS due,
              (SELECT count(*) FROM event_deliveries WHERE endpoint_id = $1 AND dead_at IS NOT NULL)::int AS dead`,
      [id],
    );
    return requiredRow(row);
  }

  /** Undefined: it is deleted. What a change does not name stays as it is. @param secret A new one. */
  async change(
    sql: Transaction,
    companyId: string,
    id: string,
    { url, type_names, rate_per_s, disabled }: EndpointChange,
    secret: string | undefined,
  ): Promise<EndpointRow | undefined> {
    return sql.one(
      `UPDATE event_endpoints SET
         url = coalesce($3, url),
         type_names = CASE WHEN $4 THEN $5::text[] ELSE type_names END,
         rate_per_s = coalesce($6, rate_per_s),
         secret = coalesce($7, secret),
         old_secret = CASE WHEN $7 IS NULL THEN old_secret ELSE secret END,
         old_secret_until = CASE WHEN $7 IS NULL THEN old_secret_until ELSE clock_timestamp() + interval '24 hours' END,
         -- of one that the sender has disabled since it failed: from then on
         disabled_at = CASE WHEN $8 THEN coalesce(disabled_at, clock_timestamp()) WHEN NOT $8 THEN NULL ELSE disabled_at END,
         disabled_reason = CASE WHEN $8 THEN 'member' WHEN NOT $8 THEN NULL ELSE disabled_reason END,
         enabled_at = CASE WHEN ${ANEW} THEN clock_timestamp() ELSE enabled_at END,
         failures = CASE WHEN ${ANEW} THEN 0 ELSE failures END,
         failing_since = CASE WHEN ${ANEW} THEN NULL ELSE failing_since END,
         open_until = CASE WHEN ${ANEW} THEN NULL ELSE open_until END,
         probing_since = CASE WHEN ${ANEW} THEN NULL ELSE probing_since END
        WHERE company_id = $1 AND id = $2 AND NOT deleted
       RETURNING ${VIEW}`,
      [
        companyId,
        id,
        url ?? null,
        type_names !== undefined,
        type_names ?? null,
        rate_per_s ?? null,
        secret ?? null,
        disabled ?? null,
      ],
    );
  }

  /** Blanks its secrets, which sign nothing any more. False: it is deleted already. */
  async delete(sql: Transaction, companyId: string, id: string): Promise<boolean> {
    const found = await sql.query(
      `UPDATE event_endpoints SET deleted = true, secret = '', old_secret = NULL, old_secret_until = NULL
        WHERE company_id = $1 AND id = $2 AND NOT deleted RETURNING id`,
      [companyId, id],
    );
    return found.length > 0;
  }

  /** Attempts behind an id, one more than `limit` where there are more. */
  async attempts(sql: Sql, id: string, after: number, limit: number): Promise<AttemptRow[]> {
    return sql.query(
      `SELECT ${ATTEMPT} FROM event_attempts WHERE endpoint_id = $1 AND id > $2 ORDER BY id LIMIT $3 + 1`,
      [id, after, limit],
    );
  }

  /** What was given up of events behind an id, one more than `limit` where there is more. */
  async dead(sql: Sql, id: string, after: number, limit: number): Promise<DeadRow[]> {
    return sql.query(
      `SELECT d.event_id, t.name AS event_type, d.attempts, d.dead_at, e.received_at
         FROM event_deliveries d JOIN events e ON e.id = d.event_id JOIN event_types t ON t.id = e.type_id
        WHERE d.endpoint_id = $1 AND d.dead_at IS NOT NULL AND d.event_id > $2 ORDER BY d.event_id LIMIT $3 + 1`,
      [id, after, limit],
    );
  }

  async lastAttempt(sql: Sql, id: string): Promise<AttemptRow | undefined> {
    return sql.one(`SELECT ${ATTEMPT} FROM event_attempts WHERE endpoint_id = $1 ORDER BY id DESC LIMIT 1`, [id]);
  }
}
