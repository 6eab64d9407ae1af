import { createId } from '@paralleldrive/cuid2';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { someCnpj } from '../../../testing/cnpj.js';
import { Stage } from '../../../testing/stage.js';
import { BillingGauges } from '../../billing/upkeep/billing-gauges.js';
import { BillingMeter } from '../../billing/upkeep/billing-meter.js';
import { BillingUpkeepRepository, COUNTED_AT_MOST } from '../../billing/upkeep/upkeep.repository.js';
import { ZONE } from '../../billing/zone.js';
import type { Config } from '../../platform/config.js';
import { Postgres } from '../../platform/stores/postgres.js';
import { Metrics } from '../../platform/telemetry/metrics.js';

const NOTHING = { merge: 0, issue: 0, send: 0, held: 0, write_off: 0 };
const HOUR_S = 3_600;
/** The day of billing, which is not that of the session for some hours of each. */
const TODAY = `(now() AT TIME ZONE '${ZONE}')::date`;

let stage: Stage;
let pool: Postgres;
let repository: BillingUpkeepRepository;
/** A company, and one that is deleted: of this one write-offs are owed alone. */
let company: number;
let deleted: number;

const sql = <T = Record<string, unknown>>(text: string, values?: unknown[]) => stage.sql<T>(text, values);

// No process of the API: its own duty would do what is owed.
beforeAll(async () => {
  stage = await Stage.open({ prefix: 'billing', declared: false });
  pool = new Postgres({ databaseUrl: stage.env.DATABASE_URL } as Config);
  repository = new BillingUpkeepRepository(pool);
});
afterAll(async () => {
  await pool?.close();
  await stage?.close();
});
beforeEach(async () => {
  await sql(
    'TRUNCATE uploads, billing_debts, billing_deliveries, billing_imports, billing_import_chunks, billing_rejects, billing_settings',
  );
  [company, deleted] = [await billed(false), await billed(true)];
});

async function billed(isDeleted: boolean): Promise<number> {
  const id = createId();
  await sql('INSERT INTO companies (id, name, document) VALUES ($1, $1, $2)', [id, someCnpj()]);
  const [row] = await sql<{ company_no: number }>(
    'INSERT INTO billing_companies (company_id, deleted) VALUES ($1, $2) RETURNING company_no',
    [id, isDeleted],
  );
  return row?.company_no ?? -1;
}

/** Debts that were imported so many hours ago; `set`: of further columns. */
async function debts(companyNo: number, count: number, set = ''): Promise<void> {
  await sql(
    `INSERT INTO billing_debts (company_no, debt_id, import_no, line, name, government_id, email, cents, due_on, created_at)
     SELECT $1, gen_random_uuid(), 1, n, 'A', '1', 'a@example.com', 1, ${TODAY} + 10, now() - interval '1 hour'
       FROM generate_series(1, $2) n`,
    [companyNo, count],
  );
  if (set !== '') await sql(`UPDATE billing_debts SET ${set} WHERE company_no = $1`, [companyNo]);
}

async function delivery(companyNo: number, seq: number, set: string): Promise<void> {
  await sql('INSERT INTO billing_deliveries (seq, number, company_no) VALUES ($1, 1, $2)', [seq, companyNo]);
  await sql(`UPDATE billing_deliveries SET ${set} WHERE seq = $1`, [seq]);
}

async function chunk(companyNo: number, rows: number, hours: number): Promise<void> {
  const [found] = await sql<{ import_no: number }>(
    `INSERT INTO billing_imports (id, company_no, user_id, bytes, sha256, lines, blank, accepted, rejected, created_at)
     VALUES ($1, $2, 'u', 1, '', $3, 0, $3, 0, now() - make_interval(hours => $4)) RETURNING import_no`,
    [createId(), companyNo, rows, hours],
  );
  await sql(
    `INSERT INTO billing_import_chunks (import_no, first_line, rows, debt_ids) VALUES ($1, 2, $2, '{}'), ($1, 3, $2, '{}')`,
    [found?.import_no, rows],
  );
  await sql(
    `UPDATE billing_import_chunks SET debt_ids = NULL, created = rows, repeated = 0, conflicting = 0, merged_at = now()
      WHERE import_no = $1 AND first_line = 3`,
    [found?.import_no],
  );
}

/** What is owed, and the ages of it in whole hours. */
async function standing() {
  const { owed, oldest_s } = await repository.standing();
  return {
    owed,
    hours: Object.fromEntries(Object.entries(oldest_s).map(([work, s]) => [work, Math.floor(s / HOUR_S)])),
  };
}

test('nothing is owed where there is nothing, and all is 0', async () => {
  expect(await repository.standing()).toEqual({ owed: NOTHING, oldest_s: NOTHING });
});

test('lines of chunks that are not merged are owed since their import was accepted', async () => {
  await chunk(company, 5, 2);
  await chunk(company, 7, 3);
  await chunk(deleted, 11, 9);
  expect(await standing()).toEqual({ owed: { ...NOTHING, merge: 12 }, hours: { ...NOTHING, merge: 3 } });
});

test('a debt is owed a boleto unless it is issued, cancelled, paid or refused', async () => {
  for (const set of ['issued_at', 'cancelled_at', 'paid_at', 'failed_at'])
    await debts(await billed(false), 1, `${set} = now()`);
  await debts(company, 3);
  await debts(deleted, 4);
  expect(await standing()).toEqual({ owed: { ...NOTHING, issue: 3 }, hours: { ...NOTHING, issue: 1 } });
});

