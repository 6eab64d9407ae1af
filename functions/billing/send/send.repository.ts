import { Injectable } from '@nestjs/common';
import { Postgres, type Transaction } from '../../platform/stores/postgres.js';
import { requiredRow, rowsInIndexOrder } from '../../platform/stores/rows.js';
import type { IssuedDebt } from '../issue/document/boleto-view.js';
import { type BillingSettings, SETTINGS_COLUMNS } from '../settings/settings.repository.js';
import { ZONE } from '../zone.js';
import type { Verdict } from './verdict.js';

/** An attempt to send one mail. Who begins it and who records it says all three, so that nobody speaks for another one (B3). */
export interface Attempt {
  /** Of the debt. */
  seq: string;
  /** Of the debt's mails, from 1. */
  number: number;
  attempt: number;
}

/** A mail that this process may begin, with what it is made of: the settings are those by which its boleto was made. */
export interface ClaimedMail
  extends Attempt,
    IssuedDebt,
    Pick<BillingSettings, 'beneficiary' | 'city' | 'pix_key' | 'agreement' | 'sender_name'> {
  company_no: number;
  /** The same over all attempts. */
  message_date: Date;
  email: string;
  /** How many of its earlier attempts had a response. */
  answered: number;
  /** One of them may have been sent. */
  was_unknown: boolean;
  /** What the company wants now of a mail that may have been sent. */
  unknown_now: BillingSettings['unknown'];
}

/** While it lasts nobody else claims the mail. It frees only what has not begun (B2). */
const LEASE = '5 minutes';

const READ = `
  SELECT v.seq, v.number, v.attempt, v.company_no, v.message_date,
         (SELECT count(*)::int FROM billing_attempts a
           WHERE a.seq = v.seq AND a.number = v.number AND a.response IS NOT NULL) AS answered,
         EXISTS (SELECT FROM billing_attempts a
                  WHERE a.seq = v.seq AND a.number = v.number AND a.response LIKE 'unknown: %') AS was_unknown,
         coalesce((SELECT unknown FROM billing_settings
                    WHERE company_no = v.company_no ORDER BY version DESC LIMIT 1), 'hold') AS unknown_now,
         d.debt_id, d.name, d.government_id, d.email, d.cents, d.due_on::text AS due_on, i.barcode,
         (i.registered_at AT TIME ZONE '${ZONE}')::date::text AS issued_on, c.document, ${SETTINGS_COLUMNS}
    FROM billing_deliveries v
    JOIN billing_debts d ON d.seq = v.seq
    JOIN billing_invoices i ON i.seq = v.seq
    JOIN billing_companies b ON b.company_no = v.company_no
    JOIN companies c ON c.id = b.company_id
    LEFT JOIN billing_settings s ON s.company_no = v.company_no AND s.version = i.settings_version
   WHERE v.seq = ANY ($1) AND v.outcome IS NULL
   ORDER BY v.seq`;

/** The statements by which mails are claimed, begun and recorded. */
@Injectable()
export class SendRepository {
  constructor(private readonly postgres: Postgres) {}

  /** The living companies that have mails to send, now or later, the longest known first. */
  async owing(): Promise<number[]> {
    // guard: EXISTS would read all deliveries where statistics are old. Bounds and not "=": as in billing_claim_send
    const rows = await rowsInIndexOrder<{ company_no: number }>(
      this.postgres,
      `SELECT company_no FROM billing_companies b
        WHERE NOT deleted
          AND (SELECT seq FROM billing_deliveries d
                WHERE d.company_no >= b.company_no AND d.company_no <= b.company_no AND outcome IS NULL AND began_at IS NULL
                ORDER BY d.company_no, d.seq LIMIT 1) IS NOT NULL`,
    );
    return rows.map(({ company_no }) => company_no).sort((a, b) => a - b);
  }

  /** Whether a mail of the company may be claimed now. */
  async isDue(companyNo: number): Promise<boolean> {
    const rows = await rowsInIndexOrder(
      this.postgres,
      `SELECT seq FROM billing_deliveries
        WHERE company_no >= $1 AND company_no <= $1 AND outcome IS NULL AND began_at IS NULL
          AND (claimed_until IS NULL OR claimed_until < clock_timestamp()) AND (next_at IS NULL OR next_at <= clock_timestamp())
        ORDER BY company_no, seq LIMIT 1`,
      [companyNo],
    );
    return rows.length > 0;
  }

