import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { FaultySmtp } from '../../../testing/smtp-faults.js';
import { until } from '../../../testing/until.js';
import { migrate } from '../../platform/stores/migrate.js';
import { issue, someDebt, store, type TestBiller } from './fixtures.js';
import { NOTHING, ownBiller, Worker, type WorkerMail } from './issuing.js';

const BARCODE = '99992131300000100001700000100000000000000004';

let stage: ApiStage;
let acme: TestBiller;
let smtp: FaultySmtp;
let client: pg.Client;
const workers: Worker[] = [];

beforeAll(async () => {
  stage = await ApiStage.open({ start: false });
  await migrate(stage.env.DATABASE_URL);
  client = new pg.Client({ connectionString: stage.env.DATABASE_URL });
  await client.connect();
});
beforeEach(async () => {
  acme = await ownBiller(stage);
  smtp = await FaultySmtp.listen();
});
afterEach(async () => {
  await client.query('ROLLBACK');
  for (const worker of workers.splice(0)) await worker.close();
  await smtp.close();
  await stage.sql('UPDATE billing_companies SET deleted = true');
});
afterAll(async () => {
  await client.end();
  await stage.close();
});

function worker(mail: Partial<WorkerMail> = {}): Worker {
  const made = new Worker(stage, {}, undefined, { ...mail, port: mail.port ?? smtp.port });
  workers.push(made);
  return made;
}

async function issued(count: number): Promise<string[]> {
  const seqs = await store(
    stage,
    acme,
    Array.from({ length: count }, () => someDebt()),
  );
  await issue(stage, seqs, Array(count).fill(BARCODE));
  return seqs;
}

const mails = () =>
  stage.sql(
    `SELECT d.status AS debt, v.status AS mail, v.attempt, v.claimed_until IS NOT NULL AS claimed,
            (SELECT count(*)::int FROM billing_attempts a WHERE a.seq = v.seq AND a.response IS NOT NULL) AS counted
       FROM billing_deliveries v JOIN billing_debts d USING (seq) WHERE d.company_no = $1 ORDER BY seq`,
    [acme.companyNo],
  );
const SENT = { debt: 'enviada', mail: 'enviada', attempt: 1, claimed: false, counted: 1 };
const WAITS = { debt: 'gerada', mail: 'pendente', attempt: 0, claimed: false, counted: 0 };

/** A pass that has two mails: the first is under way until `answer`, the second is claimed and not begun. */
async function halfWay(mail: Partial<WorkerMail> = {}) {
  const [, second = ''] = await issued(2);
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  smtp.script = ({ number }) => (number === 1 ? { kind: 'ok', until: answered } : undefined);
  const pass = worker({ connections: 1, ...mail }).pass();
  await smtp.untilDelivered(1);
  return { pass, second, answer: () => answer() };
}

const aStatementWaits = () =>
  until(async () =>
    expect(
      await stage.sql(`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`),
    ).toHaveLength(1),
  );

