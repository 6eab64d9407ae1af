import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage, type TestUser } from '../../../testing/api-stage.js';
import { DebtsRepository } from '../../billing/read/debts.repository.js';
import { issue, someBiller, someDebt, store, type TestBiller, type TestDebt, withoutIssuing } from './fixtures.js';

interface Debt {
  [field: string]: unknown;
  debt_id: string;
}
interface DebtSlice {
  data: Debt[];
  next: number | null;
}

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const IMPORT = expect.stringMatching(/^i[0-9a-f]{23}$/);
const UNKNOWN = '00000000-0000-4000-8000-000000000000';

let stage: ApiStage;
let owner: TestUser;
beforeAll(async () => {
  stage = await ApiStage.open();
  owner = await stage.user();
});
afterAll(() => stage?.close());

/** What the API answers to the owner of a company about its debts. */
function ask<T = Debt>(biller: TestBiller, path: string, query = '', method = 'GET') {
  const url = `/api/billing/debts${path}?company_id=${biller.company.id}${query}`;
  return stage.api<T>(method, url, { token: biller.owner.token });
}

async function list(biller: TestBiller, query = ''): Promise<DebtSlice> {
  const { status, body } = await ask<DebtSlice>(biller, '', query);
  if (status !== 200) throw new Error(`${query}: ${status} ${JSON.stringify(body)}`);
  return body;
}

/** A company whose debts stay as this test stores them. */
async function newBiller(): Promise<TestBiller> {
  const biller = await someBiller(stage, owner);
  await withoutIssuing(stage, biller);
  return biller;
}

const idsOf = ({ data }: DebtSlice) => data.map(({ debt_id }) => debt_id);

/** Today and its neighbours in São Paulo, as the calendar of this process has them. */
function dayIn(days: number): string {
  const format = new Intl.DateTimeFormat('sv', { timeZone: 'America/Sao_Paulo', dateStyle: 'short' });
  return format.format(Date.now() + days * 86_400_000);
}

/** A debt as the API shows it before anything happened to it. */
function fresh(debt: TestDebt, more: Record<string, unknown>): Record<string, unknown> {
  return {
    debt_id: debt.debtId,
    name: debt.name,
    government_id: debt.governmentId,
    government_id_kind: 'cpf',
    email: debt.email,
    amount: '100.00',
    amount_cents: debt.cents,
    due_on: debt.dueOn,
    status: 'importada',
    overdue: false,
    import_id: IMPORT,
    line: 2,
    txid: expect.stringMatching(/^[0-9A-Z]{25}$/),
    issued_at: null,
    sent_at: null,
    paid_at: null,
    paid_cents: 0,
    overpaid_cents: 0,
    cancelled_at: null,
    hold: false,
    created_at: TIME,
    updated_at: TIME,
    ...more,
  };
}

