import { Injectable } from '@nestjs/common';
import { Postgres, type Sql } from '../../platform/stores/postgres.js';
import type { Reason } from '../intake/triage.js';

/** A message in quarantine, without its bytes. */
export interface QuarantineRow {
  id: string;
  /** null: none is known, and no member sees the message. */
  company_id: string | null;
  client_id: string | null;
  reason: Reason;
  detail: string;
  dedupe_key: string;
  received_at: Date;
  resolved_at: Date | null;
  resolution: 'replayed' | 'discarded' | null;
  event_id: string | null;
}

/** Its bytes, of which a list has the first 256 KiB: no event has more. */
export interface KeptBody {
  body: Buffer;
  body_bytes: number;
}

/**
 * Whose messages: those of these companies, those of no known company, or all. A row of others is not found. Who may ask for
 * which is the caller's to say.
 */
export type Whose = readonly string[] | 'nobody' | 'anyone';

/** Which of them. */
export interface QuarantineFilter {
  reason?: Reason | undefined;
  /** Whether they are replayed or discarded. */
  resolved: boolean;
  /** Begins after this id. */
  after: number | string;
  limit: number;
}

const COLUMNS =
  'id, company_id, client_id, reason, detail, dedupe_key, received_at, resolved_at, resolution, event_id, octet_length(body) AS body_bytes';
const BODY_BYTES = 256 * 1_024;
/** Bytes of the bodies of a slice, unless one alone has more. */
const SLICE_BYTES = 2 * 1_024 * 1_024;

/** Every statement on event_quarantine, but for those of store_events, which puts messages there, and of upkeep, which counts and erases them. */
@Injectable()
export class QuarantineRepository {
  constructor(private readonly postgres: Postgres) {}

  /** By id, and whether there are more. */
  async list(whose: Whose, filter: QuarantineFilter): Promise<{ rows: (QuarantineRow & KeptBody)[]; more: boolean }> {
    const { reason, resolved, after, limit } = filter;
    const found = await this.postgres.query<QuarantineRow & KeptBody & { found: number }>(
      `SELECT ${COLUMNS}, substring(body FROM 1 FOR $6) AS body, found
         FROM (SELECT *, count(*) OVER ()::int AS found, row_number() OVER (ORDER BY id) AS place,
                      sum(least(octet_length(body), $6)) OVER (ORDER BY id) AS bytes
                 FROM (SELECT * FROM event_quarantine
                        WHERE ${sqlOf(whose)} AND id > $2 AND ($3::text IS NULL OR reason = $3)
                          AND resolved_at ${resolved ? 'IS NOT NULL' : 'IS NULL'}
                        ORDER BY id LIMIT $4 + 1) AS one) AS q
        WHERE place <= $4 AND (place = 1 OR bytes <= $5)
        ORDER BY id`,
      [companiesOf(whose), after, reason ?? null, limit, SLICE_BYTES, BODY_BYTES],
    );
    const rows = found.map(({ found: _, ...row }) => row);
    return { rows, more: (found[0]?.found ?? 0) > rows.length };
  }

  /** Ids of open ones, oldest first. */
  async open(whose: Whose, { reason, after, limit }: Omit<QuarantineFilter, 'resolved'>): Promise<string[]> {
    const rows = await this.postgres.query<{ id: string }>(
      `SELECT id FROM event_quarantine
        WHERE ${sqlOf(whose)} AND id > $2 AND ($3::text IS NULL OR reason = $3) AND resolved_at IS NULL
        ORDER BY id LIMIT $4`,
      [companiesOf(whose), after, reason ?? null, limit],
    );
    return rows.map(({ id }) => id);
  }

  /** One of them with all its bytes; undefined: there is none, or it is another's. */
  async find(sql: Sql, whose: Whose, id: string): Promise<(QuarantineRow & KeptBody) | undefined> {
    return sql.one(`SELECT ${COLUMNS}, body FROM event_quarantine WHERE ${sqlOf(whose)} AND id = $2`, [
      companiesOf(whose),
      id,
    ]);
  }

  /** Ends it in this way. False: it has ended before, or is another's. A replay names its event. */
  async resolve(
    sql: Sql,
    whose: Whose,
    id: string,
    resolution: 'replayed' | 'discarded',
    eventId?: string,
  ): Promise<boolean> {
    const resolved = await sql.query(
      // guard: of two who end it at once, one does
      `UPDATE event_quarantine SET resolved_at = clock_timestamp(), resolution = $3, event_id = $4
        WHERE ${sqlOf(whose)} AND id = $2 AND resolved_at IS NULL RETURNING id`,
      [companiesOf(whose), id, resolution, eventId ?? null],
    );
    return resolved.length > 0;
  }
}

/** guard: the tenant, in every statement. $1 is `companiesOf`. */
function sqlOf(whose: Whose): string {
  if (whose === 'anyone') return '$1::text[] IS NULL';
  return whose === 'nobody' ? '$1::text[] IS NULL AND company_id IS NULL' : 'company_id = ANY ($1::text[])';
}

function companiesOf(whose: Whose): readonly string[] | null {
  return typeof whose === 'string' ? null : whose;
}
