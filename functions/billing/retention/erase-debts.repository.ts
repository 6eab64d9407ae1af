import { Injectable } from '@nestjs/common';
import { Postgres, type Sql, type Transaction } from '../../platform/stores/postgres.js';
import { requiredRow } from '../../platform/stores/rows.js';
import { matchOf, type Wanted } from './wanted.js';

/** What a run found in the debts after one seq. */
export interface DebtPage {
  /** The seq of its last debt; undefined: there are no more. */
  last: string | undefined;
  /** Debts whose person is erased, or would be. */
  erased: number;
  /** Debts of one person that are owed: neither paid nor cancelled. */
  owed: number;
  /** Debts of which a mail is on its way, or that somebody else holds. */
  busy: number;
}

interface Found {
  seq: string;
  is_over: boolean;
}

const DEBTS_A_PAGE = 10_000;
/** By the index of seq, which is the order of the rows: one pass over the table, whatever the statistics say. */
const ONE_PASS = 'SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off; SET LOCAL enable_seqscan = off';
const DEBTS = 'billing_debts d JOIN billing_companies b USING (company_no) JOIN companies o ON o.id = b.company_id';
/** Paid, cancelled, or of a company that is deleted: nobody bills it, and nobody pays it, any more. */
const IS_OVER = '(d.paid_at IS NOT NULL OR d.cancelled_at IS NOT NULL OR b.deleted)';
/** Changed after it was erased: by a payment that came late, with who paid. */
const IS_WHOLE = '(d.erased_at IS NULL OR d.erased_at < d.updated_at)';
/** What a deleted company is still owed is as old as its deletion at most: that may have been a mistake. */
const UNCHANGED_SINCE =
  'greatest(d.updated_at, CASE WHEN d.paid_at IS NULL AND d.cancelled_at IS NULL THEN o.updated_at END)';
/**
 * guard: who sends it may still write down what the server said, and that may quote the address. A worker that is still there
 * does so within minutes; an older one is held for a person, for ever perhaps, and nothing is sent by it.
 */
const IS_UNDER_WAY = `ended_at IS NULL AND began_at > clock_timestamp() - interval '1 hour'`;

/** The statements that erase who owes. Lock order: debt, delivery, payment. */
@Injectable()
export class EraseDebtsRepository {
  constructor(private readonly postgres: Postgres) {}

  /** Looks at the debts after one, and changes nothing. */
  count(wanted: Wanted, after: string): Promise<DebtPage> {
    return this.#page(wanted, after, async (sql, found) => found.length - (await underWay(sql, found)).size);
  }

  /** Erases what is wanted of the debts after one, in a transaction. */
  erase(wanted: Wanted, after: string): Promise<DebtPage> {
    return this.#page(wanted, after, async (sql, found) => {
      const locked = await this.#lock(sql, wanted, found);
      const busy = await underWay(sql, locked);
      const seqs = locked.filter((seq) => !busy.has(seq));
      if (seqs.length > 0) await eraseAll(sql, seqs);
      return seqs.length;
    });
  }

  #page(wanted: Wanted, after: string, take: (sql: Transaction, over: string[]) => Promise<number>): Promise<DebtPage> {
    return this.postgres.transaction(async (sql) => {
      await sql.query(ONE_PASS);
      const { last } = requiredRow(
        await sql.one<{ last: string | null }>(
          `SELECT max(seq) AS last FROM (SELECT seq FROM billing_debts WHERE seq > $1 ORDER BY seq LIMIT ${DEBTS_A_PAGE}) page`,
          [after],
        ),
      );
      if (last === null) return { last: undefined, erased: 0, owed: 0, busy: 0 };
      const { where, value } = whereOf(wanted);
      const found = await sql.query<Found>(
        `SELECT d.seq, ${IS_OVER} AS is_over FROM ${DEBTS} WHERE d.seq > $2 AND d.seq <= $3 AND ${where} ORDER BY d.seq`,
        [value, after, last],
      );
      const over = found.filter(({ is_over }) => is_over).map(({ seq }) => seq);
      const erased = over.length === 0 ? 0 : await take(sql, over);
      return { last, erased, owed: found.length - over.length, busy: over.length - erased };
    });
  }

  /** guard: looks again once they are locked, since one may be paid, or be taken up, meanwhile. Waits for nobody. */
  async #lock(sql: Sql, wanted: Wanted, seqs: string[]): Promise<string[]> {
    const { where, value } = whereOf(wanted);
    const rows = await sql.query<{ seq: string }>(
      `SELECT d.seq FROM ${DEBTS} WHERE d.seq = ANY ($2) AND d.seq >= $3 AND d.seq <= $4 AND ${where} AND ${IS_OVER}
        ORDER BY d.seq FOR UPDATE OF d SKIP LOCKED`,
      [value, seqs, ...bounds(seqs)],
    );
    return rows.map(({ seq }) => seq);
  }
}

function whereOf(wanted: Wanted): { where: string; value: unknown } {
  if (!('olderThanDays' in wanted)) {
    const { debt, value } = matchOf(wanted);
    return { where: debt, value };
  }
  const isOld = `${UNCHANGED_SINCE} < clock_timestamp() - make_interval(days => $1)`;
  return { where: `${IS_WHOLE} AND ${IS_OVER} AND ${isOld}`, value: wanted.olderThanDays };
}

/** Those of which a mail is on its way. guard: another statement than the one that locks, so it sees what began before that. */
async function underWay(sql: Sql, seqs: string[]): Promise<Set<string>> {
  if (seqs.length === 0) return new Set();
  const rows = await sql.query<{ seq: string }>(
    `SELECT DISTINCT seq FROM billing_attempts WHERE seq = ANY ($1) AND seq >= $2 AND seq <= $3 AND ${IS_UNDER_WAY}`,
    [seqs, ...bounds(seqs)],
  );
  return new Set(rows.map(({ seq }) => seq));
}

/**
 * Empties all that may name who owes, or who paid. Money, dates, states and `updated_at` stay. The seqs are also given by their
 * bounds, so that their rows are read by their keys, a page at a time.
 */
async function eraseAll(sql: Sql, seqs: string[]): Promise<void> {
  const values = [seqs, ...bounds(seqs)];
  const of = 'seq = ANY ($1) AND seq >= $2 AND seq <= $3';
  await sql.query(
    `UPDATE billing_debts SET name = '', government_id = '', email = '', failure = NULL, erased_at = clock_timestamp() WHERE ${of}`,
    values,
  );
  await sql.query(
    `UPDATE billing_deliveries SET response = NULL, note = NULL
      WHERE ${of} AND (response IS NOT NULL OR note IS NOT NULL)`,
    values,
  );
  await sql.query(`UPDATE billing_attempts SET response = NULL WHERE ${of} AND response IS NOT NULL`, values);
  await sql.query(`UPDATE billing_payments SET paid_by = NULL WHERE ${of} AND paid_by IS NOT NULL`, values);
}

/** The first and the last of seqs in their order. */
function bounds(seqs: string[]): [string | undefined, string | undefined] {
  return [seqs[0], seqs.at(-1)];
}
