import { Injectable } from '@nestjs/common';
import { Postgres, type Sql } from '../../platform/stores/postgres.js';
import type { Triaged } from './triage.js';

/** A triaged message with its bytes. */
export interface StoreRow {
  /** Its place in the batch, by which its outcome is found. */
  n: number;
  triaged: Triaged;
  body: Buffer;
}

/** What became of a row: the id is that of its event, of a row in quarantine that of the event whose key it has. */
interface StoredRow {
  n: number;
  outcome: 'stored' | 'duplicate' | 'quarantined';
  event_id: string | null;
}

/** Every statement that stores events or reads them. */
@Injectable()
export class IntakeRepository {
  constructor(private readonly postgres: Postgres) {}

  /**
   * Stores a batch in one call. Returns the rows that `store_events` returns, or `stale` when the registry moved since this
   * version: then nothing is stored. `keep`: a conflict goes into quarantine, else it is only told. Refused rows always go.
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
}

function columns(rows: readonly StoreRow[]): unknown[][] {
  const pick = (of: (row: Triaged) => unknown) => rows.map(({ triaged }) => of(triaged));
  const ofEvent = (of: (row: Extract<Triaged, { kind: 'event' }>) => unknown) =>
    pick((row) => (row.kind === 'event' ? (of(row) ?? null) : null));
  const ofRefused = (of: (row: Extract<Triaged, { kind: 'refused' }>) => unknown) =>
    pick((row) => (row.kind === 'refused' ? of(row) : null));
  return [
    rows.map(({ n }) => n),
    pick(({ clientId }) => clientId ?? null),
    ofEvent(({ typeId }) => typeId),
    pick(({ key }) => key),
    ofEvent(({ message }) => message),
    rows.map(({ body }) => body),
    ofEvent(({ occurredAt }) => occurredAt),
    ofRefused(({ reason }) => reason),
    ofRefused(({ detail }) => detail),
    pick(({ companyId }) => companyId ?? null),
  ];
}
