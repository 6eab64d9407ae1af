import { randomBytes } from 'node:crypto';
import type { ApiStage } from '../../../testing/api-stage.js';
import { someCnpj } from '../../../testing/cnpj.js';
import type { MergeImports } from '../../billing/import/merge-imports.js';
import { IssueRepository } from '../../billing/issue/issue.repository.js';
import { IssueDebts } from '../../billing/issue/issue-debts.js';
import type { BoletoIssuer } from '../../billing/issue/issuer.js';
import { type BankFaults, SimulatedBank } from '../../billing/issue/simulated-bank.js';
import { WriteOff } from '../../billing/issue/write-off.js';
import { SmtpConnections } from '../../billing/send/connections.js';
import { MailRate } from '../../billing/send/rate.js';
import { RecordMail } from '../../billing/send/record-mail.js';
import { SendRepository } from '../../billing/send/send.repository.js';
import { SendInvoices } from '../../billing/send/send-invoices.js';
import type { SmtpLimits } from '../../billing/send/smtp/smtp.js';
import { WorkMails } from '../../billing/send/work-mails.js';
import { BillingMeter } from '../../billing/upkeep/billing-meter.js';
import { type BillingCounts, WorkBilling } from '../../billing/work-billing.js';
import type { Config } from '../../platform/config.js';
import { Postgres } from '../../platform/stores/postgres.js';
import type { Log } from '../../platform/telemetry/log.js';
import { Metrics } from '../../platform/telemetry/metrics.js';
import type { TestBiller } from './fixtures.js';

const NEVER = new AbortController().signal;
const NOTHING_TO_MERGE = { pass: async () => 0 } as unknown as MergeImports;

/** What a debt came to, at the bank and here. */
export interface Outcome {
  status: string;
  titles: number;
  invoices: number;
  deliveries: string[];
  written_off: boolean;
  written_off_at_bank: boolean;
}

/** A mail server as the configuration names it. Short limits, so that a test need not wait. */
export interface WorkerMail {
  port: number;
  connections?: number;
  perMinute?: number;
  limits?: Partial<SmtpLimits>;
  /** The clock of the limit of mails a minute. */
  now?: () => number;
}

/** What a pass does when it does nothing. */
export const NOTHING: BillingCounts = {
  merged: 0,
  issued: 0,
  refused: 0,
  written_off: 0,
  unanswered: 0,
  sent: 0,
  mails_refused: 0,
  mails_later: 0,
  mails_unsent: 0,
  mails_unknown: 0,
  swept: 0,
};

/** A process that issues and mails, with a bank of its own behaviour, in the process of the test. */
export class Worker {
  readonly bank: BoletoIssuer;
  readonly lines: { msg: string; [field: string]: unknown }[] = [];
  readonly #postgres: Postgres;
  readonly #work: WorkBilling;