  /** Takes mails of a living company, the oldest first. Nothing is begun by that. */
  claim(companyNo: number, howMany: number): Promise<ClaimedMail[]> {
    return this.postgres.transaction(async (sql) => {
      if (!(await isLiving(sql, companyNo))) return [];
      const claimed = await sql.query<Attempt>('SELECT seq FROM billing_claim_send($1, $2, $3::interval)', [
        companyNo,
        howMany,
        LEASE,
      ]);
      // guard: a few rows by their keys. With old statistics the planner takes large tables for small ones, and reads them whole
      await sql.query(
        'SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off',
      );
      return sql.query<ClaimedMail>(READ, [claimed.map(({ seq }) => seq)]);
    });
  }

  /**
   * Returns those that may be sent now. Committed when it returns, so before the first byte goes out (B1). Those of which the
   * debt is paid or cancelled are dropped, and of a company that is deleted none is begun.
   */
  begin(companyNo: number, attempts: readonly Attempt[]): Promise<Attempt[]> {
    return this.postgres.transaction((sql) => begin(sql, companyNo, attempts));
  }

  /** Begins an attempt and ends it with this, in one transaction: it is never seen as under way. False: it could not begin. */
  async pass(companyNo: number, attempt: Attempt, verdict: Verdict): Promise<boolean> {
    return this.postgres.transaction(async (sql) => {
      const begun = await begin(sql, companyNo, [attempt]);
      return begun.length > 0 && record(sql, attempt, verdict);
    });
  }

  /** False: it changes nothing, since another attempt, the sweep or a person was first (B3). May be called again. */
  record(attempt: Attempt, verdict: Verdict): Promise<boolean> {
    return record(this.postgres, attempt, verdict);
  }

  /** Ends the claims of what has not begun, so that it need not wait for the end of the lease. */
  async giveBack(attempts: readonly Attempt[]): Promise<void> {
    // guard: one by one, by their keys. Joined with arrays they are looked for among all that wait where statistics are old
    for (const { seq, number, attempt } of attempts)
      await this.postgres.query(
        `UPDATE billing_deliveries SET claimed_until = NULL
          WHERE seq = $1 AND number = $2 AND attempt = $3 AND began_at IS NULL AND outcome IS NULL`,
        [seq, number, attempt],
      );
  }

  /** The companies with mails that began over ten minutes ago and that nobody has told the end of. */
  async overdue(): Promise<number[]> {
    const rows = await rowsInIndexOrder<{ company_no: number }>(
      this.postgres,
      `SELECT company_no FROM billing_deliveries
        WHERE outcome IS NULL AND held_at IS NULL AND began_at IS NOT NULL AND began_at < clock_timestamp() - interval '10 minutes'
        ORDER BY began_at`,
    );
    return [...new Set(rows.map(({ company_no }) => company_no))];
  }

  /** Holds these for a person, or lets them go again where the company wants that, some times at most. Returns how many. */
  async sweep(companyNo: number): Promise<number> {
    const row = await this.postgres.one<{ swept: number }>(
      `SELECT billing_sweep($1, EXISTS (
         SELECT FROM (SELECT unknown FROM billing_settings WHERE company_no = $1 ORDER BY version DESC LIMIT 1) s
          WHERE s.unknown = 'resend')) AS swept`,
      [companyNo],
    );
    return requiredRow(row).swept;
  }
}

/** guard, FOR SHARE: who deletes the company locks its row. So it lives until the transaction ends, or it is found deleted. */
async function isLiving(sql: Transaction, companyNo: number): Promise<boolean> {
  const [living] = await sql.query(
    `SELECT FROM companies c JOIN billing_companies b ON b.company_id = c.id
      WHERE b.company_no = $1 AND NOT b.deleted AND NOT c.deleted FOR SHARE OF c`,
    [companyNo],
  );
  return living !== undefined;
}

async function begin(sql: Transaction, companyNo: number, attempts: readonly Attempt[]): Promise<Attempt[]> {
  if (!(await isLiving(sql, companyNo))) return [];
  return sql.query<Attempt>('SELECT * FROM billing_begin_send($1, $2, $3)', columns(attempts));
}

async function record(
  sql: Postgres | Transaction,
  { seq, number, attempt }: Attempt,
  verdict: Verdict,
): Promise<boolean> {
  const row = await sql.one<{ recorded: boolean }>(
    `SELECT billing_record_sent($1, $2, $3, $4, $5, clock_timestamp() + make_interval(mins => $6)) AS recorded`,
    [seq, number, attempt, verdict.what, verdict.said, verdict.againMinutes],
  );
  return requiredRow(row).recorded;
}

function columns(attempts: readonly Attempt[]): [string[], number[], number[]] {
  return [attempts.map(({ seq }) => seq), attempts.map(({ number }) => number), attempts.map(({ attempt }) => attempt)];
}