describe('one debt', () => {
  test('has no boleto, no mail and no payment before it is issued', async () => {
    const biller = await newBiller();
    const debt = someDebt({ debtId: '1adb6ccf-ff16-467f-bea7-5f05d494280f', dueOn: dayIn(1) });
    await store(stage, biller, [debt]);
    const { status, body } = await ask(biller, `/${debt.debtId.toUpperCase()}`);
    const expected = fresh(debt, { txid: '1L8ND9OX4A0AYZM0RC57275ZJ', invoice: null, deliveries: [], payments: [] });
    expect([status, body]).toEqual([200, expected]);
    expect(Object.keys(body)).toEqual(Object.keys(expected));
  });

  test('shows its boleto, its mails in their order, and each payment', async () => {
    const biller = await newBiller();
    const debt = someDebt({ cents: 100_000_000, dueOn: '2022-10-12', governmentId: '11111111111' });
    const [seq = ''] = await store(stage, biller, [debt]);
    await issue(stage, [seq], ['99991913601000000001700000100000000000000001']);
    const times = `'2026-01-02T03:04:05.678Z', '2026-01-02T03:04:06.000Z'`;
    await stage.sql(
      `UPDATE billing_deliveries SET attempt = 2, began_at = '2026-01-02T03:04:05Z', message_date = '2026-01-02T03:00:00Z',
         outcome = 'recusada', outcome_at = '2026-01-02T03:04:06Z', response = '550 no such user' WHERE seq = $1`,
      [seq],
    );
    await stage.sql(
      `INSERT INTO billing_deliveries (seq, number, company_no, message_date) VALUES ($1, 2, $2, '2026-01-03T00:00:00Z')`,
      [seq, biller.companyNo],
    );
    await stage.sql(
      `INSERT INTO billing_payments (company_no, event_id, seq, content, cents, paid_at, received_at, method)
       VALUES ($1, 'b', $2, 'b', 60000000, ${times}, 'pix'), ($1, 'a', $2, 'a', 70000000, ${times}, NULL)`,
      [biller.companyNo, seq],
    );
    await stage.sql(
      `UPDATE billing_debts SET paid_cents = 130000000, paid_at = '2026-01-02T03:04:05.678Z' WHERE seq = $1`,
      [seq],
    );
    const payment = {
      result: 'recorded',
      paid_at: '2026-01-02T03:04:05.678Z',
      received_at: '2026-01-02T03:04:06.000Z',
    };
    expect((await ask(biller, `/${debt.debtId}`)).body).toEqual(
      fresh(debt, {
        government_id_kind: 'unverified',
        amount: '1000000.00',
        status: 'paga',
        issued_at: TIME,
        paid_at: '2026-01-02T03:04:05.678Z',
        paid_cents: 130_000_000,
        overpaid_cents: 30_000_000,
        invoice: {
          barcode: '99991913601000000001700000100000000000000001',
          digitable_line: '99991.70005 00100.000009 00000.000018 1 91360100000000'.replace(/[ .]/g, ''),
          bank_reference: '99991913601000000001700000100000000000000001',
          settings_version: 0,
          registered_at: TIME,
        },
        deliveries: [
          {
            number: 1,
            status: 'recusada',
            attempt: 2,
            queued_at: '2026-01-02T03:00:00.000Z',
            began_at: '2026-01-02T03:04:05.000Z',
            ended_at: '2026-01-02T03:04:06.000Z',
            response: '550 no such user',
          },
          {
            number: 2,
            status: 'pendente',
            attempt: 0,
            queued_at: '2026-01-03T00:00:00.000Z',
            began_at: null,
            ended_at: null,
            response: null,
          },
        ],
        payments: [
          { ...payment, event_id: 'a', paid_cents: 70_000_000, method: null },
          { ...payment, event_id: 'b', paid_cents: 60_000_000, method: 'pix' },
        ],
      }),
    );
  });

  test.each([
    ['unknown', UNKNOWN],
    ['no UUID', 'abc'],
    ['a UUID with a NUL', `${UNKNOWN}%00`],
  ])('is not found when its id is %s', async (_, id) => {
    const { status, body } = await ask(await newBiller(), `/${id}`);
    expect([status, body.code]).toEqual([404, 'BILLING.DEBT_NOT_FOUND']);
  });

  test('holds when a mail of it is unknown, and no longer when its end is known', async () => {
    const biller = await newBiller();
    const [seq = ''] = await store(stage, biller, [someDebt()]);
    await issue(stage, [seq], [seq.padStart(44, '0')]);
    const holds = async () => (await list(biller)).data.map(({ hold }) => hold);
    const set = (values: string) => stage.sql(`UPDATE billing_deliveries SET ${values} WHERE seq = $1`, [seq]);
    const seen = [await holds()];
    await set('began_at = now()');
    seen.push(await holds());
    await set('held_at = now()');
    seen.push(await holds());
    await set(`outcome = 'enviada', outcome_at = now()`);
    seen.push(await holds());
    expect(seen).toEqual([[false], [false], [true], [false]]);
  });
});

