import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiStage, type TestUser } from '../../../testing/api-stage.js';
import { barcodeOf } from '../../billing/issue/codes/boleto.js';
import { issue, someBiller, someDebt, store, type TestBiller } from './fixtures.js';
import { debtRow, deliveriesOf, pay, somePayment, withSecret } from './paying.js';

let stage: ApiStage;
let biller: TestBiller;
let other: TestBiller;
let member: TestUser;
let stranger: TestUser;
beforeAll(async () => {
  stage = await ApiStage.open();
  [biller, other, member, stranger] = await Promise.all([
    someBiller(stage),
    someBiller(stage),
    stage.user(),
    stage.user(),
  ]);
});
afterAll(() => stage.close());

const cancel = (debtId: string, user: TestUser = biller.owner, company = biller.company.id) =>
  stage.api('POST', `/api/billing/debts/${debtId}/cancel?company_id=${company}`, { token: user.token });

async function stored(whose = biller): Promise<{ debtId: string; seq: string }> {
  const debt = someDebt();
  const [seq = ''] = await store(stage, whose, [debt]);
  return { debtId: debt.debtId, seq };
}

async function issued(): Promise<{ debtId: string; seq: string }> {
  const debt = await stored();
  await issue(stage, [debt.seq], [debt.seq.padStart(44, '0')]);
  return debt;
}

const payInFull = (debtId: string) =>
  stage.sql(`SELECT billing_pay($1, $2, $3, 'x', 10000, now(), 'pix', NULL)`, [biller.companyNo, randomUUID(), debtId]);

test('a debt is cancelled once, with its mail that was not begun, and again it is the same', async () => {
  const { debtId, seq } = await issued();
  const first = await cancel(debtId);
  expect(first).toMatchObject({ status: 200, body: { debt_id: debtId, status: 'cancelada', sent_at: null } });
  expect(first.body.cancelled_at).toEqual(expect.any(String));
  expect(await cancel(debtId.toUpperCase())).toMatchObject({ status: 200, body: first.body });
  expect(await deliveriesOf(stage, seq)).toEqual(['dispensada']);
});

test('a mail that has begun goes on after a cancel', async () => {
  const { debtId, seq } = await issued();
  await stage.sql('SELECT billing_claim_send($1, 1000, $2)', [biller.companyNo, '5 min']);
  await stage.sql('SELECT billing_begin_send(ARRAY[$1::bigint], ARRAY[1], ARRAY[1])', [seq]);
  expect((await cancel(debtId)).status).toBe(200);
  expect(await deliveriesOf(stage, seq)).toEqual(['tentando']);
});

test('a debt that is cancelled while a bank is asked gets its boleto and no mail', async () => {
  const { debtId, seq } = await stored();
  await stage.sql('SELECT billing_claim_issue($1, NULL, 1000, $2)', [biller.companyNo, '5 min']);
  await cancel(debtId);
  await issue(stage, [seq], [seq.padStart(44, '0')]);
  expect(await debtRow(stage, seq)).toMatchObject({ status: 'cancelada' });
  expect(await deliveriesOf(stage, seq)).toEqual(['dispensada']);
});

test('a debt that is paid is not cancelled', async () => {
  const { debtId, seq } = await issued();
  await payInFull(debtId);
  expect(await cancel(debtId)).toMatchObject({ status: 409, body: { code: 'BILLING.INVALID_TRANSITION' } });
  expect(await debtRow(stage, seq)).toMatchObject({ status: 'paga' });
});

test('a debt that is paid in part is cancelled, and keeps what was paid', async () => {
  const { debtId, seq } = await issued();
  await stage.sql(`SELECT billing_pay($1, $2, $3, 'x', 1, now(), 'pix', NULL)`, [biller.companyNo, debtId, debtId]);
  expect(await cancel(debtId)).toMatchObject({ status: 200, body: { status: 'cancelada', paid_cents: 1 } });
  expect(await debtRow(stage, seq)).toMatchObject({ paid_cents: '1' });
});

test('of a cancel and a payment at once the payment wins', async () => {
  const debts = await Promise.all(Array.from({ length: 10 }, () => issued()));
  const answers = await Promise.all(
    debts.map(async ({ debtId }) => (await Promise.all([cancel(debtId), payInFull(debtId)]))[0]),
  );
  expect(answers.filter(({ status }) => status !== 200 && status !== 409)).toEqual([]);
  for (const { seq } of debts) {
    expect(await debtRow(stage, seq)).toMatchObject({ status: 'paga', paid_cents: '10000' });
    expect(await deliveriesOf(stage, seq)).toEqual(['dispensada']);
  }
});

test('a boleto that the bank has and we have not recorded is paid by its bar code, cancelled or not', async () => {
  const secret = await withSecret(stage, biller);
  const debts = [await stored(), await stored()];
  const seqs = debts.map(({ seq }) => seq);
  const asked =
    'UPDATE billing_debts SET asked_at = clock_timestamp(), lease_until = now() + $2::interval WHERE seq = ANY ($1)';
  await stage.sql(asked, [seqs, '1 day']);
  expect(await cancel(debts[1]?.debtId ?? '')).toMatchObject({ status: 200, body: { status: 'cancelada' } });
  for (const { debtId, seq } of debts) {
    const barcode = barcodeOf({ agreement: 1, ourNumber: BigInt(seq), cents: 10_000, dueOn: '2026-12-31' });
    const { debt_id: _, ...payment } = somePayment(debtId, { barcode });
    expect(await pay(stage, biller.company.id, secret, payment)).toMatchObject({ body: { result: 'recorded' } });
    expect(await debtRow(stage, seq)).toMatchObject({ status: 'paga', paid_cents: '10000' });
  }
});

test('only an owner cancels, and only debts of the own company', async () => {
  await stage.member(biller.owner, biller.company, member);
  const { debtId, seq } = await issued();
  const foreign = await stored(other);
  const codes = await Promise.all([
    cancel(debtId, member),
    cancel(debtId, stranger),
    cancel(debtId, other.owner),
    cancel(foreign.debtId),
    cancel(foreign.debtId, biller.owner, other.company.id),
    cancel(randomUUID()),
    cancel('8291'),
    stage.api('POST', `/api/billing/debts/${debtId}/cancel?company_id=${biller.company.id}`),
  ]);
  expect(codes.map(({ status, body }) => `${status} ${body.code}`)).toEqual([
    '403 COMPANY.NOT_OWNER',
    '404 COMPANY.NOT_FOUND',
    '404 COMPANY.NOT_FOUND',
    '404 BILLING.DEBT_NOT_FOUND',
    '404 COMPANY.NOT_FOUND',
    '404 BILLING.DEBT_NOT_FOUND',
    '404 BILLING.DEBT_NOT_FOUND',
    '401 AUTH.TOKEN_MISSING',
  ]);
  expect([await debtRow(stage, seq), await debtRow(stage, foreign.seq)]).toMatchObject([
    { status: 'gerada' },
    { status: 'importada' },
  ]);
});
