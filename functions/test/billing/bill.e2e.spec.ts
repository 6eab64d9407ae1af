import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { FaultySmtp } from '../../../testing/smtp-faults.js';
import { debtIdOf } from '../../billing/issue/codes/txid.js';
import { someBiller, someDebt, store, type TestBiller, withoutIssuing } from './fixtures.js';
import { ISSUED, outcomes, ownBiller, timePasses } from './issuing.js';
import { readBarcode } from './symbol-readers.js';

const DEBTS = 2_000;

let stage: ApiStage;
let acme: TestBiller;

beforeAll(async () => {
  stage = await ApiStage.open();
  acme = await someBiller(stage);
});
afterAll(() => stage.close());

const get = (debtId: string, what: string, method = 'GET', { company } = acme) =>
  fetch(`${stage.url}/api/billing/debts/${debtId}/${what}?company_id=${company.id}`, {
    method,
    headers: { authorization: `Bearer ${acme.owner.token}` },
  });
const codeOf = async (debtId: string, what: string, whose = acme) => {
  const answer = await get(debtId, what, 'GET', whose);
  return [answer.status, ((await answer.json()) as { code: string }).code];
};
const DOCUMENTS = ['boleto', 'boleto.pdf', 'barcode.svg', 'qrcode.svg'];
const statusOf = async (seq: string | undefined) =>
  (await stage.sql<{ status: string }>('SELECT status FROM billing_debts WHERE seq = $1', [seq]))[0]?.status;

