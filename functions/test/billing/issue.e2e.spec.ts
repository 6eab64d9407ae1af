import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { until } from '../../../testing/until.js';
import { ourNumberOf } from '../../billing/issue/codes/boleto.js';
import type { BoletoIssuer } from '../../billing/issue/issuer.js';
import type { BankFaults } from '../../billing/issue/simulated-bank.js';
import { migrate } from '../../platform/stores/migrate.js';
import { someDebt, store, type TestBiller } from './fixtures.js';
import { IMPORTED, ISSUED, NOTHING, outcomes, ownBiller, timePasses, Worker, WRITTEN_OFF } from './issuing.js';

let stage: ApiStage;
let acme: TestBiller;
const workers: Worker[] = [];

beforeAll(async () => {
  stage = await ApiStage.open({ start: false });
  await migrate(stage.env.DATABASE_URL);
});
beforeEach(async () => {
  acme = await ownBiller(stage);
});
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.close();
  await stage.sql('UPDATE billing_companies SET deleted = true');
  await stage.sql('UPDATE billing_debts SET written_off_at = now() WHERE cancelled_at IS NOT NULL');
});
afterAll(() => stage.close());

function worker(faults?: BankFaults, around?: (bank: BoletoIssuer) => Partial<BoletoIssuer>): Worker {
  const made = new Worker(stage, faults, around);
  workers.push(made);
  return made;
}

const some = (count: number) => Array.from({ length: count }, () => someDebt());
const cancel = async ({ companyNo }: TestBiller, seq: string | undefined) =>
  stage.sql('SELECT billing_cancel($1, debt_id) FROM billing_debts WHERE seq = $2', [companyNo, seq]);

/** A bank that waits in the middle: `arrived` resolves when it was asked, and it answers after `go`. */
function slowBank(when: 'before' | 'after') {
  let arrive = () => {};
  let go = () => {};
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const gone = new Promise<void>((resolve) => {
    go = resolve;
  });
  const around = (bank: BoletoIssuer): Partial<BoletoIssuer> => ({
    register: async (titles, deadline) => {
      const early = when === 'after' ? await bank.register(titles, deadline) : undefined;
      arrive();
      await gone;
      return early ?? bank.register(titles, deadline);
    },
  });
  return { around, arrived, go: () => go() };
}

