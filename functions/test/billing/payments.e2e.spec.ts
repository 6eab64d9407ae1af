import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { barcodeOf, digitableLineOf, formattedLineOf } from '../../billing/issue/codes/boleto.js';
import { txidOf } from '../../billing/issue/codes/txid.js';
import { issue, someBiller, someDebt, store, type TestBiller, type TestDebt } from './fixtures.js';
import { debtRow, deliveriesOf, pay, signed, somePayment, withSecret } from './paying.js';

const PAID_AT = '2026-11-20T13:00:00.000Z';

let stage: ApiStage;
let biller: TestBiller;
let secret: string;
beforeAll(async () => {
  stage = await ApiStage.open();
  biller = await someBiller(stage);
  secret = await withSecret(stage, biller);
});
afterAll(() => stage.close());

const tell = (payment: object | string | Buffer, by = secret) => pay(stage, biller.company.id, by, payment);

/** A stored debt and its seq. */
async function stored(values: Partial<TestDebt> = {}, whose = biller): Promise<{ debtId: string; seq: string }> {
  const debt = someDebt(values);
  const [seq = ''] = await store(stage, whose, [debt]);
  return { debtId: debt.debtId, seq };
}

/** A debt with a boleto of the simulated bank. */
async function issued(values: Partial<TestDebt> = {}): Promise<{ debtId: string; seq: string; barcode: string }> {
  const debt = await stored(values);
  const { cents, dueOn } = someDebt(values);
  const barcode = barcodeOf({ agreement: 1, ourNumber: BigInt(debt.seq), cents, dueOn });
  await issue(stage, [debt.seq], [barcode]);
  return { ...debt, barcode };
}

async function paymentsOf(eventId: string) {
  return stage.sql(
    `SELECT seq, cents, method, paid_by, paid_at, reference FROM billing_payments WHERE company_no = $1 AND event_id = $2`,
    [biller.companyNo, eventId],
  );
}

const outcome = ({ status, body }: Awaited<ReturnType<typeof tell>>) => ({ status, what: body.result ?? body.code });
const RECORDED = { status: 200, what: 'recorded' };
const REPEATED = { status: 200, what: 'repeated' };
const UNMATCHED = { status: 200, what: 'unmatched' };
const REFUSED = { status: 401, what: 'BILLING.SIGNATURE_INVALID' };
const INVALID = { status: 400, what: 'VALIDATION' };

