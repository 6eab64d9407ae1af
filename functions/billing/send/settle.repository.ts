import { Injectable } from '@nestjs/common';
import type { Sql, Transaction } from '../../platform/stores/postgres.js';
import { requiredRow } from '../../platform/stores/rows.js';
import { deliveriesOf } from '../read/debts.repository.js';
import type { DebtView, DeliveryView } from '../read/debts.schemas.js';

/** A debt whose row is locked. */
export interface LockedDebt {
  /** A bigint. */
  seq: string;
  status: DebtView['status'];
  is_issued: boolean;
}

/** The statements by which a person asks for a mail, or says what became of one. */
@Injectable()
export class SettleRepository {
  /** guard: a debt is locked before its deliveries, here as everywhere, so that nothing of it changes until the transaction ends. */
  lockDebt(sql: Transaction, companyNo: number, debtId: string): Promise<LockedDebt | undefined> {
    return sql.one<LockedDebt>(
      `SELECT seq, status, issued_at IS NOT NULL AS is_issued FROM billing_debts
        WHERE company_no = $1 AND debt_id = $2 FOR UPDATE`,
      [companyNo, debtId],
    );
  }

  /**
   * Adds a mail to a debt that is locked, and takes its failure away. Returns the number of the mail; undefined: another one is
   * open, and nothing has changed.
   */
  async add(sql: Transaction, seq: string): Promise<number | undefined> {
    // guard: the index of open deliveries decides, and not what was read before
    const added = await sql.one<{ number: number }>(
      `INSERT INTO billing_deliveries (seq, number, company_no)
       SELECT d.seq, coalesce((SELECT max(number) FROM billing_deliveries WHERE seq = d.seq), 0) + 1, d.company_no
         FROM billing_debts d WHERE d.seq = $1
       ON CONFLICT (seq) WHERE outcome IS NULL DO NOTHING RETURNING number`,
      [seq],
    );
    if (added)
      await sql.query(
        'UPDATE billing_debts SET failed_at = NULL, failure = NULL, updated_at = clock_timestamp() WHERE seq = $1',
        [seq],
      );
    return added?.number;
  }

  async find(sql: Sql, seq: string, number: number): Promise<DeliveryView | undefined> {
    const row = await sql.one<{ delivery: DeliveryView }>(
      `SELECT to_json(v) AS delivery FROM (${deliveriesOf('$1::bigint')} AND v.number = $2) v`,
      [seq, number],
    );
    return row?.delivery;
  }

  /** From when on a person may say that it was not sent (B12). */
  async saidFrom(sql: Sql, seq: string, number: number): Promise<Date> {
    const statement = `SELECT began_at + interval '10 minutes' AS said_from FROM billing_deliveries WHERE (seq, number) = ($1, $2)`;
    return requiredRow(await sql.one<{ said_from: Date }>(statement, [seq, number])).said_from;
  }

  /** Whether it was taken: not where it is not held, or is said not to be sent before its ten minutes are over. */
  async resolve(
    sql: Transaction,
    seq: string,
    number: number,
    said: { sent: boolean; by: string; note: string },
  ): Promise<boolean> {
    const row = await sql.one<{ taken: boolean }>('SELECT billing_resolve($1, $2, $3, $4, $5) AS taken', [
      seq,
      number,
      said.sent,
      said.by,
      said.note,
    ]);
    const { taken } = requiredRow(row);
    // The note may name a person, and the debt may be erased already: what has changed since is erased by its new age.
    if (taken) await sql.query('UPDATE billing_debts SET updated_at = clock_timestamp() WHERE seq = $1', [seq]);
    return taken;
  }
}
