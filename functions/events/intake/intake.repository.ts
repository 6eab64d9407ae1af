import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { byteaArray, int4Array, textArray } from '../../platform/stores/binary-array.js';
import { Postgres, type Sql } from '../../platform/stores/postgres.js';
import type { Delivery } from './event-source.js';
import type { Said, Triaged } from './triage.js';

/** A triaged message with its bytes. */
export interface StoreRow {
  /** Its place in the batch, by which its outcome is found. */
  n: number;
  triaged: Triaged;
  body: Buffer;
  /** As its delivery has it. */
  maySend?: Delivery['maySend'] | undefined;
}

/** What became of a row: the id is that of its event, of a row in quarantine that of the event whose key it has. */
export interface StoredRow {
  n: number;
  outcome: 'stored' | 'duplicate' | 'quarantined';
  event_id: string | null;
}

/** An event as it is read. */
export interface EventRow {
  id: string;
  company_id: string;
  client_id: string;
  name: string;
  version: number;
  message: string;
  /** In UTC with microseconds, which a Date would lose. */
  time: string | null;
  received_at: Date;
}

/** Which events of a company are read. */
interface Wanted {
  client_id?: string | undefined;
  type?: string | undefined;
  after: number;
  limit: number;
}

/** Bytes of the messages of a slice, unless one alone has more. Escaped in JSON they must fit into a function's answer. */
const SLICE_BYTES = 2 * 1_024 * 1_024;

/** Every statement that stores events or lists them. Those that count and erase them are upkeep's. */
@Injectable()
export class IntakeRepository {
  constructor(private readonly postgres: Postgres) {}

  /**
   * Stores a batch in one call. Returns the rows that `store_events` returns, or `stale` when the registry moved since this
   * version: then nothing is stored. `keep`: what is refused and was not stored before goes into quarantine, else it is only told.
   */
  async store(
    version: string,
    keep: boolean,
    rows: readonly StoreRow[],
    sql: Sql = this.postgres,
  ): Promise<'stale' | StoredRow[]> {
    const found = await sql.query<Omit<StoredRow, 'outcome'> & { outcome: StoredRow['outcome'] | 'stale_registry' }>(
      'SELECT n, outcome, event_id FROM store_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)',
      [version, keep, ...columns(rows)],
    );
    if (found.some(({ outcome }) => outcome === 'stale_registry')) return 'stale';
    return found as StoredRow[];
  }

  /** The company of each of these events, by their ids. One that is deleted has none. */
  async companiesOf(eventIds: readonly string[], sql: Sql = this.postgres): Promise<Map<string, string>> {
    const found = await sql.query<{ id: string; company_id: string }>(
      'SELECT id, company_id FROM events WHERE id = ANY ($1::bigint[])',
      [eventIds],
    );
    return new Map(found.map(({ id, company_id }) => [id, company_id]));
  }

  /** Events of these companies, by id, and whether there are more. Each company is read by its own index. */
  async events(
    companies: readonly string[],
    { client_id, type, after, limit }: Wanted,
  ): Promise<{ rows: EventRow[]; more: boolean }> {
    const found = await this.postgres.query<EventRow & { found: number }>(
      `SELECT e.id, e.company_id, e.client_id, t.name, t.version, e.message, e.received_at, e.found,
              to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time
         FROM (SELECT one.*, count(*) OVER ()::int AS found,
                      sum(octet_length(message)) OVER (ORDER BY id) - octet_length(message) AS before, row_number() OVER (ORDER BY id) AS place
                 FROM (SELECT each.* FROM unnest($1::text[]) AS asked(company)
                        CROSS JOIN LATERAL (
                          SELECT * FROM events
                           WHERE company_id = asked.company AND id > $2 AND ($3::text IS NULL OR client_id = $3)
                             AND ($4::text IS NULL OR type_id IN (SELECT id FROM event_types WHERE company_id = asked.company AND name = $4))
                           ORDER BY id LIMIT $5 + 1) AS each
                        ORDER BY id LIMIT $5 + 1) AS one) AS e
         JOIN event_types t ON t.id = e.type_id
        WHERE e.place <= $5 AND (e.place = 1 OR e.before + octet_length(e.message) <= $6)
        ORDER BY e.id`,
      [companies, after, client_id ?? null, type ?? null, limit, SLICE_BYTES],
    );
    const rows = found.map(({ found: _, ...row }) => row);
    return { rows, more: (found[0]?.found ?? 0) > rows.length };
  }
}

/** The columns of `store_events`. Times go as text: PostgreSQL reads what no Date has. */
function columns(rows: readonly StoreRow[]): unknown[] {
  const pick = <T>(of: (row: Triaged) => T | undefined) => rows.map(({ triaged }) => of(triaged) ?? null);
  const ofEvent = <T>(of: (row: Extract<Triaged, { kind: 'event' }>) => T | undefined) =>
    pick((row) => (row.kind === 'event' ? of(row) : undefined));
  const ofRefused = <T>(of: (row: Extract<Triaged, { kind: 'refused' }>) => T) =>
    pick((row) => (row.kind === 'refused' ? of(row) : undefined));
  return [
    int4Array(rows.map(({ n }) => n)),
    textArray(pick(({ clientId }) => clientId)),
    int4Array(ofEvent(({ typeId }) => typeId)),
    textArray(pick(({ key }) => key)),
    textArray(pick((row) => (row.kind === 'event' ? row.message : row.said && saidAs(row.said)))),
    byteaArray(rows.map(({ body }) => body)),
    ofEvent(({ occurredAt }) => occurredAt),
    textArray(ofRefused(({ reason }) => reason)),
    textArray(ofRefused(({ detail }) => detail)),
    textArray(pick(({ companyId }) => companyId)),
  ];
}

/** As `store_events` compares it. */
function saidAs({ typeName, message }: Said): string {
  return `${typeName} ${createHash('sha256').update(message).digest('hex')}`;
}
