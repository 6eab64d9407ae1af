import type pg from 'pg';

/** A campaign's row and what its chunks say, from one snapshot. */
interface LedgerRow {
  id: string;
  status: string;
  total: number;
  published: number;
  stored: number;
  deleted: boolean;
  paused: boolean;
  cancelled: boolean;
  chunks_total: number;
  chunks_published: number;
  chunks_stored: number;
  /** Runs, and is not all stored. */
  owes: boolean;
}

/** What was seen last of each campaign. */
export type Seen = Map<string, LedgerRow>;

/** What is committed, in one statement and so in one snapshot. */
export async function readLedger(client: pg.Client, ids: string[]): Promise<LedgerRow[]> {
  const { rows } = await client.query<LedgerRow>({
    name: 'ledger',
    text: `SELECT c.id, c.status, c.total, c.published, c.stored, c.deleted, c.paused_at IS NOT NULL AS paused,
                  c.cancelled_at IS NOT NULL AS cancelled, k.*,
                  NOT c.deleted AND c.cancelled_at IS NULL AND c.paused_at IS NULL AND c.stored < c.total AS owes
             FROM campaigns c CROSS JOIN LATERAL (
               SELECT sum(size)::int AS chunks_total,
                      coalesce(sum(size) FILTER (WHERE published_at IS NOT NULL), 0)::int AS chunks_published,
                      coalesce(sum(size) FILTER (WHERE stored_at IS NOT NULL), 0)::int AS chunks_stored
                 FROM campaign_chunks WHERE campaign_id = c.id) k
            WHERE c.id = ANY ($1) ORDER BY c.id`,
    values: [ids],
  });
  return rows;
}

/** R1, once more and in another language. */
function statusOf(row: LedgerRow): string {
  if (row.cancelled) return 'cancelado';
  if (row.stored === row.total) return 'enviado';
  if (row.paused) return 'pausado';
  if (row.stored > 0) return 'enviando';
  return row.published === row.total ? 'enfileirado' : 'pendente';
}

/** Throws the invariant that does not hold, with the row. Remembers the rows for the next time. */
export function assertInvariants(rows: LedgerRow[], seen: Seen): void {
  for (const row of rows) {
    const before = seen.get(row.id);
    const broken = [
      0 <= row.stored && row.stored <= row.published && row.published <= row.total
        ? ''
        : '0 <= stored <= published <= total',
      row.total === row.chunks_total ? '' : 'total is the sum of the chunks',
      row.published === row.chunks_published ? '' : 'published is the sum of the published chunks',
      row.stored === row.chunks_stored ? '' : 'stored is the sum of the stored chunks',
      row.status === statusOf(row) ? '' : `the status is ${statusOf(row)}`,
      before?.status === 'enviado' && row.status !== 'enviado' ? 'enviado is never taken back' : '',
      before?.status === 'cancelado' && row.status !== 'cancelado' ? 'cancelado is final' : '',
      row.stored >= (before?.stored ?? 0) ? '' : 'stored never goes back',
    ].filter((sentence) => sentence !== '');
    if (broken.length > 0) throw new Error(`does not hold: ${broken.join('; ')}: ${JSON.stringify(row)}`);
    seen.set(row.id, row);
  }
}