describe('a mail that is claimed and not begun', () => {
  test('is not sent when its debt is paid meanwhile', async () => {
    const { pass, second, answer } = await halfWay();
    await stage.sql(
      `SELECT billing_pay($1, 'e', (SELECT debt_id FROM billing_debts WHERE seq = $2), 'x', 10000, now(), 'pix', NULL)`,
      [acme.companyNo, second],
    );
    answer();
    expect(await pass).toEqual({ ...NOTHING, sent: 1 });
    expect(await mails()).toEqual([SENT, { ...WAITS, debt: 'paga', mail: 'dispensada', attempt: 1 }]);
  });

  test('is not sent when its debt is just being paid', async () => {
    const { pass, second, answer } = await halfWay();
    await client.query('BEGIN');
    await client.query(
      `SELECT billing_pay($1, 'e', (SELECT debt_id FROM billing_debts WHERE seq = $2), 'x', 10000, now(), 'pix', NULL)`,
      [acme.companyNo, second],
    );
    answer();
    await aStatementWaits();
    await client.query('COMMIT');
    expect(await pass).toEqual({ ...NOTHING, sent: 1 });
    expect(await mails()).toEqual([SENT, { ...WAITS, debt: 'paga', mail: 'dispensada', attempt: 1 }]);
  });

  test('is not sent when its company is just being deleted, and is given back', async () => {
    const { pass, answer } = await halfWay();
    await client.query('BEGIN');
    await client.query('SELECT FROM companies WHERE id = $1 FOR UPDATE', [acme.company.id]);
    await client.query('UPDATE companies SET deleted = true WHERE id = $1', [acme.company.id]);
    await client.query('UPDATE billing_companies SET deleted = true WHERE company_no = $1', [acme.companyNo]);
    answer();
    await aStatementWaits();
    await client.query('COMMIT');
    expect(await pass).toEqual({ ...NOTHING, sent: 1 });
    expect(await mails()).toEqual([SENT, { ...WAITS, attempt: 1 }]);
  });

  test('B12: is not sent by a begin that took too long, and goes again', async () => {
    const { pass, second, answer } = await halfWay({ limits: { handOverMs: 500 } });
    await client.query('BEGIN');
    await client.query('SELECT FROM billing_debts WHERE seq = $1 FOR UPDATE', [second]);
    answer();
    await aStatementWaits();
    const late = performance.now() + 600;
    await until(async () => expect(performance.now()).toBeGreaterThan(late));
    await client.query('COMMIT');
    expect(await pass).toEqual({ ...NOTHING, sent: 2, mails_unsent: 1 });
    expect(await mails()).toEqual([SENT, { ...SENT, attempt: 2 }]);
    expect([...new Set(smtp.times.values())]).toEqual([1]);
  });
});

describe('a mail server that is away', () => {
  test('costs no mail anything, claims none, and the log tells it once', async () => {
    await issued(10);
    const { port } = smtp;
    await smtp.close();
    const one = worker({ port });
    expect(await one.pass()).toEqual(NOTHING);
    expect(await one.pass()).toEqual(NOTHING);
    expect(await mails()).toEqual(Array(10).fill(WAITS));
    expect(one.lines.map(({ msg, work }) => [msg, work])).toEqual([
      ['billing: this work fails; it is tried again', 'mails'],
    ]);
    smtp = await FaultySmtp.listen(undefined, port);
    // It rests for two seconds.
    let sent = 0;
    await until(async () => {
      sent += (await one.pass()).sent;
      expect(sent).toBe(10);
    });
    expect(one.lines.map(({ msg }) => msg)).toEqual([
      'billing: this work fails; it is tried again',
      'billing: this work goes on',
    ]);
    expect(await mails()).toEqual(Array(10).fill(SENT));
  });

  test('delays no boleto', async () => {
    await smtp.close();
    await store(
      stage,
      acme,
      Array.from({ length: 3 }, () => someDebt()),
    );
    expect(await worker({ port: 1 }).pass()).toEqual({ ...NOTHING, issued: 3 });
    smtp = await FaultySmtp.listen();
  });

  test('refusing our sender costs no mail a try, and what is not begun is given back', async () => {
    await issued(10);
    smtp.script = () => ({ kind: 'says', at: 'mail', text: '451 4.7.1 not you, for now' });
    const one = worker();
    expect(await one.pass()).toEqual({ ...NOTHING, mails_unsent: 5 });
    const tried = { ...WAITS, attempt: 1 };
    expect(await mails()).toEqual(Array(10).fill(tried));
    expect(await one.pass()).toEqual(NOTHING);
    smtp.script = () => undefined;
    expect(await worker().pass()).toEqual({ ...NOTHING, sent: 10 });
    expect(await mails()).toEqual(Array(10).fill({ ...SENT, attempt: 2 }));
  });

  test('taking one connection only gets all mails by that one', async () => {
    await issued(10);
    smtp.script = ({ number }, step) =>
      step === 'greeting' && number > 1
        ? { kind: 'says', at: 'greeting', text: '421 too many', thenDrops: true }
        : undefined;
    expect(await worker().pass()).toEqual({ ...NOTHING, sent: 10 });
    expect(await mails()).toEqual(Array(10).fill(SENT));
  });
});