test('a debt is owed a boleto from the day on that its company has set', async () => {
  const settings = (version: number, days: number | null) =>
    sql(`INSERT INTO billing_settings VALUES ($1, $2, 'u', 'b', 'c', 'k', 1, 's', $3)`, [company, version, days]);
  await debts(company, 2);
  await settings(1, 9);
  expect((await standing()).owed).toEqual(NOTHING);
  await settings(2, 10);
  const [{ midnight } = { midnight: 0 }] = await sql<{ midnight: number }>(
    `SELECT extract(epoch FROM now() - ${TODAY}::timestamp AT TIME ZONE '${ZONE}')::float8 AS midnight`,
  );
  const { owed, oldest_s } = await repository.standing();
  expect(owed).toEqual({ ...NOTHING, issue: 2 });
  // Since midnight, or since the import where that was later.
  expect(oldest_s.issue).toBeCloseTo(Math.min(midnight, HOUR_S), -1);
});

test('a mail that may be sent is owed, one that waits for its next attempt is not', async () => {
  await delivery(company, 1, `message_date = now() - interval '2 hours'`);
  await delivery(company, 2, `message_date = now() - interval '5 hours', next_at = now() - interval '1 hour'`);
  await delivery(company, 3, `message_date = now() - interval '5 hours', next_at = now() + interval '1 hour'`);
  await delivery(company, 4, `began_at = now()`);
  await delivery(company, 5, `outcome = 'dispensada'`);
  await delivery(deleted, 6, `message_date = now()`);
  expect(await standing()).toEqual({ owed: { ...NOTHING, send: 2 }, hours: { ...NOTHING, send: 2 } });
});

test('a mail of which nothing is known is held until it has an outcome', async () => {
  const held = `began_at = now() - interval '9 hours', held_at = now() - interval '4 hours'`;
  await delivery(company, 1, held);
  await delivery(company, 2, `${held}, outcome = 'enviada'`);
  await delivery(deleted, 3, held);
  expect(await standing()).toEqual({ owed: { ...NOTHING, held: 1 }, hours: { ...NOTHING, held: 4 } });
});

test('a debt that was cancelled after the bank was asked is owed a write-off', async () => {
  const cancelled = `cancelled_at = now() - interval '6 hours'`;
  await debts(company, 2, `${cancelled}, asked_at = now()`);
  await debts(await billed(false), 1, cancelled);
  await debts(await billed(false), 1, `${cancelled}, asked_at = now(), written_off_at = now()`);
  await debts(deleted, 1, `${cancelled}, asked_at = now()`);
  expect(await standing()).toEqual({ owed: { ...NOTHING, write_off: 3 }, hours: { ...NOTHING, write_off: 6 } });
});

test('each is counted up to a number, so that a scrape stays short', async () => {
  await debts(company, COUNTED_AT_MOST + 1);
  await chunk(company, COUNTED_AT_MOST + 1, 1);
  await sql(`INSERT INTO billing_deliveries (seq, number, company_no) SELECT n, 1, $1 FROM generate_series(1, $2) n`, [
    company,
    COUNTED_AT_MOST + 1,
  ]);
  const most = COUNTED_AT_MOST;
  expect((await standing()).owed).toEqual({ ...NOTHING, merge: most, issue: most, send: most });
});

test('held mails are found among many that wait, without reading these', async () => {
  await sql(
    `INSERT INTO billing_deliveries (seq, number, company_no) SELECT n, 1, $1 FROM generate_series(1, 100000) n`,
    [company],
  );
  await sql('VACUUM ANALYZE billing_deliveries');
  let plan = '';
  const one = async (text: string) => {
    plan = (await sql<{ 'QUERY PLAN': string }>(`EXPLAIN ${text}`)).map((row) => row['QUERY PLAN']).join('\n');
    return { owed: NOTHING, oldest_s: NOTHING };
  };
  await new BillingUpkeepRepository({ one } as unknown as Postgres).standing();
  expect(plan).toContain('billing_deliveries_held');
});

test('what is owed and what was done is scraped', async () => {
  await debts(company, 3);
  const metrics = new Metrics();
  new BillingGauges(metrics, repository);
  const meter = new BillingMeter(metrics);
  meter.lines('created', 4);
  meter.issued('registered', 3);
  meter.payment('unmatched');
  meter.mail('unknown');
  meter.smtp(false);
  const lines = (await metrics.scrape()).split('\n').filter((line) => /^disparo_billing/.test(line));
  expect(lines.filter((line) => !/oldest/.test(line)).toSorted()).toEqual(
    [
      ...['merge', 'send', 'held', 'write_off'].map((work) => `disparo_billing_owed{work="${work}"} 0`),
      'disparo_billing_owed{work="issue"} 3',
      ...['rejected', 'repeated', 'conflicting'].map(
        (outcome) => `disparo_billing_lines_total{outcome="${outcome}"} 0`,
      ),
      'disparo_billing_lines_total{outcome="created"} 4',
      ...['already', 'refused', 'unavailable'].map((result) => `disparo_billing_issued_total{result="${result}"} 0`),
      'disparo_billing_issued_total{result="registered"} 3',
      ...['recorded', 'repeated', 'reused'].map((result) => `disparo_billing_payments_total{result="${result}"} 0`),
      'disparo_billing_payments_total{result="unmatched"} 1',
      ...['sent', 'refused', 'later', 'unsent'].map((outcome) => `disparo_billing_mails_total{outcome="${outcome}"} 0`),
      'disparo_billing_mails_total{outcome="unknown"} 1',
      'disparo_billing_smtp_up{service="smtp"} 0',
    ].toSorted(),
  );
});
