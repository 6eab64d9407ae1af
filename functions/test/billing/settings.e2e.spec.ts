import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage, type TestUser } from '../../../testing/api-stage.js';
import { someBiller, someDebt, store, type TestBiller } from './fixtures.js';
import { pay, somePayment } from './paying.js';

const SETTINGS = {
  beneficiary: 'Padaria São João Ltda.',
  city: 'São Luís',
  pix_key: '12345678000195',
  agreement: 123_456,
  sender_name: 'Padaria São João',
  unknown: 'resend',
  documents: 'strict',
  issue_days_before: 10,
};

let stage: ApiStage;
let owner: TestUser;
let member: TestUser;
let stranger: TestUser;
beforeAll(async () => {
  stage = await ApiStage.open();
  [owner, member, stranger] = await Promise.all([stage.user(), stage.user(), stage.user()]);
});
afterAll(() => stage.close());

const at = (path: string, id: string) => `/api/billing/settings${path}?company_id=${id}`;

/** A company whose settings nobody has set, without a row in billing. The member is one of it. */
async function someCompany() {
  const company = await stage.company(owner);
  await stage.member(owner, company, member);
  return company;
}

const get = async (user: TestUser, id: string) => stage.api('GET', at('', id), { token: user.token });
const put = async (user: TestUser, id: string, body: object) =>
  stage.api('PUT', at('', id), { token: user.token, body });
const makeSecret = async ({ owner, company }: Pick<TestBiller, 'owner' | 'company'>) =>
  stage.api<{ secret: string; created_at: string }>('POST', at('/webhook-secrets', company.id), { token: owner.token });

const versions = (id: string) =>
  stage.sql(
    `SELECT version, user_id, agreement FROM billing_settings JOIN billing_companies USING (company_no)
      WHERE company_id = $1 ORDER BY version`,
    [id],
  );

describe('settings', () => {
  test('are defaults until they are set, and then what was set', async () => {
    const company = await someCompany();
    const defaults = {
      beneficiary: 'EMPRESA FICTICIA',
      city: 'SAO PAULO',
      pix_key: company.document,
      agreement: 1,
      sender_name: 'Acme',
      unknown: 'hold',
      documents: 'lenient',
      issue_days_before: null,
    };
    expect((await get(member, company.id)).body).toEqual(defaults);
    expect(await put(owner, company.id, defaults)).toMatchObject({ status: 200, body: defaults });
    expect(await put(owner, company.id, SETTINGS)).toMatchObject({ status: 200, body: SETTINGS });
    expect((await get(member, company.id)).body).toEqual(SETTINGS);
    expect(await versions(company.id)).toEqual([
      { version: 1, user_id: owner.id, agreement: 1 },
      { version: 2, user_id: owner.id, agreement: 123_456 },
    ]);
  });

  test('set again as they are make no version', async () => {
    const company = await someCompany();
    for (const agreement of [5, 5, 6, 5])
      expect((await put(owner, company.id, { ...SETTINGS, agreement })).body.agreement).toBe(agreement);
    expect(await versions(company.id)).toMatchObject([{ agreement: 5 }, { agreement: 6 }, { agreement: 5 }]);
  });

  test('set by many at once have a version each', async () => {
    const company = await someCompany();
    const agreements = Array.from({ length: 20 }, (_, number) => number + 1);
    const answers = await Promise.all(
      agreements.map((agreement) => put(owner, company.id, { ...SETTINGS, agreement })),
    );
    expect(answers.map(({ status }) => status)).toEqual(agreements.map(() => 200));
    const rows = (await versions(company.id)) as { version: number; agreement: number }[];
    expect(rows.map(({ version }) => version)).toEqual(agreements);
    expect(rows.map(({ agreement }) => agreement).sort((a, b) => a - b)).toEqual(agreements);
  });

  test('are of one company only', async () => {
    const company = await someCompany();
    const other = await stage.company(owner);
    await put(owner, company.id, SETTINGS);
    expect((await get(owner, other.id)).body).toMatchObject({ agreement: 1, pix_key: other.document });
  });

  test('are seen by members, set by owners, and there for nobody else', async () => {
    const company = await someCompany();
    const asked = async (user: TestUser, id = company.id) => [
      (await get(user, id)).status,
      (await put(user, id, SETTINGS)).body.code ?? 200,
      (await makeSecret({ owner: user, company: { ...company, id } })).body,
    ];
    const hidden = { code: 'COMPANY.NOT_FOUND' };
    expect(await asked(member)).toMatchObject([200, 'COMPANY.NOT_OWNER', { code: 'COMPANY.NOT_OWNER' }]);
    expect(await asked(stranger)).toMatchObject([404, 'COMPANY.NOT_FOUND', hidden]);
    expect(await asked(owner, 'tz4a98xxat96iws9zmbrgj3a')).toMatchObject([404, 'COMPANY.NOT_FOUND', hidden]);
    expect(await asked({ ...owner, token: 'x' })).toMatchObject([
      401,
      'AUTH.TOKEN_INVALID',
      { code: 'AUTH.TOKEN_INVALID' },
    ]);
    expect(await versions(company.id)).toEqual([]);
    await stage.api('DELETE', `/api/companies/${company.id}`, { token: owner.token });
    expect(await asked(owner)).toMatchObject([404, 'COMPANY.NOT_FOUND', hidden]);
    expect((await stage.api('GET', '/api/billing/settings', { token: owner.token })).status).toBe(400);
  });
});