describe('a payment', () => {
  test('pays its debt, and drops its mail that was not begun', async () => {
    const { debtId, seq } = await issued();
    expect(await tell(somePayment(debtId))).toMatchObject({ status: 200, body: { result: 'recorded' } });
    expect(await debtRow(stage, seq)).toEqual({ status: 'paga', paid_cents: '10000', paid_at: PAID_AT });
    expect(await deliveriesOf(stage, seq)).toEqual(['dispensada']);
    expect(await paymentsOf(`e-${debtId}`)).toEqual([
      { seq, cents: '10000', method: 'pix', paid_by: 'Fulana de Tal', paid_at: new Date(PAID_AT), reference: null },
    ]);
  });

  test('lets a mail that has begun go on', async () => {
    const { debtId, seq } = await issued();
    await stage.sql('SELECT billing_claim_send($1, 1000, $2)', [biller.companyNo, '5 min']);
    await stage.sql('SELECT billing_begin_send(ARRAY[$1::bigint], ARRAY[1], ARRAY[1])', [seq]);
    await tell(somePayment(debtId));
    expect(await deliveriesOf(stage, seq)).toEqual(['tentando']);
  });

  test('names its debt in four ways', async () => {
    const debts = await Promise.all([issued(), issued(), issued(), issued(), issued()]);
    const line = (at: number) => digitableLineOf(debts[at]?.barcode ?? '');
    const named = [
      { txid: txidOf(debts[0]?.debtId ?? '') },
      { debt_id: debts[1]?.debtId.toUpperCase() },
      { barcode: debts[2]?.barcode },
      { digitable_line: line(3) },
      { digitable_line: formattedLineOf(line(4)) },
    ];
    for (const [at, name] of named.entries()) {
      const { debt_id: _, ...payment } = somePayment(debts[at]?.debtId ?? '', { method: 'boleto' });
      expect(outcome(await tell({ ...payment, ...name }))).toEqual(RECORDED);
      expect(await debtRow(stage, debts[at]?.seq ?? '')).toMatchObject({ status: 'paga' });
    }
  });

  test('of a part moves the amount, and not the status', async () => {
    const { debtId, seq } = await issued();
    await tell(somePayment(debtId, { event_id: randomUUID(), paid_amount: '99.99' }));
    expect(await debtRow(stage, seq)).toEqual({ status: 'gerada', paid_cents: '9999', paid_at: null });
    expect(await deliveriesOf(stage, seq)).toEqual(['pendente']);
    const last = { event_id: randomUUID(), paid_amount: 0.01, paid_at: '2026-11-21T10:00:00Z' };
    await tell(somePayment(debtId, last));
    expect(await debtRow(stage, seq)).toEqual({
      status: 'paga',
      paid_cents: '10000',
      paid_at: '2026-11-21T10:00:00.000Z',
    });
    expect(await deliveriesOf(stage, seq)).toEqual(['dispensada']);
  });

  test('of too much is kept to the cent, and the time is that of the payment that was enough', async () => {
    const { debtId, seq } = await stored();
    await tell(somePayment(debtId, { event_id: randomUUID(), paid_amount: '150.50' }));
    await tell(somePayment(debtId, { event_id: randomUUID(), paid_amount: '1.01', paid_at: '2026-12-01T00:00:00Z' }));
    expect(await debtRow(stage, seq)).toEqual({ status: 'paga', paid_cents: '15151', paid_at: PAID_AT });
  });

  test('after a cancel wins', async () => {
    const { debtId, seq } = await issued();
    await stage.sql('SELECT billing_cancel($1, $2)', [biller.companyNo, debtId]);
    expect(outcome(await tell(somePayment(debtId)))).toEqual(RECORDED);
    expect(await debtRow(stage, seq)).toEqual({ status: 'paga', paid_cents: '10000', paid_at: PAID_AT });
  });

  test('counts once, however often and in whatever spelling it comes', async () => {
    const { debtId, seq } = await stored();
    const payment = somePayment(debtId);
    const { debt_id: _, ...nameless } = payment;
    const spellings = [
      payment,
      JSON.stringify(payment, null, 2),
      `\ufeff${JSON.stringify(payment)}`,
      { ...nameless, txid: txidOf(debtId), paid_amount: 100, paid_at: '2026-11-20T13:00:00Z' },
      JSON.stringify(payment).replace('"100.00"', '100.00'),
    ];
    const outcomes = [];
    for (const spelling of spellings) outcomes.push(outcome(await tell(spelling)));
    expect(outcomes).toEqual([RECORDED, REPEATED, REPEATED, REPEATED, REPEATED]);
    expect(await debtRow(stage, seq)).toMatchObject({ paid_cents: '10000' });
  });

  test.each([
    ['amount', { paid_amount: '100.01' }],
    ['time', { paid_at: '2026-11-20T10:00:01-03:00' }],
    ['method', { method: 'boleto' }],
    ['payer', { paid_by: 'Beltrano' }],
    ['debt', { debt_id: randomUUID() }],
  ])('with the event of another %s is refused, and the first stays', async (_, other) => {
    const { debtId, seq } = await stored();
    await tell(somePayment(debtId));
    expect(outcome(await tell(somePayment(debtId, other)))).toEqual({ status: 409, what: 'BILLING.EVENT_REUSED' });
    expect(await debtRow(stage, seq)).toMatchObject({ paid_cents: '10000', paid_at: PAID_AT });
  });

  test('fired fifty times at once counts once', async () => {
    const { debtId, seq } = await issued({ cents: 100_000 });
    const answers = await Promise.all(Array.from({ length: 50 }, () => tell(somePayment(debtId))));
    const results = answers.map(({ body }) => body.result);
    expect(results.sort()).toEqual(['recorded', ...Array(49).fill('repeated')].sort());
    expect(await debtRow(stage, seq)).toMatchObject({ paid_cents: '10000', status: 'gerada' });
  });

  test('in fifty parts at once adds up to the cent', async () => {
    const { debtId, seq } = await issued({ cents: 1_275 });
    const parts = Array.from({ length: 50 }, (_, at) =>
      somePayment(debtId, { event_id: `${debtId}-${at}`, paid_amount: `0.${String(at + 1).padStart(2, '0')}` }),
    );
    const answers = await Promise.all(parts.map((part) => tell(part)));
    expect(answers.map(outcome)).toEqual(Array(50).fill(RECORDED));
    expect(await debtRow(stage, seq)).toEqual({ status: 'paga', paid_cents: '1275', paid_at: PAID_AT });
    expect(await deliveriesOf(stage, seq)).toEqual(['dispensada']);
  });

  test('races a cancel and an issue, and wins', async () => {
    const debts = await Promise.all(Array.from({ length: 10 }, () => stored()));
    await Promise.all(
      debts.flatMap(({ debtId, seq }) => [
        tell(somePayment(debtId)),
        stage.sql('SELECT billing_cancel($1, $2)', [biller.companyNo, debtId]),
        issue(stage, [seq], [seq.padStart(44, '0')]),
      ]),
    );
    for (const { seq } of debts) {
      expect(await debtRow(stage, seq)).toEqual({ status: 'paga', paid_cents: '10000', paid_at: PAID_AT });
      expect(await deliveriesOf(stage, seq)).toEqual(['dispensada']);
    }
  });
});

