import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { FaultySmtp, type SmtpFault } from '../../../testing/smtp-faults.js';
import { until } from '../../../testing/until.js';
import { txidOf } from '../../billing/issue/codes/txid.js';
import { migrate } from '../../platform/stores/migrate.js';
import { issue, someDebt, store, type TestBiller, type TestDebt } from './fixtures.js';
import { NOTHING, ownBiller, timePasses, Worker, type WorkerMail } from './issuing.js';

const BARCODE = '99992131300000100001700000100000000000000004';

let stage: ApiStage;
let acme: TestBiller;
let smtp: FaultySmtp;
const workers: Worker[] = [];

beforeAll(async () => {
  stage = await ApiStage.open({ start: false });
  await migrate(stage.env.DATABASE_URL);
});
beforeEach(async () => {
  acme = await ownBiller(stage);
  smtp = await FaultySmtp.listen();
});
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.close();
  await smtp.close();
  await stage.sql('UPDATE billing_companies SET deleted = true');
});
afterAll(() => stage.close());

function worker(mail: Partial<WorkerMail> = {}): Worker {
  const made = new Worker(stage, {}, undefined, { port: smtp.port, ...mail });
  workers.push(made);
  return made;
}

/** Debts with a boleto and a mail that waits. */
async function issued(count: number, biller = acme, values: Partial<TestDebt> = {}): Promise<TestDebt[]> {
  const debts = Array.from({ length: count }, () => someDebt(values));
  const seqs = await store(stage, biller, debts);
  await issue(stage, seqs, Array(count).fill(BARCODE));
  return debts;
}

const idOf = ({ debtId }: TestDebt, { companyNo } = acme, number = 1) =>
  `<${txidOf(debtId)}.${number}.${companyNo}@acme.example>`;
const idsOf = (debts: TestDebt[], biller = acme) => debts.map((debt) => idOf(debt, biller));
const taken = () => smtp.delivered.map(({ messageId }) => messageId);

interface Mail {
  debt: string;
  mail: string;
  attempt: number;
  response: string | null;
}
/** What became of the mails of a company, in the order of its debts. */
const mails = ({ companyNo } = acme) =>
  stage.sql<Mail>(
    `SELECT d.status AS debt, v.status AS mail, v.attempt, v.response
       FROM billing_deliveries v JOIN billing_debts d USING (seq) WHERE d.company_no = $1 ORDER BY seq, number`,
    [companyNo],
  );
const claims = ({ companyNo } = acme) =>
  stage.sql('SELECT seq FROM billing_deliveries WHERE company_no = $1 AND claimed_until IS NOT NULL', [companyNo]);
const SENT: Mail = { debt: 'enviada', mail: 'enviada', attempt: 1, response: '250 2.0.0 queued' };
const WAITS: Mail = { debt: 'gerada', mail: 'pendente', attempt: 0, response: null };
const setUnknown = (unknown: 'hold' | 'resend', { companyNo } = acme) =>
  stage.sql(
    `INSERT INTO billing_settings (company_no, version, user_id, beneficiary, city, pix_key, agreement, sender_name, unknown)
     VALUES ($1, 1, 'u', 'ACME', 'RECIFE', 'key', 1, 'Acme', $2)`,
    [companyNo, unknown],
  );
const SAYS = (text: string, at: 'mail' | 'rcpt' | 'dot' = 'dot'): SmtpFault => ({ kind: 'says', at, text });