describe('settings that fit nothing are refused', () => {
  let company: string;
  beforeAll(async () => {
    company = (await someCompany()).id;
  });

  test.each<[string, object]>([
    ['beneficiary', { beneficiary: ' ' }],
    ['beneficiary', { beneficiary: 'Padaria\nSão João' }],
    ['beneficiary', { beneficiary: 'パン屋' }],
    ['beneficiary', { beneficiary: '...' }],
    ['beneficiary', { beneficiary: 'x'.repeat(81) }],
    ['city', { city: '' }],
    ['city', { city: 'x'.repeat(41) }],
    ['pix_key', { pix_key: '12345678000194' }],
    ['pix_key', { pix_key: 5 }],
    ['agreement', { agreement: 0 }],
    ['agreement', { agreement: 1_000_000 }],
    ['agreement', { agreement: 1.5 }],
    ['sender_name', { sender_name: 'Padaria\r\nBcc: all@example.com' }],
    ['unknown', { unknown: 'forget' }],
    ['documents', { documents: null }],
    ['issue_days_before', { issue_days_before: -1 }],
    ['issue_days_before', { issue_days_before: 366 }],
    ['issue_days_before', { issue_days_before: undefined }],
    ['colour', { colour: 'red' }],
  ])('%s: %j', async (path, wrong) => {
    const { status, body } = await put(owner, company, { ...SETTINGS, ...wrong });
    expect({ status, errors: body.errors }).toEqual({ status: 400, errors: [{ path, message: expect.any(String) }] });
  });

  test('what is written in another way is kept in one', async () => {
    const written = { beneficiary: ' Padaria Sa\u0303o Joa\u0303o ', pix_key: '12.345.678/0001-95' };
    expect((await put(owner, company, { ...SETTINGS, ...written })).body).toEqual({
      ...SETTINGS,
      beneficiary: 'Padaria São João',
    });
  });
});

describe('a secret of the webhook', () => {
  const expiries = ({ companyNo }: TestBiller) =>
    stage.sql<{ left: number | null }>(
      `SELECT round(extract(epoch FROM expires_at - clock_timestamp()) / 3600)::int AS left
         FROM billing_webhook_secrets WHERE company_no = $1 ORDER BY created_at`,
      [companyNo],
    );
  const fits = async (biller: TestBiller, secret: string) =>
    (await pay(stage, biller.company.id, secret, somePayment(crypto.randomUUID()))).status === 200;

  test('is shown once, and signs payments from then on', async () => {
    const biller = await someBiller(stage, owner);
    const debt = someDebt();
    await store(stage, biller, [debt]);
    const { status, body } = await makeSecret(biller);
    expect(status).toBe(201);
    expect(body).toEqual({
      secret: expect.stringMatching(/^pay_[A-Za-z0-9_-]{43}$/),
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    });
    expect((await pay(stage, biller.company.id, body.secret, somePayment(debt.debtId))).body).toEqual({
      result: 'recorded',
    });
    expect(JSON.stringify((await get(biller.owner, biller.company.id)).body)).not.toContain(body.secret);
  });

  test('lives for 24 hours more when there is a newer one, and is gone after them', async () => {
    const biller = await someBiller(stage, owner);
    const first = (await makeSecret(biller)).body.secret;
    const second = (await makeSecret(biller)).body.secret;
    expect(await expiries(biller)).toEqual([{ left: 24 }, { left: null }]);
    expect([await fits(biller, first), await fits(biller, second)]).toEqual([true, true]);
    const late = `UPDATE billing_webhook_secrets SET expires_at = clock_timestamp() - interval '1 second' WHERE secret = $1`;
    await stage.sql(late, [first]);
    expect([await fits(biller, first), await fits(biller, second)]).toEqual([false, true]);
    const third = (await makeSecret(biller)).body.secret;
    expect(await expiries(biller)).toEqual([{ left: 24 }, { left: null }]);
    expect([await fits(biller, first), await fits(biller, second), await fits(biller, third)]).toEqual([
      false,
      true,
      true,
    ]);
  });

  test('does not live longer because of another newer one', async () => {
    const biller = await someBiller(stage, owner);
    await makeSecret(biller);
    await makeSecret(biller);
    await stage.sql(
      `UPDATE billing_webhook_secrets SET expires_at = expires_at - interval '23 hours' WHERE company_no = $1`,
      [biller.companyNo],
    );
    await makeSecret(biller);
    expect(await expiries(biller)).toEqual([{ left: 1 }, { left: 24 }, { left: null }]);
  });

  test('made many times at once leaves one without an end, and all fit', async () => {
    const biller = await someBiller(stage, owner);
    const made = await Promise.all(Array.from({ length: 12 }, () => makeSecret(biller)));
    expect(made.map(({ status }) => status)).toEqual(made.map(() => 201));
    expect(new Set(made.map(({ body }) => body.secret)).size).toBe(12);
    expect(await expiries(biller)).toEqual([...Array(11).fill({ left: 24 }), { left: null }]);
    expect(await Promise.all(made.map(({ body }) => fits(biller, body.secret)))).toEqual(made.map(() => true));
  });

  test('is one of a hundred at most: the oldest of more goes at once', async () => {
    const biller = await someBiller(stage, owner);
    await stage.sql(
      `INSERT INTO billing_webhook_secrets (company_no, secret, created_at, expires_at)
       SELECT $1, 'old ' || n, now() - interval '1 hour' + interval '1 second' * n, now() + interval '23 hours'
         FROM generate_series(1, 99) n`,
      [biller.companyNo],
    );
    const newest = [(await makeSecret(biller)).body.secret, (await makeSecret(biller)).body.secret];
    expect(await expiries(biller)).toEqual([...Array(98).fill({ left: 23 }), { left: 24 }, { left: null }]);
    const tried = ['old 1', 'old 2', ...newest];
    expect(await Promise.all(tried.map((secret) => fits(biller, secret)))).toEqual([false, true, true, true]);
  });
});