describe('issuing', () => {
  test('each debt gets one title, one boleto with its number, one mail to send', async () => {
    const seqs = await store(stage, acme, some(1_203));
    expect(await worker().pass()).toEqual({ ...NOTHING, issued: 1_203 });
    expect(await outcomes(stage, acme)).toEqual([[1_203, ISSUED]]);
    const rows = await stage.sql<{ seq: string; barcode: string; title: string }>(
      `SELECT i.seq, i.barcode, t.barcode AS title FROM billing_invoices i JOIN simulated_bank_titles t ON t.our_number = i.seq
        WHERE i.seq = ANY ($1) ORDER BY i.seq`,
      [seqs],
    );
    expect(rows.map(({ barcode }) => String(ourNumberOf(barcode)))).toEqual(seqs);
    expect(rows.map(({ title }) => title)).toEqual(rows.map(({ barcode }) => barcode));
  });

  test('workers that issue at once, some with a bank that loses answers, issue each debt once', async () => {
    await store(stage, acme, some(2_000));
    let calls = 0;
    const forgetful = { dieAfterCommit: () => ++calls % 2 === 0 };
    const passes = [worker(), worker(), worker(forgetful)].map((each) => each.pass());
    await Promise.all(passes);
    await timePasses(stage);
    await worker().pass();
    expect(await outcomes(stage, acme)).toEqual([[2_000, ISSUED]]);
  });

  test('a pass that is under way answers the next one at once', async () => {
    await store(stage, acme, some(501));
    const bank = slowBank('before');
    const slow = worker({}, bank.around);
    const first = slow.pass();
    await bank.arrived;
    expect(await slow.pass()).toEqual(NOTHING);
    bank.go();
    expect(await first).toEqual({ ...NOTHING, issued: 501 });
  });

  test('nothing is begun after the stop', async () => {
    await store(stage, acme, some(1));
    expect(await worker().pass(AbortSignal.abort())).toEqual(NOTHING);
    expect(await outcomes(stage, acme)).toEqual([[1, IMPORTED]]);
  });

  test('of a company that is deleted nothing is issued, and titles of cancelled debts are taken back', async () => {
    const [cancelled] = await store(stage, acme, some(1));
    await worker({ dieAfterCommit: () => true }).pass();
    await cancel(acme, cancelled);
    await store(stage, acme, some(2));
    await stage.sql('UPDATE billing_companies SET deleted = true WHERE company_no = $1', [acme.companyNo]);
    expect(await worker().pass()).toEqual({ ...NOTHING, written_off: 1 });
    expect(await outcomes(stage, acme)).toEqual([
      [2, IMPORTED],
      [1, { ...WRITTEN_OFF, invoices: 0, deliveries: [] }],
    ]);
  });

  test('B8: an answer that is lost is asked for again, and the bank has one title', async () => {
    await store(stage, acme, some(3));
    const lost = worker({ dieAfterCommit: () => true });
    expect(await lost.pass()).toEqual({ ...NOTHING, unanswered: 3 });
    expect(await outcomes(stage, acme)).toEqual([[3, { ...IMPORTED, titles: 1 }]]);
    // The lease keeps others from asking meanwhile.
    expect(await worker().pass()).toEqual(NOTHING);
    await timePasses(stage);
    expect(await worker().pass()).toEqual({ ...NOTHING, issued: 3 });
    expect(await outcomes(stage, acme)).toEqual([[3, ISSUED]]);
  });

  test('B8: the title of a debt that is asked about again is by the settings of the first time', async () => {
    const [old] = await store(stage, acme, some(1));
    await worker({ dieAfterCommit: () => true }).pass();
    await stage.sql(
      `INSERT INTO billing_settings (company_no, version, user_id, beneficiary, city, pix_key, agreement, sender_name)
       VALUES ($1, 1, 'u', 'ACME', 'RECIFE', 'key', 123456, 'Acme')`,
      [acme.companyNo],
    );
    const [young] = await store(stage, acme, some(1));
    await timePasses(stage);
    expect(await worker().pass()).toEqual({ ...NOTHING, issued: 2 });
    const made = `SELECT seq, settings_version, substr(barcode, 22, 6) AS agreement FROM billing_invoices
                   WHERE seq = ANY ($1) ORDER BY seq`;
    expect(await stage.sql(made, [[old, young]])).toEqual([
      { seq: old, settings_version: 0, agreement: '000001' },
      { seq: young, settings_version: 1, agreement: '123456' },
    ]);
  });

  test('B8: settings that are just being made are waited for', async () => {
    const [seq] = await store(stage, acme, some(1));
    const client = new pg.Client({ connectionString: stage.env.DATABASE_URL });
    await client.connect();
    await client.query('BEGIN');
    await client.query('SELECT FROM companies WHERE id = $1 FOR UPDATE', [acme.company.id]);
    await client.query(
      `INSERT INTO billing_settings (company_no, version, user_id, beneficiary, city, pix_key, agreement, sender_name)
       VALUES ($1, 1, 'u', 'ACME', 'RECIFE', 'key', 7, 'Acme')`,
      [acme.companyNo],
    );
    const pass = worker().pass();
    const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    await until(async () => expect(await stage.sql(waiting)).toHaveLength(1));
    await client.query('COMMIT');
    await client.end();
    expect(await pass).toEqual({ ...NOTHING, issued: 1 });
    const made = 'SELECT settings_version FROM billing_invoices WHERE seq = $1';
    expect(await stage.sql(made, [seq])).toEqual([{ settings_version: 1 }]);
  });

  test('B9: an answer that comes when another worker has recorded changes nothing', async () => {
    await store(stage, acme, some(2));
    const bank = slowBank('after');
    const late = worker({}, bank.around).pass();
    await bank.arrived;
    await timePasses(stage);
    expect(await worker().pass()).toEqual({ ...NOTHING, issued: 2 });
    bank.go();
    expect(await late).toEqual(NOTHING);
    expect(await outcomes(stage, acme)).toEqual([[2, ISSUED]]);
  });

  test('the same number with another amount is refused by the bank', async () => {
    const [seq] = await store(stage, acme, some(1));
    await stage.sql('INSERT INTO simulated_bank_titles (our_number, barcode, cents) VALUES ($1, $2, 1)', [
      seq,
      '9'.repeat(44),
    ]);
    expect(await worker().pass()).toEqual({ ...NOTHING, refused: 1 });
    const why = 'SELECT status, failure, issued_at FROM billing_debts WHERE seq = $1';
    expect(await stage.sql(why, [seq])).toEqual([{ status: 'falhou', failure: 'OTHER_TITLE', issued_at: null }]);
  });

  test('what the bank refuses has failed, without a mail, and is not asked again', async () => {
    await store(stage, acme, some(4));
    const counts = await worker({ refuseEvery: 2n }).pass();
    expect(counts).toEqual({ ...NOTHING, issued: 2, refused: 2 });
    const failed = { ...IMPORTED, status: 'falhou' };
    const sorted = (await outcomes(stage, acme)).sort(([, a], [, b]) => a.titles - b.titles);
    expect(sorted).toEqual([
      [2, failed],
      [2, ISSUED],
    ]);
    await timePasses(stage);
    expect(await worker().pass()).toEqual(NOTHING);
  });

  test('a refusal counts only for the worker that asked last', async () => {
    await store(stage, acme, some(1));
    const slow = slowBank('after');
    const late = worker({ refuseEvery: 1n }, slow.around).pass();
    await slow.arrived;
    await timePasses(stage);
    expect(await worker({ dieAfterCommit: () => true }).pass()).toEqual({ ...NOTHING, unanswered: 1 });
    slow.go();
    expect(await late).toEqual(NOTHING);
    await timePasses(stage);
    await worker().pass();
    expect(await outcomes(stage, acme)).toEqual([[1, ISSUED]]);
  });

  test('a boleto that the bank refused and then made is not shown as failed', async () => {
    await store(stage, acme, some(1));
    const slow = slowBank('after');
    const late = worker({}, slow.around).pass();
    await slow.arrived;
    await timePasses(stage);
    expect(await worker({ refuseEvery: 1n }).pass()).toEqual({ ...NOTHING, refused: 1 });
    slow.go();
    await late;
    expect(await outcomes(stage, acme)).toEqual([[1, ISSUED]]);
  });
});

