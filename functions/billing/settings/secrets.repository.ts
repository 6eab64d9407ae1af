import { Injectable } from '@nestjs/common';
import { Postgres, type Transaction } from '../../platform/stores/postgres.js';
import { requiredRow } from '../../platform/stores/rows.js';

/** The most that live at once, since each request of a webhook is verified by all of them. More than anybody makes in 24 hours. */
const MOST = 100;

/** The secrets of a company that live. */
export interface LivingSecrets {
  companyNo: number;
  secrets: readonly string[];
}

/** Every statement on the secrets that sign payments. */
@Injectable()
export class SecretsRepository {
  constructor(private readonly postgres: Postgres) {}

  /** Undefined: there is no such company in billing, it is deleted, or none of its secrets lives. */
  async living(companyId: string): Promise<LivingSecrets | undefined> {
    const rows = await this.postgres.query<{ company_no: number; secret: string }>(
      `SELECT b.company_no, s.secret FROM billing_companies b JOIN billing_webhook_secrets s USING (company_no)
        WHERE b.company_id = $1 AND NOT b.deleted AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())`,
      [companyId],
    );
    const [first] = rows;
    return first && { companyNo: first.company_no, secrets: rows.map(({ secret }) => secret) };
  }

  /** Adds a secret. The one before lives for 24 hours more, as do earlier ones; of more than a hundred the oldest go at once. */
  async add(sql: Transaction, companyNo: number, secret: string): Promise<Date> {
    await sql.query(
      `UPDATE billing_webhook_secrets SET expires_at = clock_timestamp() + interval '24 hours'
        WHERE company_no = $1 AND expires_at IS NULL`,
      [companyNo],
    );
    const made = await sql.one<{ created_at: Date }>(
      'INSERT INTO billing_webhook_secrets (company_no, secret) VALUES ($1, $2) RETURNING created_at',
      [companyNo, secret],
    );
    await sql.query(
      `DELETE FROM billing_webhook_secrets
        WHERE company_no = $1 AND (expires_at <= clock_timestamp() OR secret NOT IN (
          SELECT secret FROM billing_webhook_secrets WHERE company_no = $1 ORDER BY created_at DESC LIMIT $2))`,
      [companyNo, MOST],
    );
    return requiredRow(made).created_at;
  }
}
