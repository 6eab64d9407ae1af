import { Injectable } from '@nestjs/common';
import { Postgres } from '../../platform/stores/postgres.js';
import { requiredRow } from '../../platform/stores/rows.js';
import type { Payment } from './payment.js';

/** What became of a payment. `reused`: its event came before with other content, and nothing was changed. */
export type Paid = 'recorded' | 'repeated' | 'unmatched' | 'reused';
/** What became of a cancel. `paid`: nothing was changed. */
export type Cancelled = 'cancelled' | 'paid' | 'unknown';

/** What the bank was asked for. */
export interface AskedTitle {
  debt_id: string;
  /** null: the bank's answer is not recorded. */
  barcode: string | null;
  /** A bigint. */
  cents: string;
  /** YYYY-MM-DD */
  due_on: string;
  /** Of the settings by which the bank was asked. */
  agreement: number;
}

/** Every statement that closes a debt: a payment, and a cancel. */
@Injectable()
export class ClosingRepository {
  constructor(private readonly postgres: Postgres) {}

  /**
   * Records a payment by its event, once; its deliveries that have not begun are dropped when the debt is paid. One that fits
   * no debt keeps what it named.
   */
  pay(companyNo: number, debtId: string | undefined, payment: Payment, content: Buffer): Promise<Paid> {
    const { eventId, reference, cents, paidAt, method, paidBy } = payment;
    return this.postgres.transaction(async (sql) => {
      const row = await sql.one<{ outcome: Paid }>('SELECT billing_pay($1, $2, $3, $4, $5, $6, $7, $8) AS outcome', [
        companyNo,
        eventId,
        debtId ?? null,
        content,
        cents,
        paidAt,
        method,
        paidBy,
      ]);
      const { outcome } = requiredRow(row);
      if (outcome === 'unmatched')
        await sql.query('UPDATE billing_payments SET reference = $3 WHERE company_no = $1 AND event_id = $2', [
          companyNo,
          eventId,
          reference.value,
        ]);
      return outcome;
    });
  }

  /**
   * The debt of the company that the bank was asked about under this number. The bank may have its title though its answer is
   * not recorded, or never will be, as the debt was cancelled meanwhile (B11).
   */
  title(companyNo: number, ourNumber: bigint): Promise<AskedTitle | undefined> {
    return this.postgres.one<AskedTitle>(
      `SELECT d.debt_id, i.barcode, d.cents, d.due_on::text AS due_on, coalesce(s.agreement, 1) AS agreement
         FROM billing_debts d LEFT JOIN billing_invoices i USING (seq)
         LEFT JOIN LATERAL (SELECT agreement FROM billing_settings
                             WHERE company_no = $1 AND created_at <= d.asked_at ORDER BY version DESC LIMIT 1) s ON true
        WHERE d.company_no = $1 AND d.seq = $2 AND d.asked_at IS NOT NULL`,
      [companyNo, ourNumber],
    );
  }

  /** Cancels a debt that is not paid, and drops its deliveries that have not begun. Again: nothing changes. */
  async cancel(companyNo: number, debtId: string): Promise<Cancelled> {
    const sql = 'SELECT billing_cancel($1, $2) AS outcome';
    return requiredRow(await this.postgres.one<{ outcome: Cancelled }>(sql, [companyNo, debtId])).outcome;
  }
}