describe('a pass', () => {
  test('issues each debt and sends it one mail, over connections that are used again', async () => {
    const debts = Array.from({ length: 60 }, () => someDebt());
    await store(stage, acme, debts);
    expect(await worker().pass()).toEqual({ ...NOTHING, issued: 60, sent: 60 });
    expect(taken().sort()).toEqual(idsOf(debts).sort());
    expect(await mails()).toEqual(Array(60).fill(SENT));
    expect(smtp.connections).toBe(5);
    await until(async () => expect(smtp.open).toBe(0));
    expect(await worker().pass()).toEqual(NOTHING);
  });

  test('without a mail server claims nothing, and sweeps', async () => {
    const none = new Worker(stage);
    workers.push(none);
    await issued(2);
    await stage.sql(`UPDATE billing_deliveries SET attempt = 1, began_at = clock_timestamp() - interval '11 minutes'
                      WHERE seq = (SELECT max(seq) FROM billing_deliveries)`);
    expect(await none.pass()).toEqual({ ...NOTHING, swept: 1 });
    expect(await mails()).toEqual([WAITS, { ...WAITS, mail: 'desconhecida', attempt: 1 }]);
  });

  test('serves two companies in turn', async () => {
    const other = await ownBiller(stage);
    const own = await issued(40);
    const others = await issued(40, other);
    expect(await worker({ connections: 1 }).pass()).toEqual({ ...NOTHING, sent: 80 });
    const first = new Set(taken().slice(0, 50));
    expect([
      own.filter((debt) => first.has(idOf(debt))).length,
      others.filter((debt) => first.has(idOf(debt, other))).length,
    ]).toEqual([25, 25]);
  });

  test('of two workers at once sends each mail once', async () => {
    const debts = await issued(120);
    const [a, b] = await Promise.all([worker().pass(), worker().pass()]);
    expect((a?.sent ?? 0) + (b?.sent ?? 0)).toBe(120);
    expect(taken().sort()).toEqual(idsOf(debts).sort());
  });

  test('begins nothing after the stop, and gives back what it has claimed', async () => {
    const stop = new AbortController();
    await issued(10);
    let answer = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    smtp.script = () => ({ kind: 'ok', until: answered });
    const pass = worker({ connections: 2 }).pass(stop.signal);
    await smtp.untilDelivered(2);
    // B1: what goes out is on record.
    const underWay = { ...WAITS, mail: 'tentando', attempt: 1 };
    expect(await mails()).toEqual([underWay, underWay, ...Array(8).fill({ ...WAITS, attempt: 1 })]);
    stop.abort();
    answer();
    expect(await pass).toEqual({ ...NOTHING, sent: 2 });
    expect(await mails()).toEqual([SENT, SENT, ...Array(8).fill({ ...WAITS, attempt: 1 })]);
    expect(await claims()).toEqual([]);
  });

  test('begins no more mails in a minute than it may, and serves the companies in turn', async () => {
    const other = await ownBiller(stage);
    const own = await issued(5);
    const others = await issued(5, other);
    let now = 0;
    const stop = new AbortController();
    const limited = worker({ perMinute: 2, now: () => now });
    const pass = limited.pass(stop.signal);
    await smtp.untilDelivered(2);
    now = 59_999;
    // It waits, and looks again.
    expect(smtp.delivered).toHaveLength(2);
    now = 60_000;
    await smtp.untilDelivered(4);
    stop.abort();
    await pass;
    expect(taken().sort()).toEqual([...idsOf(own.slice(0, 2)), ...idsOf(others.slice(0, 2), other)].sort());
  });
});