describe('a bank that is away', () => {
  test('for one company does not stop the others, and the log tells it once', async () => {
    const other = await ownBiller(stage);
    await store(stage, acme, some(600));
    const [first = '0'] = await store(stage, other, some(600));
    let away = true;
    const patchy = worker({}, (bank) => ({
      register: async (titles, deadline) => {
        if (away && titles.some(({ ourNumber }) => ourNumber < BigInt(first))) throw new Error('away');
        return bank.register(titles, deadline);
      },
    }));
    expect(await patchy.pass()).toEqual({ ...NOTHING, issued: 600, unanswered: 500 });
    expect(await patchy.pass()).toEqual(NOTHING);
    expect(await outcomes(stage, other)).toEqual([[600, ISSUED]]);
    expect(patchy.lines.map(({ msg, work }) => [msg, work])).toEqual([
      ['billing: this work fails; it is tried again', `issue of company ${acme.companyNo}`],
    ]);
    away = false;
    await timePasses(stage);
    // Another process has no outage to wait for.
    expect(await worker().pass()).toEqual({ ...NOTHING, issued: 600 });
  });

  test('leaves all as it was, and nothing is shown as failed', async () => {
    await store(stage, acme, some(2));
    expect(await worker({ unavailable: () => true }).pass()).toEqual({ ...NOTHING, unanswered: 2 });
    expect(await outcomes(stage, acme)).toEqual([[2, IMPORTED]]);
  });
});