  constructor(
    stage: ApiStage,
    faults: BankFaults = {},
    around: (bank: BoletoIssuer) => Partial<BoletoIssuer> = () => ({}),
    mail?: WorkerMail,
  ) {
    this.#postgres = new Postgres({ databaseUrl: stage.env.DATABASE_URL } as Config);
    const line = (fields: object, msg: string) => void this.lines.push({ ...fields, msg });
    const log = { debug: () => {}, info: line, warn: line, error: line } as unknown as Log;
    const bank = new SimulatedBank(this.#postgres, faults);
    this.bank = {
      notice: bank.notice,
      register: (titles, deadline) => bank.register(titles, deadline),
      writeOff: (numbers, deadline) => bank.writeOff(numbers, deadline),
      ...around(bank),
    };
    const repository = new IssueRepository(this.#postgres);
    this.#work = new WorkBilling(
      NOTHING_TO_MERGE,
      new IssueDebts(repository, this.bank, new BillingMeter(new Metrics())),
      new WriteOff(repository, this.bank, log),
      this.#mails(mail, log),
      repository,
      this.#postgres,
      log,
    );
  }

  #mails(mail: WorkerMail | undefined, log: Log): WorkMails {
    const smtp = mail && {
      url: new URL(`smtp://127.0.0.1:${mail.port}`),
      from: 'cobranca@acme.example',
      connections: mail.connections ?? 5,
      perMinute: mail.perMinute,
    };
    const repository = new SendRepository(this.#postgres);
    const meter = new BillingMeter(new Metrics());
    const connections = new SmtpConnections(smtp, meter, mail?.limits);
    const rate = new MailRate(mail?.perMinute, mail?.now);
    const recording = new RecordMail(repository, this.#postgres, log);
    const sending = new SendInvoices(repository, connections, rate, recording, this.bank, meter, log);
    return new WorkMails(sending, connections, rate, repository, this.#postgres, log);
  }

  pass(stop: AbortSignal = NEVER): Promise<BillingCounts> {
    return this.#work.pass(stop);
  }

  close(): Promise<void> {
    return this.#postgres.close();
  }
}

/** A company that bills, made by plain SQL: where no API runs. */
export async function ownBiller(stage: ApiStage): Promise<TestBiller> {
  const id = `c${randomBytes(11).toString('hex')}`;
  const document = someCnpj();
  await stage.sql(`INSERT INTO companies (id, name, document) VALUES ($1, 'Acme', $2)`, [id, document]);
  const [row] = await stage.sql<{ company_no: number }>(
    'INSERT INTO billing_companies (company_id) VALUES ($1) RETURNING company_no',
    [id],
  );
  const owner = { id: 'u', email: '', password: '', token: '' };
  return { owner, company: { id, document }, companyNo: row?.company_no ?? 0 };
}

/** Lets the time of every lease and every minute of waiting be over. What has begun stays as it is. */
export async function timePasses(stage: ApiStage): Promise<void> {
  await stage.sql(
    `UPDATE billing_deliveries SET claimed_until = clock_timestamp() - interval '1 second' WHERE claimed_until IS NOT NULL`,
  );
  await stage.sql(
    `UPDATE billing_deliveries SET next_at = clock_timestamp() - interval '1 second' WHERE next_at IS NOT NULL`,
  );
  await stage.sql(
    `UPDATE billing_debts SET lease_until = clock_timestamp() - interval '1 second' WHERE lease_until IS NOT NULL`,
  );
  await stage.sql(
    `UPDATE billing_debts SET next_at = clock_timestamp() - interval '1 second' WHERE next_at IS NOT NULL`,
  );
}

/** What the debts of a company came to, each kind of outcome with how many have it. */
export async function outcomes(stage: ApiStage, { companyNo }: TestBiller): Promise<[count: number, Outcome][]> {
  const rows = await stage.sql<{ count: number; outcome: Outcome }>(
    `SELECT count(*)::int AS count, outcome FROM (
       SELECT jsonb_build_object('status', d.status,
                'titles', (SELECT count(*) FROM simulated_bank_titles t WHERE t.our_number = d.seq),
                'invoices', (SELECT count(*) FROM billing_invoices i WHERE i.seq = d.seq),
                'deliveries', (SELECT coalesce(jsonb_agg(v.status ORDER BY number), '[]') FROM billing_deliveries v WHERE v.seq = d.seq),
                'written_off', d.written_off_at IS NOT NULL,
                'written_off_at_bank', EXISTS (SELECT FROM simulated_bank_titles t WHERE t.our_number = d.seq AND t.written_off_at IS NOT NULL)
              ) AS outcome
         FROM billing_debts d WHERE d.company_no = $1) o
      GROUP BY outcome ORDER BY count DESC`,
    [companyNo],
  );
  return rows.map(({ count, outcome }) => [count, outcome]);
}

/** An issued debt: one title, one boleto, one mail that waits. */
export const ISSUED: Outcome = {
  status: 'gerada',
  titles: 1,
  invoices: 1,
  deliveries: ['pendente'],
  written_off: false,
  written_off_at_bank: false,
};
/** One that nobody has asked the bank for, or of which the bank knows nothing. */
export const IMPORTED: Outcome = { ...ISSUED, status: 'importada', titles: 0, invoices: 0, deliveries: [] };
/** Cancelled after it was registered at the bank and recorded. */
export const WRITTEN_OFF: Outcome = {
  ...ISSUED,
  status: 'cancelada',
  deliveries: ['dispensada'],
  written_off: true,
  written_off_at_bank: true,
};