describe('cancelling', () => {
  test('answers the debt, and answers the same once more', async () => {
    const biller = await newBiller();
    const debt = someDebt({ dueOn: dayIn(-1) });
    await store(stage, biller, [debt]);
    const first = await ask(biller, `/${debt.debtId}/cancel`, '', 'POST');
    expect([first.status, first.body]).toEqual([200, fresh(debt, { status: 'cancelada', cancelled_at: TIME })]);
    const again = await ask(biller, `/${debt.debtId}/cancel`, '', 'POST');
    expect([again.status, again.body]).toEqual([200, first.body]);
  });

  test('is for owners, and for a debt that is there and not paid', async () => {
    const biller = await newBiller();
    const member = await stage.user();
    await stage.member(biller.owner, biller.company, member);
    const [open, paid] = [someDebt(), someDebt()];
    await store(stage, biller, [open, paid]);
    await stage.sql('UPDATE billing_debts SET paid_at = now(), paid_cents = cents WHERE debt_id = $1', [paid.debtId]);
    const asMember = { ...biller, owner: member };
    const answers = [
      await ask(asMember, `/${open.debtId}/cancel`, '', 'POST'),
      await ask(biller, `/${paid.debtId}/cancel`, '', 'POST'),
      await ask(biller, `/${UNKNOWN}/cancel`, '', 'POST'),
    ];
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
      [403, 'COMPANY.NOT_OWNER'],
      [409, 'BILLING.INVALID_TRANSITION'],
      [404, 'BILLING.DEBT_NOT_FOUND'],
    ]);
    expect((await list(asMember)).data.map(({ status }) => status)).toEqual(['importada', 'paga']);
  });
});

