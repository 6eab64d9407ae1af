import { randomBytes } from 'node:crypto';
import type { ApiStage } from '../../../testing/api-stage.js';
import { someCnpj } from '../../../testing/cnpj.js';
import type { MergeImports } from '../../billing/import/merge-imports.js';
import { IssueRepository } from '../../billing/issue/issue.repository.js';
import { IssueDebts } from '../../billing/issue/issue-debts.js';
import type { BoletoIssuer } from '../../billing/issue/issuer.js';
import { type BankFaults, SimulatedBank } from '../../billing/issue/simulated-bank.js';
import { WriteOff } from '../../billing/issue/write-off.js';
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

/** A process that issues, with a bank of its own behaviour, in the process of the test. */
export class Worker {
  readonly bank: BoletoIssuer;
  readonly lines: { msg: string; [field: string]: unknown }[] = [];
  readonly #postgres: Postgres;
  readonly #work: WorkBilling;

  constructor(
    stage: ApiStage,
    faults: BankFaults = {},
    around: (bank: BoletoIssuer) => Partial<BoletoIssuer> = () => ({}),
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
      repository,
      this.#postgres,
      log,
    );
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

/** Lets the time of every lease and every minute of waiting be over. */
export async function timePasses(stage: ApiStage): Promise<void> {
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