describe('a mail that is', () => {
  test('refused for now goes again under the same Message-ID, each time later', async () => {
    const [debt] = await issued(1);
    smtp.script = ({ number }) => (number <= 3 ? SAYS('451 4.3.0 not now') : undefined);
    const one = worker();
    const waits: unknown[] = [];
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      expect(await one.pass()).toEqual({ ...NOTHING, mails_later: 1 });
      const [row] = await stage.sql<{ minutes: number }>(
        `SELECT round(extract(epoch FROM next_at - clock_timestamp()) / 60)::int AS minutes FROM billing_deliveries WHERE company_no = $1`,
        [acme.companyNo],
      );
      waits.push(row?.minutes);
      expect(await one.pass()).toEqual(NOTHING);
      await timePasses(stage);
    }
    expect(waits).toEqual([1, 5, 15]);
    expect(await one.pass()).toEqual({ ...NOTHING, sent: 1 });
    expect(taken()).toEqual(idsOf([debt as TestDebt]));
    expect(await mails()).toEqual([{ ...SENT, attempt: 4 }]);
  });

  test('refused for now seven times has failed', async () => {
    await issued(1);
    smtp.script = () => SAYS('451 4.3.0 not now');
    for (let attempt = 1; attempt <= 8; attempt += 1) {
      await worker().pass();
      await timePasses(stage);
    }
    expect(await mails()).toEqual([{ debt: 'falhou', mail: 'recusada', attempt: 7, response: '451 4.3.0 not now' }]);
  });

  test('refused for good has failed at once, and the others go', async () => {
    const debts = await issued(3);
    await stage.sql(`UPDATE billing_debts SET email = 'nobody@example.com' WHERE debt_id = $1`, [debts[1]?.debtId]);
    smtp.script = ({ recipient }) =>
      recipient.startsWith('nobody') ? SAYS('550 5.1.1 no such user', 'rcpt') : undefined;
    expect(await worker().pass()).toEqual({ ...NOTHING, sent: 2, mails_refused: 1 });
    const failed = { debt: 'falhou', mail: 'recusada', attempt: 1, response: '550 5.1.1 no such user' };
    expect(await mails()).toEqual([SENT, failed, SENT]);
  });

  test('of a server that ends each connection after one mail: it is there, and the next one is opened', async () => {
    const debts = await issued(5);
    smtp.script = ({ number }) => (number % 2 === 0 ? SAYS('421 4.7.0 enough', 'mail') : undefined);
    const one = worker({ connections: 1 });
    expect(await one.pass()).toEqual({ ...NOTHING, sent: 5, mails_unsent: 4 });
    expect([one.lines, taken().sort()]).toEqual([[], idsOf(debts).sort()]);
  });

  test('of a server that refuses all: it is asked about one at a time, as if it were away', async () => {
    await issued(80);
    smtp.script = () => SAYS('554 5.7.1 relay access denied', 'rcpt');
    const one = worker();
    expect(await one.pass()).toEqual({ ...NOTHING, mails_refused: 25 });
    expect(await one.pass()).toEqual(NOTHING);
    expect(one.lines).toMatchObject([
      { work: 'mails', err: { message: 'the mail server has refused 25 mails in a row' } },
    ]);
    expect((await mails()).filter(({ mail }) => mail === 'pendente')).toHaveLength(55);
  });

  test('of a server that refuses many and defers one: it knows us, and is asked about all', async () => {
    await issued(26);
    const each = { connections: 1 };
    smtp.script = ({ number }) => SAYS(number === 13 ? '450 4.2.1 not now' : '550 5.1.1 no such user', 'rcpt');
    const one = worker(each);
    expect(await one.pass()).toEqual({ ...NOTHING, mails_refused: 25, mails_later: 1 });
    expect(one.lines).toEqual([]);
  });

  test.each([true, false])('lost after the dot waits for a person, delivered or not: %s', async (delivered) => {
    const debts = await issued(2);
    smtp.script = ({ number }) => (number === 1 ? { kind: 'drops', at: 'dot', delivered } : undefined);
    const one = worker({ connections: 1 });
    expect(await one.pass()).toEqual({ ...NOTHING, mails_unknown: 1, sent: 1 });
    await timePasses(stage);
    expect(await one.pass()).toEqual(NOTHING);
    expect(await mails()).toEqual([
      { debt: 'gerada', mail: 'desconhecida', attempt: 1, response: expect.stringMatching(/^unknown: /) },
      SENT,
    ]);
    expect(taken()).toEqual(idsOf(delivered ? debts : debts.slice(1)));
  });

  test('lost after the dot goes again where the company wants that, seven times at most', async () => {
    await setUnknown('resend');
    const [debt] = await issued(1);
    smtp.script = () => ({ kind: 'drops', at: 'dot', delivered: true });
    for (let attempt = 1; attempt <= 8; attempt += 1) {
      await worker().pass();
      await timePasses(stage);
    }
    expect(taken()).toEqual(Array(7).fill(idOf(debt as TestDebt)));
    // It may have been read, so it has not failed.
    expect(await mails()).toEqual([
      { debt: 'gerada', mail: 'desconhecida', attempt: 7, response: expect.stringMatching(/^unknown: /) },
    ]);
  });

  test('answered too late is unknown, and the others go', async () => {
    await issued(3);
    smtp.script = ({ number }) => (number === 1 ? { kind: 'silent', at: 'dot', delivered: true } : undefined);
    const counts = await worker({ connections: 3, limits: { sendMs: 500 } }).pass();
    expect(counts).toEqual({ ...NOTHING, sent: 2, mails_unknown: 1 });
    expect([...new Set(smtp.times.values())]).toEqual([1]);
  });

  test('swept goes again where the company wants that, and is held where not', async () => {
    await setUnknown('resend');
    const other = await ownBiller(stage);
    await issued(1);
    await issued(1, other);
    await stage.sql(
      `UPDATE billing_deliveries SET attempt = 1, began_at = clock_timestamp() - interval '601 seconds'
                      WHERE company_no = ANY ($1)`,
      [[acme.companyNo, other.companyNo]],
    );
    expect(await worker().pass()).toEqual({ ...NOTHING, swept: 2, sent: 1 });
    expect(await mails()).toEqual([{ ...SENT, attempt: 2 }]);
    expect(await mails(other)).toEqual([{ ...WAITS, mail: 'desconhecida', attempt: 1 }]);
  });

  test('that ends its worker each time goes again seven times at most', async () => {
    await setUnknown('resend');
    await issued(1);
    const one = new Worker(stage);
    workers.push(one);
    for (let attempt = 1; attempt <= 7; attempt += 1) {
      await stage.sql(
        `SELECT billing_begin_send(array_agg(seq), array_agg(number), array_agg(attempt))
           FROM billing_claim_send($1, 1, interval '5 minutes')`,
        [acme.companyNo],
      );
      await stage.sql(
        `UPDATE billing_deliveries SET began_at = clock_timestamp() - interval '601 seconds' WHERE company_no = $1`,
        [acme.companyNo],
      );
      expect(await one.pass()).toEqual({ ...NOTHING, swept: 1 });
      expect(await mails()).toMatchObject([{ mail: attempt < 7 ? 'pendente' : 'desconhecida', attempt }]);
    }
  });

  test('begun a moment ago is not swept', async () => {
    await issued(1);
    await stage.sql(
      `UPDATE billing_deliveries SET attempt = 1, began_at = clock_timestamp() - interval '590 seconds'
                      WHERE company_no = $1`,
      [acme.companyNo],
    );
    expect(await worker().pass()).toEqual(NOTHING);
  });

  test('impossible to make is put off, in the end has failed, and does not stop the others', async () => {
    const debts = await issued(3);
    await stage.sql(`UPDATE billing_debts SET name = E'a\\r\\nBcc: all@example.com' WHERE debt_id = $1`, [
      debts[1]?.debtId,
    ]);
    const one = worker();
    expect(await one.pass()).toEqual({ ...NOTHING, sent: 2 });
    const [, bad] = await mails();
    expect(bad).toEqual({ debt: 'gerada', mail: 'pendente', attempt: 1, response: 'the mail could not be made' });
    expect(one.lines).toEqual([
      {
        msg: 'a bug: a mail cannot be made; it is tried again',
        seq: expect.any(String),
        number: 1,
        kind: 'RangeError',
        at: expect.any(Array),
      },
    ]);
    expect(JSON.stringify(one.lines)).not.toContain('Bcc');
    for (let attempt = 2; attempt <= 8; attempt += 1) {
      await timePasses(stage);
      await one.pass();
    }
    expect((await mails())[1]).toEqual({
      debt: 'falhou',
      mail: 'recusada',
      attempt: 7,
      response: 'the mail could not be made',
    });
    expect(smtp.delivered).toHaveLength(2);
  });
});