describe('the list', () => {
  let biller: TestBiller;
  let debts: TestDebt[];
  let imports: unknown[];

  beforeAll(async () => {
    biller = await newBiller();
    debts = [
      someDebt({ dueOn: dayIn(-1), governmentId: '11222333000181', email: 'Ana@Example.com' }),
      someDebt({ dueOn: dayIn(0), governmentId: '00000000191' }),
      someDebt({ dueOn: dayIn(1), governmentId: '12ABC34501DE35', cents: 1 }),
      someDebt({ dueOn: dayIn(-1), cents: 9_999_999_999 }),
      someDebt({ dueOn: dayIn(-1), cents: 5 }),
      someDebt({ dueOn: '2031-01-31', name: 'Zé "da" Silva, Jr.' }),
    ];
    await store(stage, await newBiller(), [someDebt({ dueOn: dayIn(-1) })]);
    const first = await store(stage, biller, debts.slice(0, 4));
    const second = await store(stage, biller, debts.slice(4));
    const set = (values: string, seq?: string) => stage.sql(`UPDATE billing_debts SET ${values} WHERE seq = $1`, [seq]);
    await set('paid_at = now(), paid_cents = cents', first[3]);
    await set('cancelled_at = now()', second[0]);
    await set('failed_at = now()', second[1]);
    imports = (await list(biller)).data.map(({ import_id }) => import_id);
  });

  const numbersOf = (slice: DebtSlice) => idsOf(slice).map((id) => debts.findIndex(({ debtId }) => debtId === id));

  test('shows each debt in the order in which they were made', async () => {
    const { data, next } = await list(biller);
    const amounts = ['100.00', '100.00', '0.01', '99999999.99', '0.05', '100.00'];
    const kinds = ['cnpj', 'cpf', 'cnpj', 'cpf', 'cpf', 'cpf'];
    const more: object[] = [
      { overdue: true },
      {},
      {},
      { status: 'paga', paid_at: TIME, paid_cents: 9_999_999_999 },
      { status: 'cancelada', cancelled_at: TIME, line: 2 },
      { status: 'falhou', line: 3 },
    ];
    expect([data, next]).toEqual([
      debts.map((debt, at) =>
        fresh(debt, { line: at + 2, amount: amounts[at], government_id_kind: kinds[at], ...more[at] }),
      ),
      null,
    ]);
  });

  test.each([
    ['&status=importada', [0, 1, 2]],
    ['&status=paga', [3]],
    ['&status=enviada', []],
    ['&overdue=true', [0]],
    ['&overdue=false', [1, 2, 3, 4, 5]],
    [`&due_from=${dayIn(0)}`, [1, 2, 5]],
    [`&due_to=${dayIn(0)}`, [0, 1, 3, 4]],
    [`&due_from=${dayIn(0)}&due_to=${dayIn(1)}`, [1, 2]],
    [`&due_from=${dayIn(1)}&due_to=${dayIn(1)}`, [2]],
    ['&government_id=11.222.333/0001-81', [0]],
    ['&government_id=12.abc.345/01de-35', [2]],
    ['&government_id=191', []],
    ['&email=ana@example.COM', [0]],
    ['&email=fulana@example.com&status=importada', [1, 2]],
    [`&email=%25`, []],
    ['&limit=1000&after=9007199254740991', []],
  ])('of %s has these debts: %j', async (query, expected) => {
    expect(numbersOf(await list(biller, query))).toEqual(expected);
  });

  test('of an import has the debts that the import made', async () => {
    expect(numbersOf(await list(biller, `&import_id=${imports[4]}`))).toEqual([4, 5]);
  });

  test('of an unknown import, or of another company, is refused', async () => {
    const other = await newBiller();
    await store(stage, other, [someDebt()]);
    const [theirs] = (await list(other)).data;
    for (const id of [theirs?.import_id, 'a%00b', 'zzzzzzzz'])
      for (const path of ['', '.csv']) {
        const { status, body } = await ask(biller, path, `&import_id=${id}`);
        expect([id, status, body.code]).toEqual([id, 404, 'BILLING.IMPORT_NOT_FOUND']);
      }
  });

  test.each([
    ['status=vencida', 'status'],
    ['status=paga&status=gerada', 'status'],
    ['overdue=1', 'overdue'],
    ['due_from=2025-02-29', 'due_from'],
    ['due_to=0000-01-01', 'due_to'],
    ['due_to=31/12/2026', 'due_to'],
    ['due_from=2027-01-01&due_to=2026-12-31', 'due_to'],
    ['government_id=', 'government_id'],
    ['government_id=123456789012345', 'government_id'],
    ['government_id=1%00', 'government_id'],
    ['email=', 'email'],
    ['email=a%00b', 'email'],
    ['import_id=', 'import_id'],
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['after=-1', 'after'],
    ['after=9007199254740992', 'after'],
    ['after=1.5', 'after'],
    ['page=1', 'page'],
    ['company_id=', 'company_id'],
  ])('is refused with %s', async (query, path) => {
    const url = `/api/billing/debts?${query.startsWith('company_id') ? '' : `company_id=${biller.company.id}&`}${query}`;
    const { status, body } = await stage.api('GET', url, { token: biller.owner.token });
    const wrong = new Set((body.errors as { path: string }[]).map((error) => error.path));
    expect([status, body.code, wrong]).toEqual([400, 'VALIDATION', new Set([path])]);
  });

  test('of a company that never billed is empty', async () => {
    const never = { owner, company: await stage.company(owner), companyNo: 0 };
    expect(await list(never)).toEqual({ data: [], next: null });
  });

  test('is the same as CSV, with every value as it is and nothing for null', async () => {
    const { body, headers } = await ask<string>(biller, '.csv');
    expect(headers.get('content-type')).toBe('text/csv; charset=utf-8');
    const shown = (await list(biller)).data;
    const text = (value: unknown) => (value === null ? '' : String(value));
    const lines = shown.map((debt) => Object.values(debt).map(text));
    // the only value of them that RFC 4180 quotes
    const csv = lines.map((line) => line.join(',').replace('Zé "da" Silva, Jr.', '"Zé ""da"" Silva, Jr."'));
    expect(body).toBe([Object.keys(shown[0] ?? {}).join(','), ...csv, ''].join('\r\n'));
  });

  test('as CSV takes the same filters', async () => {
    const { body } = await ask<string>(biller, '.csv', '&status=importada&limit=2');
    expect(body.split('\r\n').map((line) => line.split(',')[0])).toEqual([
      'debt_id',
      debts[0]?.debtId,
      debts[1]?.debtId,
      '',
    ]);
  });
});