test('a plain server issues what is owed, and gives it out until it is paid', async () => {
  const debt = someDebt({ cents: 123_405 });
  const [seq] = await store(stage, acme, [debt]);
  await stage.until(async () => (await statusOf(seq)) === 'gerada', 'it is issued');
  const [title] = await stage.sql<{ barcode: string }>(
    'SELECT barcode FROM simulated_bank_titles WHERE our_number = $1',
    [seq],
  );
  const barcode = title?.barcode ?? '';

  const json = await get(debt.debtId.toUpperCase(), 'boleto');
  const body = (await json.json()) as Record<string, string>;
  expect(body).toMatchObject({
    barcode,
    due_on: debt.dueOn,
    amount: '1234.05',
    notice: 'EXEMPLO, SEM VALOR DE PAGAMENTO',
  });
  expect(debtIdOf(body.txid ?? '')).toBe(debt.debtId);
  expect(body.pix_copy_paste).toContain(body.txid);
  expect(body.digitable_line_formatted?.replace(/[ .]/g, '')).toBe(body.digitable_line);

  const pdf = await get(debt.debtId, 'boleto.pdf');
  expect([
    pdf.headers.get('content-type'),
    pdf.headers.get('content-disposition'),
    pdf.headers.get('cache-control'),
  ]).toEqual(['application/pdf', `inline; filename="boleto-${debt.debtId.slice(-8)}.pdf"`, 'private, no-store']);
  expect((await pdf.text()).slice(0, 5)).toBe('%PDF-');
  const head = await get(debt.debtId, 'boleto.pdf', 'HEAD');
  expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([
    200,
    pdf.headers.get('content-length'),
    '',
  ]);

  const svg = await (await get(debt.debtId, 'barcode.svg')).text();
  const bars = [...svg.matchAll(/<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"/g)];
  expect(readBarcode(bars.map(([, x, width]) => ({ x: Number(x), y: 0, width: Number(width), height: 1 })))).toBe(
    barcode,
  );
  expect((await get(debt.debtId, 'qrcode.svg')).headers.get('content-type')).toBe('image/svg+xml');

  await stage.sql(`SELECT billing_pay($1, 'e', $2, 'x', 123405, now(), 'pix', NULL)`, [acme.companyNo, debt.debtId]);
  for (const document of DOCUMENTS) expect(await codeOf(debt.debtId, document)).toEqual([409, 'BILLING.DEBT_CLOSED']);
});

test('a debt that is not issued has no document yet', async () => {
  const waiting = await someBiller(stage, acme.owner);
  await withoutIssuing(stage, waiting);
  const debt = someDebt();
  await store(stage, waiting, [debt]);
  for (const document of DOCUMENTS)
    expect(await codeOf(debt.debtId, document, waiting)).toEqual([409, 'BILLING.NOT_ISSUED']);
});

test('a server that is killed while it issues leaves each debt one title, one boleto, one mail', {
  timeout: 120_000,
}, async () => {
  const other = await someBiller(stage);
  const client = new pg.Client({ connectionString: stage.env.DATABASE_URL });
  await client.connect();
  const count = async (sql: string) => Number((await stage.sql<{ count: string }>(sql))[0]?.count);
  try {
    // First before the bank has heard of it, then when the bank has done it and nothing is recorded.
    for (const [table, reached] of [
      ['simulated_bank_titles', 'SELECT count(*) FROM billing_debts WHERE asked_at IS NOT NULL AND issued_at IS NULL'],
      [
        'billing_invoices',
        'SELECT count(*) FROM simulated_bank_titles t WHERE NOT EXISTS (SELECT FROM billing_invoices i WHERE i.seq = t.our_number)',
      ],
    ] as const) {
      await client.query(`BEGIN; LOCK TABLE ${table} IN EXCLUSIVE MODE`);
      if (table === 'simulated_bank_titles')
        await store(
          stage,
          other,
          Array.from({ length: DEBTS }, () => someDebt()),
        );
      await timePasses(stage);
      await stage.until(async () => (await count(reached)) > 0, `it waits for ${table}`);
      await stage.kill();
      // What the dead process has asked for ends with its connection.
      await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                           WHERE datname = current_database() AND pid <> pg_backend_pid() AND wait_event_type = 'Lock'`);
      await client.query('COMMIT');
      await stage.start();
    }
  } finally {
    await client.end();
  }
  await timePasses(stage);
  await stage.until(
    async () => (await outcomes(stage, other)).every(([, { status }]) => status === 'gerada'),
    'all are issued',
  );
  expect(await outcomes(stage, other)).toEqual([[DEBTS, ISSUED]]);
});

test('npm run bill does one pass, says what it did, and fails while something is owed', {
  timeout: 60_000,
}, async () => {
  await stage.kill();
  const seqs = await store(stage, acme, [someDebt(), someDebt()]);
  const bill = async () => {
    const command = stage.script('command', ['bill'], { LOG_LEVEL: 'error' });
    return [await command.exited, command.everything.trim()];
  };
  await stage.sql(`UPDATE billing_debts SET lease_until = clock_timestamp() + interval '5 minutes' WHERE seq = $1`, [
    seqs[0],
  ]);
  const did = (issued: number, owed: string) =>
    `0 chunks merged, ${issued} boletos issued, 0 mails sent, 0 written off, still owed: 0 lines, ${owed}`;
  const WAIT = 'wait: SMTP_URL is not set';
  const [{ waiting = 0 } = {}] = await stage.sql<{ waiting: number }>(
    `SELECT count(*)::int AS waiting FROM billing_deliveries WHERE status = 'pendente'`,
  );
  const owed = (boletos: number, mails: number) =>
    `${boletos} boletos, ${mails} mails, 0 write-offs, ${mails} mails ${WAIT}`;
  expect(await bill()).toEqual([75, did(1, owed(1, waiting + 1))]);
  await timePasses(stage);
  expect(await bill()).toEqual([0, did(1, owed(0, waiting + 2))]);
});

test('npm run bill sends what is owed, and fails while a mail may go and does not', { timeout: 60_000 }, async () => {
  await stage.kill();
  await stage.sql(`UPDATE billing_companies SET deleted = true`);
  const mine = await ownBiller(stage);
  await store(stage, mine, [someDebt(), someDebt()]);
  const smtp = await FaultySmtp.listen(({ number }) =>
    number === 1 ? { kind: 'says', at: 'rcpt', text: '550 5.1.1 no such user' } : undefined,
  );
  const { url } = smtp;
  const bill = async () => {
    const env = { LOG_LEVEL: 'silent', SMTP_URL: url, SMTP_FROM: 'cobranca@acme.example', SMTP_CONNECTIONS: '1' };
    const command = stage.script('command', ['bill'], env);
    return [await command.exited, command.everything.trim()];
  };
  try {
    expect(await bill()).toEqual([
      0,
      '0 chunks merged, 2 boletos issued, 1 mails sent, 0 written off, 1 mails refused, still owed: 0 lines, 0 boletos, 0 mails, 0 write-offs',
    ]);
  } finally {
    await smtp.close();
  }
  await store(stage, mine, [someDebt()]);
  expect(await bill()).toEqual([
    75,
    '0 chunks merged, 1 boletos issued, 0 mails sent, 0 written off, still owed: 0 lines, 0 boletos, 1 mails, 0 write-offs',
  ]);
});
