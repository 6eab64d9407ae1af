import { Injectable } from '@nestjs/common';
import { Postgres } from '../../platform/stores/postgres.js';
import { requiredRow } from '../../platform/stores/rows.js';
import type { Payment } from './payment.js';

/** What became of a payment. `reused`: its event came before with other content, and nothing was changed. */
export type Paid = 'recorded' | 'repeated' | 'unmatched' | 'reused';
/** What became of a cancel. `paid`: nothing was changed. */
export type Cancelled = 'cancelled' | 'paid' | 'unknown';

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

  /** The debt of the company whose boleto has this bar code. The nosso número alone says neither whose it is nor how much. */
  async debtOfBoleto(companyNo: number, ourNumber: bigint, barcode: string): Promise<string | undefined> {
    const row = await this.postgres.one<{ debt_id: string }>(
      `SELECT d.debt_id FROM billing_debts d JOIN billing_invoices i USING (seq)
        WHERE d.company_no = $1 AND d.seq = $2 AND i.barcode = $3`,
      [companyNo, ourNumber, barcode],
    );
    return row?.debt_id;
  }

  /** Cancels a debt that is not paid, and drops its deliveries that have not begun. Again: nothing changes. */
  async cancel(companyNo: number, debtId: string): Promise<Cancelled> {
    const sql = 'SELECT billing_cancel($1, $2) AS outcome';
    return requiredRow(await this.postgres.one<{ outcome: Cancelled }>(sql, [companyNo, debtId])).outcome;
  }
}
