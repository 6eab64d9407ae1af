import { Injectable } from '@nestjs/common';
import { Postgres } from '../../platform/stores/postgres.js';
import { rowsInIndexOrder } from '../../platform/stores/rows.js';
import { ZONE } from '../zone.js';
import type { Registered } from './issuer.js';

/** A debt that this process asks the bank about, with what the title is made of. */
export interface ClaimedDebt {
  seq: string;
  debt_id: string;
  name: string;
  government_id: string;
  cents: string;
  due_on: string;
  /** How often the bank was asked, this time included: a refusal is recorded only for the last one who asked. */
  epoch: number;
  version: number;
  agreement: number;
}

/** A cancelled debt that the bank was asked about. */
export interface ToWriteOff {
  seq: string;
  /** Cancelled seven days ago or longer: what the bank does not know by now it never got. */
  is_old: boolean;
}

/** While it lasts nobody else asks the bank about the debt. Longer than BANK_MS and what follows it. */
const LEASE = '5 minutes';
/** A title that the bank does not know, or a bank that is away, is asked about again after this. */
const WRITE_OFF_AGAIN = '1 minute';
const UNKNOWN_FOR = '7 days';

/** The statements by which boletos are issued and written off. */
@Injectable()
export class IssueRepository {
  constructor(private readonly postgres: Postgres) {}

  /** The living companies that owe boletos, and all that have titles to be written off, the longest known first. */
  async owing(): Promise<number[]> {
    // guard: EXISTS would read all debts where statistics are old, and this is asked every two seconds
    const rows = await rowsInIndexOrder<{ company_no: number }>(
      this.postgres,
      `SELECT company_no FROM billing_companies b
        WHERE coalesce(
                CASE WHEN NOT deleted THEN (
                  SELECT seq FROM billing_debts d
                   WHERE d.company_no = b.company_no AND issued_at IS NULL AND cancelled_at IS NULL AND paid_at IS NULL
                     AND failed_at IS NULL ORDER BY seq, line LIMIT 1) END,
                (SELECT seq FROM billing_debts d
                  WHERE d.company_no = b.company_no AND cancelled_at IS NOT NULL AND asked_at IS NOT NULL
                    AND written_off_at IS NULL ORDER BY seq, line LIMIT 1)) IS NOT NULL`,
    );
    return rows.map(({ company_no }) => company_no).sort((a, b) => a - b);
  }

  /**
   * Takes debts of a living company, the oldest first. Committed when it returns, so before the bank is asked (B8, B11).
   * The title is made by the settings of the moment at which the debt was first taken: with later ones a second worker
   * would ask for another title under the same number, and be refused one that the bank has.
   */
  claim(companyNo: number, howMany: number): Promise<ClaimedDebt[]> {
    return this.postgres.transaction(async (sql) => {
      // guard, FOR SHARE: who deletes the company or makes settings locks its row. So until this ends it lives, and the
      // settings of asked_at are those that are seen here
      const [living] = await sql.query(
        `SELECT FROM companies c JOIN billing_companies b ON b.company_id = c.id
          WHERE b.company_no = $1 AND NOT b.deleted AND NOT c.deleted FOR SHARE OF c`,
        [companyNo],
      );
      if (!living) return [];
      // current_date in billing_claim_issue is that of the session
      await sql.query(`SELECT set_config('TimeZone', $1, true)`, [ZONE]);
      return sql.query<ClaimedDebt>(
        `SELECT c.seq, c.debt_id, c.name, c.government_id, c.cents, c.due_on::text AS due_on, c.epoch,
                coalesce(s.version, 0) AS version, coalesce(s.agreement, 1) AS agreement
           FROM billing_claim_issue($1,
                  (SELECT issue_days_before FROM billing_settings WHERE company_no = $1 ORDER BY version DESC LIMIT 1),
                  $2, $3::interval) c
           LEFT JOIN LATERAL (SELECT version, agreement FROM billing_settings
                               WHERE company_no = $1 AND created_at <= c.asked_at ORDER BY version DESC LIMIT 1) s ON true
          ORDER BY c.seq`,
        [companyNo, howMany, LEASE],
      );
    });
  }

  /** Records what the bank has registered, once (B9). Returns how many were not recorded before. */
  async recordIssued(
    version: number,
    registered: readonly Extract<Registered, { barcode: string }>[],
  ): Promise<number> {
    const row = await this.postgres.one<{ recorded: number }>(
      'SELECT billing_record_issued($1, $2, $3, $4) AS recorded',
      [
        registered.map(({ ourNumber }) => String(ourNumber)),
        registered.map(({ barcode }) => barcode),
        registered.map(({ bankReference }) => bankReference),
        version,
      ],
    );
    return row?.recorded ?? 0;
  }

  /** Returns how many were recorded. */
  async recordRefused(refused: readonly { seq: string; epoch: number; code: string }[]): Promise<number> {
    // guard, epoch: another worker has asked since, and its answer is the newer one
    const rows = await this.postgres.query(
      `UPDATE billing_debts d
          SET failed_at = clock_timestamp(), failure = r.code, lease_until = NULL, updated_at = clock_timestamp()
         FROM unnest($1::bigint[], $2::int[], $3::text[]) AS r(seq, epoch, code)
        WHERE d.seq = r.seq AND d.epoch = r.epoch AND d.issued_at IS NULL AND d.failed_at IS NULL
        RETURNING d.seq`,
      [refused.map(({ seq }) => seq), refused.map(({ epoch }) => epoch), refused.map(({ code }) => code)],
    );
    return rows.length;
  }

  /**
   * Takes cancelled debts of which the bank may have a title, recorded or not (B11), those of a deleted company, too: nobody
   * shall pay by it. `next_at` is free for it: a cancelled debt is never issued any more.
   */
  claimWriteOff(companyNo: number, howMany: number): Promise<ToWriteOff[]> {
    return rowsInIndexOrder<ToWriteOff>(
      this.postgres,
      `UPDATE billing_debts d SET next_at = clock_timestamp() + $3::interval
         FROM (SELECT seq FROM billing_debts
                WHERE company_no = $1 AND cancelled_at IS NOT NULL AND asked_at IS NOT NULL AND written_off_at IS NULL
                  AND (next_at IS NULL OR next_at <= clock_timestamp())
                ORDER BY seq, line LIMIT $2 FOR UPDATE SKIP LOCKED) c
        WHERE d.seq = c.seq
        RETURNING d.seq, d.cancelled_at < clock_timestamp() - $4::interval AS is_old`,
      [companyNo, howMany, WRITE_OFF_AGAIN, UNKNOWN_FOR],
    );
  }

  /** The bank takes no payment for these any more. Returns how many were not recorded before. */
  async recordWrittenOff(seqs: readonly string[]): Promise<number> {
    const rows = await this.postgres.query(
      `UPDATE billing_debts SET written_off_at = clock_timestamp(), next_at = NULL, updated_at = clock_timestamp()
        WHERE seq = ANY ($1) AND written_off_at IS NULL RETURNING seq`,
      [seqs],
    );
    return rows.length;
  }
}