test('who pages through gets each debt once, while imports that began before are committed', async () => {
  const biller = await newBiller();
  const before = Array.from({ length: 25 }, () => someDebt());
  await store(stage, biller, before.slice(0, 5));
  const importer = await stage.stores.pool.connect();
  // its debts have a lower seq than those that are there first
  await importer.query('BEGIN');
  await importer.query(
    `INSERT INTO billing_debts (company_no, debt_id, import_no, line, name, government_id, email, cents, due_on)
     SELECT $1, gen_random_uuid(), (SELECT max(import_no) FROM billing_imports WHERE company_no = $1), n, 'a', '1', 'a@b.co', 1, '2026-12-31'
       FROM generate_series(1, 10) n`,
    [biller.companyNo],
  );
  await store(stage, biller, before.slice(5));
  const seen: string[] = [];
  let after: number | null = 0;
  while (after !== null) {
    const slice: DebtSlice = await list(biller, `&limit=7&after=${after}`);
    seen.push(...idsOf(slice));
    after = slice.next;
    if (seen.length === 7) {
      await importer.query('COMMIT');
      importer.release();
      await store(stage, biller, [someDebt()]);
    }
  }
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen.filter((id) => before.some(({ debtId }) => debtId === id))).toEqual(before.map(({ debtId }) => debtId));
  expect((await list(biller)).data.length).toBe(36);
});

describe('a slice', () => {
  let big: TestBiller;
  let small: TestBiller;

  beforeAll(async () => {
    [big, small] = [await newBiller(), await newBiller()];
    await stage.sql('ALTER TABLE billing_debts SET (autovacuum_enabled = false)');
    for (const [{ companyNo }, count] of [
      [big, 20_000],
      [small, 10],
      [big, 10],
    ] as const)
      await stage.sql(
        `INSERT INTO billing_debts (company_no, debt_id, import_no, line, name, government_id, email, cents, due_on)
         SELECT $1, gen_random_uuid(), 0, n, 'a', '1', 'a@b.co', 1, '2026-12-31' FROM generate_series(1, $2) n`,
        [companyNo, count],
      );
  });

  /** How PostgreSQL reads billing_debts for a slice: each kind of scan or sort, with the index that it uses. */
  async function readingOf({ companyNo }: TestBiller, after: number): Promise<string[]> {
    const client = await stage.stores.pool.connect();
    const query = async (text: string, values: unknown[] = []) =>
      (await client.query<{ 'QUERY PLAN': string }>(text.startsWith('SELECT') ? `EXPLAIN ${text}` : text, values)).rows;
    let plan: { 'QUERY PLAN': string }[] = [];
    const transaction = async (work: (sql: object) => Promise<typeof plan>) => {
      await client.query('BEGIN');
      plan = await work({ query });
      await client.query('ROLLBACK');
      return plan;
    };
    const filter = { after, limit: 1_000, status: 'paga', import_no: 7 };
    await new DebtsRepository({ transaction } as never).slice(companyNo, filter as never);
    client.release();
    const lines = plan.map((row) => row['QUERY PLAN']);
    return lines.flatMap((line) => /(\w.* on billing_debts|Incremental Sort|Sort) {2}/.exec(line)?.[1] ?? []);
  }

  test.each([false, true])('is walked in the order of the list, with the table analyzed: %s', async (analyzed) => {
    if (analyzed) await stage.sql('ANALYZE billing_debts');
    const walk = ['Index Scan using billing_debts_listed on billing_debts'];
    expect([await readingOf(big, 0), await readingOf(big, 100), await readingOf(small, 0)]).toEqual([walk, walk, walk]);
  });
});
