import { Injectable } from '@nestjs/common';
import { Postgres } from '../../platform/stores/postgres.js';
import { requiredRow } from '../../platform/stores/rows.js';
import { ZONE } from '../zone.js';
import { OVERDUE } from './debts.repository.js';
import { DEBT_STATUSES, type DebtView } from './debts.schemas.js';

/** Which debts are counted; what is undefined filters nothing. Dates are inclusive, `YYYY-MM-DD`. */
export interface ReportFilter {
  import_no: number | undefined;
  from: string | undefined;
  to: string | undefined;
}

/** Counts and sums, as PostgreSQL writes numbers that may be large. */
export type ReportRow = Record<
  | 'imported'
  | 'generated'
  | 'sent'
  | 'failed'
  | 'held'
  | 'paid'
  | 'cancelled'
  | 'overdue'
  | 'imported_cents'
  | 'sent_cents'
  | 'paid_cents'
  | 'cancelled_cents'
  | 'overdue_cents'
  | 'unmatched'
  | 'unmatched_cents'
  | DebtView['status'],
  string
>;

const BY_STATUS = DEBT_STATUSES.map((status) => `count(*) FILTER (WHERE status = '${status}') AS ${status}`).join(', ');

/** $3 and $4: from and to, days of America/Sao_Paulo. As in DebtsRepository.slice a NULL filters nothing. */
const within = (time: string) => `coalesce(${time} >= $3::date::timestamp AT TIME ZONE '${ZONE}', true)
  AND coalesce(${time} < ($4::date + 1)::timestamp AT TIME ZONE '${ZONE}', true)`;
/** The debts `d` that count. */
const COUNTED = `d.company_no = $1 AND coalesce(d.import_no = $2, true) AND ${within('d.created_at')}`;

/** The statement of the report. */
@Injectable()
export class ReportRepository {
  constructor(private readonly postgres: Postgres) {}

  /** One statement, so that all is of one moment, and its numbers add up. */
  async count(companyNo: number, { import_no, from, to }: ReportFilter): Promise<ReportRow> {
    return requiredRow(
      await this.postgres.one<ReportRow>(
        `SELECT * FROM (
           SELECT count(*) AS imported, count(issued_at) AS generated, count(sent_at) AS sent, count(failed_at) AS failed,
                  count(paid_at) AS paid, count(cancelled_at) AS cancelled, count(*) FILTER (WHERE ${OVERDUE}) AS overdue,
                  coalesce(sum(cents), 0) AS imported_cents,
                  coalesce(sum(cents) FILTER (WHERE sent_at IS NOT NULL), 0) AS sent_cents,
                  coalesce(sum(d.paid_cents), 0) AS paid_cents,
                  coalesce(sum(cents) FILTER (WHERE cancelled_at IS NOT NULL), 0) AS cancelled_cents,
                  coalesce(sum(cents) FILTER (WHERE ${OVERDUE}), 0) AS overdue_cents, ${BY_STATUS}
             FROM billing_debts d WHERE ${COUNTED}) debts,
          (SELECT count(*) AS held FROM billing_deliveries v JOIN billing_debts d ON d.seq = v.seq
            WHERE v.company_no = $1 AND v.outcome IS NULL AND v.held_at IS NOT NULL AND ${COUNTED}) mails,
          (SELECT count(*) AS unmatched, coalesce(sum(p.cents), 0) AS unmatched_cents FROM billing_payments p
            WHERE p.company_no = $1 AND p.seq IS NULL AND ${within('p.received_at')}) payments`,
        [companyNo, import_no, from, to],
      ),
    );
  }
}
