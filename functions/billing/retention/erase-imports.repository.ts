import { Injectable } from '@nestjs/common';
import { Postgres } from '../../platform/stores/postgres.js';
import { requiredRow } from '../../platform/stores/rows.js';
import { matchOf, type Wanted } from './wanted.js';

/** The place of a reject in its table. */
export type RejectPlace = [importNo: number, line: number];

/** What a run found beside the debts. */
export interface Traces {
  rejects: number;
  /** Payments that say who paid. */
  payers: number;
  fileNames: number;
  /** Lines of a deleted company that were never merged, as parts of files. */
  parts: number;
}

type Count = { count: number };

const REJECTS_A_PAGE = 5_000;
/** A reference that is no debtId and no bar code is any text, as it came. */
const IS_FREE_TEXT = `p.reference !~ '^([0-9]{44}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$'`;

/** The statements that erase who is named in what came in: rejects, payments, names of files, lines that were never merged. */
@Injectable()
export class EraseImportsRepository {
  constructor(private readonly postgres: Postgres) {}

  /** Rejects of old imports, a page of all rejects at a time. `last`: undefined at the end. */
  async rejects(
    days: number,
    [importNo, line]: RejectPlace,
    { drop }: { drop: boolean },
  ): Promise<{ last: RejectPlace | undefined; count: number }> {
    const old = `SELECT p.import_no, p.line FROM page p JOIN billing_imports i USING (import_no) WHERE ${isOld('i.created_at')}`;
    const dropped =
      'DELETE FROM billing_rejects r USING old WHERE (r.import_no, r.line) = (old.import_no, old.line) RETURNING 1';
    const found = await this.postgres.transaction(async (sql) => {
      await sql.query('SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off');
      return sql.one<Count & { import_no: number; line: number }>(
        `WITH page AS MATERIALIZED (SELECT import_no, line FROM billing_rejects WHERE (import_no, line) > ($2, $3)
                                     ORDER BY import_no, line LIMIT ${REJECTS_A_PAGE}),
         old AS MATERIALIZED (${old}), gone AS (${drop ? dropped : 'SELECT FROM old'})
         SELECT (SELECT count(*)::int FROM gone) AS count, (SELECT max(import_no) FROM page) AS import_no,
                (SELECT max(line) FROM page WHERE import_no = (SELECT max(import_no) FROM page)) AS line`,
        [days, importNo, line],
      );
    });
    const { count, import_no, line: lastLine } = requiredRow(found);
    return { last: import_no === null ? undefined : [import_no, lastLine], count };
  }

  /** What one person is named in; `erase`: it goes. */
  async tracesOf(wanted: Exclude<Wanted, { olderThanDays: number }>, erase: boolean): Promise<Traces> {
    const { value, holds, chunk } = matchOf(wanted);
    const reject = holds('r.value');
    return {
      rejects: await this.#count(erase, 'billing_rejects r', reject, value, 'DELETE FROM billing_rejects r'),
      payers:
        (await this.#payers(erase, holds('p.paid_by'), value)) +
        (await this.#references(erase, `p.seq IS NULL AND ${holds('p.reference')}`, value)),
      fileNames: await this.#fileNames(erase, holds('i.file_name'), value),
      parts: await this.#parts(erase, chunk, value),
    };
  }

  /** The same but the rejects, of what came in that many days ago. */
  async tracesBefore(days: number, erase: boolean): Promise<Omit<Traces, 'rejects'>> {
    const payment = `p.seq IS NULL AND ${isOld('p.received_at')}`;
    return {
      payers: (await this.#payers(erase, payment, days)) + (await this.#references(erase, payment, days)),
      fileNames: await this.#fileNames(erase, isOld('i.created_at'), days),
      parts: await this.#parts(erase, isOld('greatest(i.created_at, o.updated_at)'), days),
    };
  }

  /** Imports of living companies that have lines of this person, and are not merged. */
  async unmerged(wanted: Exclude<Wanted, { olderThanDays: number }>): Promise<number> {
    const { chunk, value } = matchOf(wanted);
    const { count } = requiredRow(
      await this.postgres.one<Count>(
        `SELECT count(DISTINCT c.import_no)::int AS count
           FROM billing_import_chunks c JOIN billing_imports i USING (import_no) JOIN billing_companies b USING (company_no)
          WHERE c.merged_at IS NULL AND NOT b.deleted AND ${chunk}`,
        [value],
      ),
    );
    return count;
  }

  /** No payment is changed after it was received: these locks keep nobody waiting. */
  #payers(erase: boolean, where: string, value: unknown): Promise<number> {
    const condition = `p.paid_by IS NOT NULL AND ${where}`;
    return this.#count(erase, 'billing_payments p', condition, value, 'UPDATE billing_payments p SET paid_by = NULL');
  }

  #references(erase: boolean, where: string, value: unknown): Promise<number> {
    const condition = `p.reference IS NOT NULL AND ${IS_FREE_TEXT} AND ${where}`;
    return this.#count(erase, 'billing_payments p', condition, value, 'UPDATE billing_payments p SET reference = NULL');
  }

  #fileNames(erase: boolean, where: string, value: unknown): Promise<number> {
    const condition = `i.file_name IS NOT NULL AND ${where}`;
    return this.#count(erase, 'billing_imports i', condition, value, 'UPDATE billing_imports i SET file_name = NULL');
  }

  /** guard, FOR UPDATE: a chunk that is just being merged, while its company is deleted, is waited for. */
  #parts(erase: boolean, where: string, value: unknown): Promise<number> {
    const from = `billing_import_chunks c JOIN billing_imports i USING (import_no) JOIN billing_companies b USING (company_no)
      JOIN companies o ON o.id = b.company_id`;
    const condition = `c.merged_at IS NULL AND c.names IS NOT NULL AND b.deleted AND ${where}`;
    const update = `WITH wanted AS MATERIALIZED (SELECT c.import_no, c.first_line FROM ${from} WHERE ${condition} FOR UPDATE OF i, c)
      UPDATE billing_import_chunks c SET names = NULL, government_ids = NULL, emails = NULL FROM wanted w`;
    const same = '(c.import_no, c.first_line) = (w.import_no, w.first_line) AND c.merged_at IS NULL';
    return erase
      ? this.#rows(`${update} WHERE ${same} RETURNING 1`, value)
      : this.#count(false, from, condition, value, '');
  }

  async #count(erase: boolean, from: string, where: string, value: unknown, change: string): Promise<number> {
    if (erase) return this.#rows(`${change} WHERE ${where} RETURNING 1`, value);
    const row = await this.postgres.one<Count>(`SELECT count(*)::int AS count FROM ${from} WHERE ${where}`, [value]);
    return requiredRow(row).count;
  }

  /** How many rows a statement changed. It counts them itself: a million of them are not brought here. */
  async #rows(statement: string, value: unknown): Promise<number> {
    const row = await this.postgres.one<Count>(
      `WITH changed AS (${statement}) SELECT count(*)::int AS count FROM changed`,
      [value],
    );
    return requiredRow(row).count;
  }
}

function isOld(time: string): string {
  return `${time} < clock_timestamp() - make_interval(days => $1)`;
}
