import { Injectable } from '@nestjs/common';
import { Postgres, type Sql, type Transaction } from '../../platform/stores/postgres.js';
import { requiredRow } from '../../platform/stores/rows.js';

/** How a company bills. Versions count from 1; 0 are the defaults. */
export interface BillingSettings {
  version: number;
  /** Who is paid, as printed. */
  beneficiary: string;
  city: string;
  pix_key: string;
  /** The beneficiary's number at the bank, 1 to 999999. */
  agreement: number;
  sender_name: string;
  /** What becomes of a mail of which nobody knows whether it was sent. */
  unknown: 'hold' | 'resend';
  /** strict: a document with wrong check digits is a reject. */
  documents: 'lenient' | 'strict';
  /** null: boletos are issued at once. */
  issue_days_before: number | null;
}

/** Of the tables companies, `c`, and billing_settings, `s`, which may have no row: then these are the defaults. */
export const SETTINGS_COLUMNS = `coalesce(s.version, 0) AS version, coalesce(s.beneficiary, 'EMPRESA FICTICIA') AS beneficiary,
  coalesce(s.city, 'SAO PAULO') AS city, coalesce(s.pix_key, c.document) AS pix_key, coalesce(s.agreement, 1) AS agreement,
  coalesce(s.sender_name, c.name) AS sender_name, coalesce(s.unknown, 'hold') AS unknown,
  coalesce(s.documents, 'lenient') AS documents, s.issue_days_before`;

/** Every statement on the settings of companies. */
@Injectable()
export class SettingsRepository {
  constructor(private readonly postgres: Postgres) {}

  /** The current settings of a company that there is; the defaults where it has set none. */
  async current(companyId: string, sql: Sql = this.postgres): Promise<BillingSettings> {
    return requiredRow(
      await sql.one<BillingSettings>(
        `SELECT ${SETTINGS_COLUMNS} FROM companies c
           LEFT JOIN billing_companies b ON b.company_id = c.id
           LEFT JOIN LATERAL (SELECT * FROM billing_settings WHERE company_no = b.company_no ORDER BY version DESC LIMIT 1) s ON true
          WHERE c.id = $1`,
        [companyId],
      ),
    );
  }

  /** The settings of this version, by the number of the company in billing. */
  async version(companyNo: number, version: number): Promise<BillingSettings> {
    return requiredRow(
      await this.postgres.one<BillingSettings>(
        `SELECT ${SETTINGS_COLUMNS} FROM billing_companies b JOIN companies c ON c.id = b.company_id
           LEFT JOIN billing_settings s ON s.company_no = b.company_no AND s.version = $2
          WHERE b.company_no = $1`,
        [companyNo, version],
      ),
    );
  }

  /** Adds a version. The company is locked by now, so that no other one gets the same number. */
  async append(sql: Transaction, companyNo: number, userId: string, settings: BillingSettings): Promise<void> {
    const { version, beneficiary, city, pix_key, agreement, sender_name } = settings;
    const { unknown, documents, issue_days_before } = settings;
    await sql.query(
      `INSERT INTO billing_settings (company_no, version, user_id, beneficiary, city, pix_key, agreement, sender_name,
              unknown, documents, issue_days_before)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      [
        companyNo,
        version,
        userId,
        beneficiary,
        city,
        pix_key,
        agreement,
        sender_name,
        unknown,
        documents,
        issue_days_before,
      ],
    );
  }
}
