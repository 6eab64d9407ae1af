import { Injectable } from '@nestjs/common';
import { Postgres } from '../../platform/stores/postgres.js';
import { requiredRow } from '../../platform/stores/rows.js';

/** What became of a cancel. `paid`: nothing was changed. */
export type Cancelled = 'cancelled' | 'paid' | 'unknown';

/** Every statement that closes a debt: a payment, and a cancel. */
@Injectable()
export class ClosingRepository {
  constructor(private readonly postgres: Postgres) {}

  /** Cancels a debt that is not paid, and drops its deliveries that have not begun. Again: nothing changes. */
  async cancel(companyNo: number, debtId: string): Promise<Cancelled> {
    const sql = 'SELECT billing_cancel($1, $2) AS outcome';
    return requiredRow(await this.postgres.one<{ outcome: Cancelled }>(sql, [companyNo, debtId])).outcome;
  }
}