describe('a payment that fits no debt of the company is kept', () => {
  test.each([
    ['an unknown debt', () => ({ debt_id: randomUUID() })],
    ['a debtId that is no UUID', () => ({ debt_id: '8291' })],
    ['a txid of somebody else', () => ({ txid: 'ABC123' })],
    [
      'an unknown boleto',
      () => ({ barcode: barcodeOf({ agreement: 1, ourNumber: 999_999n, cents: 1, dueOn: '2026-12-31' }) }),
    ],
    ['a boleto of another bank', () => ({ barcode: '34196790600001000002220000005566385101214000' })],
    ['a line with a wrong digit', () => ({ digitable_line: '99991.70005 00100.000009 00000.000018 1 91360100000001' })],
  ])('%s', async (_, name) => {
    const { debt_id: __, ...payment } = somePayment(randomUUID());
    const named = name();
    expect(outcome(await tell({ ...payment, ...named }))).toEqual(UNMATCHED);
    const [reference] = Object.values(named);
    expect(await paymentsOf(String(payment.event_id))).toMatchObject([{ seq: null, cents: '10000', reference }]);
  });

  test('a boleto of another amount under the same number', async () => {
    const { seq, debtId } = await issued();
    const barcode = barcodeOf({ agreement: 1, ourNumber: BigInt(seq), cents: 9_999, dueOn: '2026-12-31' });
    const { debt_id: _, ...payment } = somePayment(debtId);
    expect(outcome(await tell({ ...payment, barcode }))).toEqual(UNMATCHED);
    expect(await debtRow(stage, seq)).toMatchObject({ paid_cents: '0' });
  });

  test('a debt of another company, by its id and by its boleto', async () => {
    const other = await someBiller(stage, biller.owner);
    const { debtId, seq } = await stored({}, other);
    const barcode = barcodeOf({ agreement: 1, ourNumber: BigInt(seq), cents: 10_000, dueOn: '2026-12-31' });
    await issue(stage, [seq], [barcode]);
    const { debt_id: _, ...nameless } = somePayment(debtId, { event_id: randomUUID() });
    expect(outcome(await tell(somePayment(debtId)))).toEqual(UNMATCHED);
    expect(outcome(await tell({ ...nameless, barcode }))).toEqual(UNMATCHED);
    expect(await debtRow(stage, seq)).toMatchObject({ status: 'gerada', paid_cents: '0' });
  });

  test("another company's boleto, though both companies have a debt with that debtId", async () => {
    const other = await someBiller(stage, biller.owner);
    const ours = await issued();
    const theirs = await stored({ debtId: ours.debtId }, other);
    const barcode = barcodeOf({ agreement: 1, ourNumber: BigInt(theirs.seq), cents: 10_000, dueOn: '2026-12-31' });
    await issue(stage, [theirs.seq], [barcode]);
    const { debt_id: _, ...payment } = somePayment(ours.debtId);
    expect(outcome(await tell({ ...payment, barcode }))).toEqual(UNMATCHED);
    for (const { seq } of [ours, theirs])
      expect(await debtRow(stage, seq)).toEqual({ status: 'gerada', paid_cents: '0', paid_at: null });
  });

  test('also when its debt is imported later', async () => {
    const debt = someDebt();
    expect(outcome(await tell(somePayment(debt.debtId)))).toEqual(UNMATCHED);
    const [seq = ''] = await store(stage, biller, [debt]);
    expect(outcome(await tell(somePayment(debt.debtId)))).toEqual(REPEATED);
    expect(await debtRow(stage, seq)).toMatchObject({ status: 'importada', paid_cents: '0' });
  });
});