describe('the day of issue', () => {
  const SET = `INSERT INTO billing_settings (company_no, version, user_id, beneficiary, city, pix_key, agreement, sender_name,
                 issue_days_before) VALUES ($1, $2, 'u', 'ACME', 'RECIFE', 'key', 1, 'Acme', $3)`;

  test('is so many days before the due date, by the day in São Paulo', async () => {
    const [{ today = '' } = {}] = await stage.sql<{ today: string }>(
      `SELECT ((clock_timestamp() AT TIME ZONE 'America/Sao_Paulo')::date)::text AS today`,
    );
    const inDays = (days: number) =>
      new Date(Date.parse(`${today}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
    await stage.sql(SET, [acme.companyNo, 1, 5]);
    const debts = [6, 5, 4, -3].map((days) => someDebt({ dueOn: inDays(days) }));
    const [later] = await store(stage, acme, debts);
    // The day of a session is that of its zone: one that is a day ahead.
    await stage.sql(
      `ALTER DATABASE "${new URL(stage.env.DATABASE_URL).pathname.slice(1)}" SET timezone = 'Etc/GMT-14'`,
    );
    expect(await worker().pass()).toEqual({ ...NOTHING, issued: 3 });
    const waiting = `SELECT seq, asked_at FROM billing_debts WHERE company_no = $1 AND issued_at IS NULL`;
    expect(await stage.sql(waiting, [acme.companyNo])).toEqual([{ seq: later, asked_at: null }]);
    await stage.sql(SET, [acme.companyNo, 2, null]);
    expect(await worker().pass()).toEqual({ ...NOTHING, issued: 1 });
  });
});

describe('B11: a debt that is cancelled', () => {
  test('before the bank was asked is never asked about', async () => {
    const [seq] = await store(stage, acme, some(1));
    await cancel(acme, seq);
    expect(await worker().pass()).toEqual(NOTHING);
    expect(await outcomes(stage, acme)).toEqual([[1, { ...IMPORTED, status: 'cancelada' }]]);
  });

  test('while the bank is asked is recorded without a mail, and written off', async () => {
    const [seq] = await store(stage, acme, some(1));
    const bank = slowBank('before');
    const asking = worker({}, bank.around);
    const pass = asking.pass();
    await bank.arrived;
    await cancel(acme, seq);
    bank.go();
    expect(await pass).toEqual({ ...NOTHING, issued: 1, written_off: 1 });
    expect(await outcomes(stage, acme)).toEqual([[1, WRITTEN_OFF]]);
  });

  test('when its worker has died with the answer of the bank is written off, though nothing was recorded', async () => {
    const [seq] = await store(stage, acme, some(1));
    await worker({ dieAfterCommit: () => true }).pass();
    await cancel(acme, seq);
    expect(await worker().pass()).toEqual({ ...NOTHING, written_off: 1 });
    expect(await outcomes(stage, acme)).toEqual([[1, { ...WRITTEN_OFF, invoices: 0, deliveries: [] }]]);
  });

  test('whose title comes to the bank after the first write-off is written off a minute later', async () => {
    const [seq] = await store(stage, acme, some(1));
    const bank = slowBank('before');
    const frozen = worker({}, bank.around).pass(AbortSignal.timeout(60_000));
    await bank.arrived;
    await cancel(acme, seq);
    const other = worker();
    expect(await other.pass()).toEqual(NOTHING);
    bank.go();
    await frozen;
    // Nobody asks again before the minute is over.
    expect(await other.pass()).toEqual(NOTHING);
    const cancelled = { ...WRITTEN_OFF, written_off: false, written_off_at_bank: false };
    expect(await outcomes(stage, acme)).toEqual([[1, cancelled]]);
    await timePasses(stage);
    expect(await other.pass()).toEqual({ ...NOTHING, written_off: 1 });
    expect(await outcomes(stage, acme)).toEqual([[1, WRITTEN_OFF]]);
  });

  test('that the bank never got is asked about for seven days', async () => {
    const [seq] = await store(stage, acme, some(1));
    await worker({ unavailable: () => true }).pass();
    await cancel(acme, seq);
    const writtenOff = async (age: string) => {
      await stage.sql('UPDATE billing_debts SET cancelled_at = clock_timestamp() - $2::interval WHERE seq = $1', [
        seq,
        age,
      ]);
      await timePasses(stage);
      return (await worker().pass()).written_off;
    };
    expect([await writtenOff('1 minute'), await writtenOff('6 days 23:59'), await writtenOff('7 days')]).toEqual([
      0, 0, 1,
    ]);
    expect(await outcomes(stage, acme)).toEqual([[1, { ...IMPORTED, status: 'cancelada', written_off: true }]]);
  });

  test('while the bank is away is asked about until the bank answers', async () => {
    const [seq] = await store(stage, acme, some(1));
    await worker().pass();
    await cancel(acme, seq);
    await stage.sql(`UPDATE billing_debts SET cancelled_at = clock_timestamp() - interval '8 days' WHERE seq = $1`, [
      seq,
    ]);
    expect(await worker({ unavailable: () => true }).pass()).toEqual({ ...NOTHING, unanswered: 1 });
    await timePasses(stage);
    expect(await worker({ dieAfterCommit: () => true }).pass()).toEqual({ ...NOTHING, unanswered: 1 });
    await timePasses(stage);
    expect(await worker().pass()).toEqual({ ...NOTHING, written_off: 1 });
    expect(await outcomes(stage, acme)).toEqual([[1, WRITTEN_OFF]]);
  });

  test('and was paid at the bank is closed there, and the log says whose payment is to come', async () => {
    const [seq] = await store(stage, acme, some(1));
    await worker().pass();
    await cancel(acme, seq);
    const paid = worker({}, () => ({
      writeOff: async (numbers) => numbers.map((ourNumber) => ({ ourNumber, result: 'paid' as const })),
    }));
    expect(await paid.pass()).toEqual({ ...NOTHING, written_off: 1 });
    expect(paid.lines).toEqual([
      {
        company_no: acme.companyNo,
        seq,
        msg: 'a cancelled debt was paid at the bank before its title was written off',
      },
    ]);
  });
});
