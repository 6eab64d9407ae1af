import { Injectable } from '@nestjs/common';
import { Postgres, type Sql, type Transaction } from '../platform/stores/postgres.js';

/** Every statement on billing_companies. */
@Injectable()
export class BillingCompaniesRepository {
  constructor(private readonly postgres: Postgres) {}

  /** The number of a company that has used billing; undefined: it has not, or is deleted. */
  async find(companyId: string, sql: Sql = this.postgres): Promise<number | undefined> {
    const row = await sql.one<{ company_no: number }>(
      'SELECT company_no FROM billing_companies WHERE company_id = $1 AND NOT deleted',
      [companyId],
    );
    return row?.company_no;
  }

  /**
   * The number of a living company, which gets one now if it had none. Until the transaction ends nobody deletes the company.
   * Undefined: the user is no member, or the company is deleted.
   */
  async ensure(sql: Transaction, companyId: string, userId: string): Promise<number | undefined> {
    // guard, FOR SHARE: a company that is just being deleted is waited for, and then has no row
    const [company] = await sql.query(
      `SELECT FROM companies c WHERE c.id = $1 AND NOT c.deleted
          AND EXISTS (SELECT FROM living_memberships m WHERE m.user_id = $2 AND m.company_id = c.id) FOR SHARE OF c`,
      [companyId, userId],
    );
    if (!company) return undefined;
    const known = await this.find(companyId, sql);
    if (known !== undefined) return known;
    await sql.query('INSERT INTO billing_companies (company_id) VALUES ($1) ON CONFLICT (company_id) DO NOTHING', [
      companyId,
    ]);
    return this.find(companyId, sql);
  }

  /** The living companies, the longest known first. */
  async living(): Promise<number[]> {
    const rows = await this.postgres.query<{ company_no: number }>(
      'SELECT company_no FROM billing_companies WHERE NOT deleted ORDER BY company_no',
    );
    return rows.map(({ company_no }) => company_no);
  }

  /** From the commit on nothing of the company is merged, issued or sent. */
  async delete(sql: Sql, companyId: string): Promise<void> {
    await sql.query('UPDATE billing_companies SET deleted = true WHERE company_id = $1', [companyId]);
  }
}