describe('the older form', () => {
  const older = (debtId: string, values: object = {}) => ({
    debtId,
    paidAt: '2018-12-25 10:00:00',
    paidAmount: 100.0,
    paidBy: 'John Doe',
    ...values,
  });

  test('pays by the time of São Paulo, in summer time too', async () => {
    const { debtId, seq } = await stored();
    expect(outcome(await tell(older(debtId)))).toEqual(RECORDED);
    expect(await debtRow(stage, seq)).toEqual({
      status: 'paga',
      paid_cents: '10000',
      paid_at: '2018-12-25T12:00:00.000Z',
    });
  });

  test('is one event by its debt, time and amount', async () => {
    const { debtId, seq } = await stored();
    const told = [
      older(debtId),
      older(debtId.toUpperCase(), { paidAmount: '100.0' }),
      older(debtId, { paidAmount: 50 }),
      older(debtId, { paidAt: '2018-12-25 10:00:01' }),
      older(debtId, { paidBy: 'Jane Doe' }),
    ];
    const outcomes = [];
    for (const payment of told) outcomes.push(outcome(await tell(payment)));
    const reused = { status: 409, what: 'BILLING.EVENT_REUSED' };
    expect(outcomes).toEqual([RECORDED, REPEATED, RECORDED, RECORDED, reused]);
    expect(await debtRow(stage, seq)).toMatchObject({ paid_cents: '25000' });
  });
});

describe('a signature', () => {
  const post = (companyId: string, header: string | undefined, body: string | Buffer) =>
    stage.api('POST', `/api/billing/webhooks/${companyId}/payments`, {
      body: String(body),
      headers: header === undefined ? {} : { 'x-disparo-signature': header },
    });

  test('that fits nothing is refused, and so is an unknown or a deleted company', async () => {
    const { debtId, seq } = await stored();
    const body = JSON.stringify(somePayment(debtId));
    const now = Math.floor(Date.now() / 1_000);
    const other = await someBiller(stage, biller.owner);
    const foreign = await withSecret(stage, other);
    const gone = await someBiller(stage, biller.owner);
    await withSecret(stage, gone, secret);
    await stage.api('DELETE', `/api/companies/${gone.company.id}`, { token: gone.owner.token });
    const refused = [
      post(biller.company.id, undefined, body),
      post(biller.company.id, 'whatever', body),
      post(biller.company.id, signed(foreign, body), body),
      post(biller.company.id, signed(secret, body, now - 400), body),
      post(biller.company.id, signed(secret, body, now + 400), body),
      post(biller.company.id, signed(secret, `${body} `), body),
      post(other.company.id, signed(secret, body), body),
      post(gone.company.id, signed(secret, body), body),
      post('tz4a98xxat96iws9zmbrgj3a', signed(secret, body), body),
      post('%00', signed(secret, body), body),
    ];
    expect((await Promise.all(refused)).map(outcome)).toEqual(refused.map(() => REFUSED));
    expect(await debtRow(stage, seq)).toMatchObject({ paid_cents: '0' });
    expect(outcome(await post(biller.company.id, signed(secret, body), body))).toEqual(RECORDED);
  });

  test('by an expired secret is refused', async () => {
    const { debtId } = await stored();
    const old = await withSecret(stage, biller, 'old');
    expect(outcome(await tell(somePayment(debtId), old))).toEqual(RECORDED);
    await stage.sql(`UPDATE billing_webhook_secrets SET expires_at = clock_timestamp() WHERE secret = 'old'`);
    expect(outcome(await tell(somePayment(debtId), old))).toEqual(REFUSED);
  });

  test('is asked for after the JSON, and before the shape', async () => {
    const answers = await Promise.all([
      post(biller.company.id, undefined, '{"event_id":'),
      post(biller.company.id, undefined, ''),
      post(biller.company.id, undefined, '{}'),
      tell('{}'),
    ]);
    expect(answers.map(outcome)).toEqual([INVALID, INVALID, REFUSED, INVALID]);
  });

  test('fits bytes that are no UTF-8, which are refused then', async () => {
    const body = Buffer.concat([
      Buffer.from('{"event_id":"'),
      Buffer.from([0xff]),
      Buffer.from(JSON.stringify(somePayment(randomUUID())).replace('{"event_id":"', '')),
    ]);
    expect(outcome(await tell(body))).toEqual({ status: 400, what: 'BODY.NOT_UTF8' });
    expect(outcome(await tell(body, 'foreign'))).toEqual(REFUSED);
  });
});

