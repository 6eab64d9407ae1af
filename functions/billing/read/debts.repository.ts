import { Injectable } from '@nestjs/common';
import { Postgres } from '../../platform/stores/postgres.js';
import { rowsInIndexOrder } from '../../platform/stores/rows.js';
import { ZONE } from '../zone.js';
import type { DebtDetail, DebtQuery, DebtView } from './debts.schemas.js';

/** A debt as the tables have it. */
export interface DebtRow {
  seq: string;
  debt_id: string;
  name: string;
  government_id: string;
  email: string;
  cents: string;
  /** `YYYY-MM-DD`. */
  due_on: string;
  status: DebtView['status'];
  overdue: boolean;
  import_id: string;
  line: number;
  issued_at: Date | null;
  sent_at: Date | null;
  paid_at: Date | null;
  paid_cents: string;
  cancelled_at: Date | null;
  hold: boolean;
  created_at: Date;
  updated_at: Date;
}

/** A debt with the rows that belong to it, as JSON: their times are texts. */
export interface DebtDetailRow extends DebtRow {
  invoice: Omit<NonNullable<DebtDetail['invoice']>, 'digitable_line'> | null;
  deliveries: DebtDetail['deliveries'];
  payments: Omit<DebtDetail['payments'][number], 'result'>[];
}

/** Which debts of a company; what is undefined filters nothing. */
export interface DebtFilter extends Omit<DebtQuery, 'company_id' | 'import_id'> {
  import_no: number | undefined;
}

/** A subselect, so that it is computed once a statement, and not once a row. */
export const TODAY = `(SELECT (now() AT TIME ZONE '${ZONE}')::date)`;
/** Whether a debt is overdue. */
export const OVERDUE = `(due_on < ${TODAY} AND paid_at IS NULL AND cancelled_at IS NULL)`;

/**
 * The columns of a DebtRow, of rows `d`. `hold` reads one row a debt, by the index of open deliveries. EXISTS would let the
 * planner read the deliveries of all companies into a hash.
 */
const ROW = `d.seq, d.debt_id, d.name, d.government_id, d.email, d.cents, to_char(d.due_on, 'YYYY-MM-DD') AS due_on, d.status,
  ${OVERDUE} AS overdue, (SELECT i.id FROM billing_imports i WHERE i.import_no = d.import_no) AS import_id, d.line,
  d.issued_at, d.sent_at, d.paid_at, d.paid_cents, d.cancelled_at,
  coalesce((SELECT v.held_at IS NOT NULL FROM billing_deliveries v WHERE v.seq = d.seq AND v.outcome IS NULL), false) AS hold,
  d.created_at, d.updated_at`;

/**
 * The deliveries of the debt whose seq is this expression, as JSON has them. A mail that was not sent has lost its times and perhaps
 * what was said of it, so its attempts are asked: who looks at one that waits sees that it was tried, and what came of it.
 */
export const deliveriesOf = (seq: string) => `SELECT v.number, v.status, v.attempt, v.message_date AS queued_at,
         coalesce(v.began_at, (SELECT max(a.began_at) FROM billing_attempts a WHERE (a.seq, a.number) = (v.seq, v.number))) AS began_at,
         v.outcome_at AS ended_at,
         coalesce(v.response, (SELECT a.response FROM billing_attempts a WHERE (a.seq, a.number) = (v.seq, v.number)
                                  AND a.response IS NOT NULL ORDER BY a.attempt DESC LIMIT 1)) AS response
    FROM billing_deliveries v WHERE v.seq = ${seq}`;

/**
 * Debts of company $1 after seq $2. A filter whose value is NULL is true for each row. The company is no equality, and stands in
 * the order: else PostgreSQL may walk the index of seq alone, past the debts of all other companies.
 */
const SLICE = `SELECT ${ROW} FROM (
    SELECT * FROM billing_debts
     WHERE (company_no, seq) > ($1, $2) AND company_no <= $1
       AND coalesce(status = $3, true) AND coalesce(import_no = $4, true)
       AND coalesce(due_on >= $5, true) AND coalesce(due_on <= $6, true)
       AND coalesce(${OVERDUE} = $7, true)
       AND coalesce(government_id = $8, true) AND coalesce(lower(email) = lower($9), true)
     ORDER BY company_no, seq LIMIT $10) d
   ORDER BY d.company_no, d.seq`;

/** The statements that read debts. */
@Injectable()
export class DebtsRepository {
  constructor(private readonly postgres: Postgres) {}

  /** The number of an import of this company. */
  async importNo(companyNo: number, importId: string): Promise<number | undefined> {
    const row = await this.postgres.one<{ import_no: number }>(
      'SELECT import_no FROM billing_imports WHERE id = $2 AND company_no = $1',
      [companyNo, importId],
    );
    return row?.import_no;
  }

  /** Debts by seq. */
  slice(companyNo: number, { after, limit, ...filter }: DebtFilter): Promise<DebtRow[]> {
    const values = [
      companyNo,
      after,
      filter.status,
      filter.import_no,
      filter.due_from,
      filter.due_to,
      filter.overdue,
      filter.government_id,
      filter.email,
      limit,
    ];
    return rowsInIndexOrder<DebtRow>(this.postgres, SLICE, values);
  }

  async find(companyNo: number, debtId: string): Promise<DebtRow | undefined> {
    return this.postgres.one(`SELECT ${ROW} FROM billing_debts d WHERE d.company_no = $1 AND d.debt_id = $2`, [
      companyNo,
      debtId,
    ]);
  }

  /** One statement, so that a debt and its payments are of one moment. */
  async detail(companyNo: number, debtId: string): Promise<DebtDetailRow | undefined> {
    return this.postgres.one(
      `SELECT ${ROW},
         (SELECT to_json(i) FROM (
           SELECT barcode, bank_reference, settings_version, registered_at FROM billing_invoices WHERE seq = d.seq) i) AS invoice,
         (SELECT coalesce(json_agg(v ORDER BY v.number), '[]') FROM (${deliveriesOf('d.seq')}) v) AS deliveries,
         (SELECT coalesce(json_agg(p ORDER BY p.received_at, p.event_id), '[]') FROM (
           SELECT event_id, cents AS paid_cents, method, paid_at, received_at
             FROM billing_payments WHERE seq = d.seq) p) AS payments
         FROM billing_debts d WHERE d.company_no = $1 AND d.debt_id = $2`,
      [companyNo, debtId],
    );
  }
}
