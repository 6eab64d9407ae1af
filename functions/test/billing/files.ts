import type { Sql } from '../../platform/stores/postgres.js';
import type { DebtNow, ImportNow } from './invariants.js';

/** A line of a file. All but its amount is alike in all contents. */
export interface Line {
  line: number;
  debtId: string;
  cents: number;
}

/** Valid lines as an accepted file has them, chunk by chunk. `company`: its number. */
export interface File {
  company: number;
  chunks: Line[][];
}

/**
 * Stores a file as accepting it does: the chunks first, and the import's own row last. Within a transaction. `label` tells it
 * from the other files. Returns the import's number.
 */
export async function storeFile(sql: Sql, { company, chunks }: File, label: string): Promise<number> {
  const drawn = await sql.one<{ no: string }>(
    `SELECT nextval(pg_get_serial_sequence('billing_imports', 'import_no')) AS no`,
  );
  const importNo = Number(drawn?.no);
  const lines = chunks.flatMap((chunk, index) => chunk.map((line) => ({ ...line, index })));
  await sql.query(
    `INSERT INTO billing_import_chunks
       (import_no, first_line, rows, line_nos, names, government_ids, emails, cents, dues, debt_ids)
     SELECT $1::int, min(line), count(*), array_agg(line), array_agg('Fulana'::text), array_agg('0123'::text),
            array_agg('a@x.com'::text), array_agg(cents), array_agg('2026-12-31'::date), array_agg(id)
       FROM unnest($2::int[], $3::int[], $4::uuid[], $5::bigint[]) AS s (chunk, line, id, cents) GROUP BY chunk`,
    [
      importNo,
      lines.map(({ index }) => index),
      lines.map(({ line }) => line),
      lines.map(({ debtId }) => debtId),
      lines.map(({ cents }) => cents),
    ],
  );
  await sql.query(
    `INSERT INTO billing_imports (import_no, id, company_no, user_id, bytes, sha256, lines, blank, accepted, rejected)
     VALUES ($1::int, $1::int::text, $2, $4, 1, 'a', $3, 0, $3, 0)`,
    [importNo, company, lines.length, label],
  );
  return importNo;
}

/** Throws unless a merged import counts what a model of our own counts, by whose line became the debt. */
export function checkImport(found: ImportNow, { company, chunks }: File, debts: readonly DebtNow[]): void {
  const own = debts.filter((each) => each.company_no === company);
  const byId = new Map(own.map((each) => [each.debt_id, each]));
  const outcomes = chunks.flat().map(({ line, debtId, cents }) => {
    const debt = byId.get(debtId);
    const isOwn = debt?.import_no === found.import_no && debt.line === line;
    // Merged before it was erased, or after.
    if (debt?.erased && debt.cents !== cents && !isOwn)
      return { line, outcome: found.conflicts.includes(line) ? 'conflicting' : 'repeated' };
    if (debt?.cents !== cents) return { line, outcome: isOwn ? 'changed' : 'conflicting' };
    return { line, outcome: isOwn ? 'created' : 'repeated' };
  });
  const of = (outcome: string) => outcomes.filter((each) => each.outcome === outcome).map(({ line }) => line);
  const { created, repeated, conflicting, conflicts } = found;
  const model = [
    of('created').length,
    of('repeated').length,
    of('conflicting').length,
    of('conflicting'),
    of('changed'),
  ];
  const counted = [created, repeated, conflicting, conflicts, []];
  if (JSON.stringify(model) !== JSON.stringify(counted))
    throw new Error(`its lines came to something else: ${JSON.stringify([model, counted])}`);
}