describe('a signed body is refused', () => {
  test.each([
    ['without an event', { event_id: undefined }],
    ['with an empty event', { event_id: '' }],
    ['with an event of 201 characters', { event_id: 'x'.repeat(201) }],
    ['with a NUL', { event_id: 'a\0b' }],
    ['with half of a surrogate pair', { event_id: 'a\ud800b' }],
    ['without a debt', { debt_id: undefined }],
    ['with two debts', { txid: 'ABC' }],
    ['without a method', { method: undefined }],
    ['with another method', { method: 'card' }],
    ['with a field that nobody knows', { colour: 'red' }],
    ['without an amount', { paid_amount: undefined }],
    ['with an amount of null', { paid_amount: null }],
    ['with nothing paid', { paid_amount: '0.00' }],
    ['with a negative amount', { paid_amount: -1 }],
    ['with three decimals', { paid_amount: '1.005' }],
    ['with three decimals of a number', { paid_amount: 1.005 }],
    ['with a sum of floats', { paid_amount: 0.1 + 0.2 }],
    ['with a comma', { paid_amount: '1,00' }],
    ['with an exponent', { paid_amount: '1e3' }],
    ['with more than a boleto can be', { paid_amount: '100000000.00' }],
    ['with a number beyond all', { paid_amount: 1e300 }],
    ['with a time without an offset', { paid_at: '2026-11-20T10:00:00' }],
    ['with a day that does not exist', { paid_at: '2026-02-30T10:00:00Z' }],
    ['with the time of another age', { paid_at: '0000-01-01T00:00:00Z' }],
  ])('%s', async (_, wrong) => {
    const debtId = randomUUID();
    expect(outcome(await tell(somePayment(debtId, wrong)))).toEqual(INVALID);
    expect(await paymentsOf(`e-${debtId}`)).toEqual([]);
  });

  test.each(['null', '[]', '"text"', '1', '{"debtId":"8291"}', '{"__proto__":{"debtId":1}}'])('%s', async (body) => {
    expect(outcome(await tell(body))).toEqual(INVALID);
  });

  test('over 8 KiB', async () => {
    expect(outcome(await tell(somePayment(randomUUID(), { paid_by: 'x'.repeat(9_000) })))).toEqual({
      status: 413,
      what: 'BODY.TOO_LARGE',
    });
  });
});

test.each([
  ['10.00', 1_000],
  [10.0, 1_000],
  [10.1, 1_010],
  ['0.01', 1],
  [0.07, 7],
  [1.15, 115],
  [4.35, 435],
  [99_999_999.99, 9_999_999_999],
  ['99999999.99', 9_999_999_999],
])('%j is paid as %i cents', async (amount, cents) => {
  const { debtId, seq } = await stored({ cents: 9_999_999_999 });
  expect(outcome(await tell(somePayment(debtId, { paid_amount: amount })))).toEqual(RECORDED);
  expect(await debtRow(stage, seq)).toMatchObject({ paid_cents: String(cents) });
});
