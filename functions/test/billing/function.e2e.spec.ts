import { afterAll, beforeAll, expect, test } from 'vitest';
import { OwnFunction } from '../own-function.js';
import { someDebt, store, type TestBiller } from './fixtures.js';
import { ISSUED, NOTHING, outcomes, ownBiller } from './issuing.js';

const FUNCTION_MS = 840_000;
const API_MS = 29_000;
/** It is told to stop when so much is left. */
const TIME_TO_STOP_MS = 40_000;

let own: OwnFunction;
let acme: TestBiller;

beforeAll(async () => {
  own = await OwnFunction.open('bill');
  acme = await ownBiller(own.stage);
});
afterAll(() => own?.close());

const tick = (timeMs = FUNCTION_MS) => own.handler({}, own.context(timeMs));

test('a tick issues what is owed, and says how much', async () => {
  await store(
    own.stage,
    acme,
    Array.from({ length: 700 }, () => someDebt()),
  );
  expect(await tick()).toEqual({ ...NOTHING, issued: 700 });
  expect(await outcomes(own.stage, acme)).toEqual([[700, ISSUED]]);
});

test('a tick without time begins with nothing', async () => {
  const [seq] = await store(own.stage, acme, [someDebt()]);
  expect(await tick(TIME_TO_STOP_MS)).toEqual(NOTHING);
  const asked = 'SELECT asked_at FROM billing_debts WHERE seq = $1';
  expect(await own.stage.sql(asked, [seq])).toEqual([{ asked_at: null }]);
});

test('ticks that overlap in one process issue each debt once', async () => {
  const counts = await Promise.all([tick(), tick(), tick()]);
  expect(counts.map((each) => (each as unknown as typeof NOTHING).issued).sort()).toEqual([0, 0, 1]);
});

test('a PDF comes through a function as it is', async () => {
  const { handler } = (await import(new URL('./api.js', own.url).href)) as { handler: typeof own.handler };
  const ask = async (method: string, path: string, query = '', token = '', body?: object) => {
    const requestContext = {
      http: { method, path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1' },
      timeEpoch: Date.now(),
    };
    const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
    const event = {
      version: '2.0',
      rawPath: path,
      rawQueryString: query,
      headers,
      requestContext,
      isBase64Encoded: false,
    };
    return handler(
      { ...event, ...(body && { body: JSON.stringify(body) }) },
      own.context(API_MS),
    ) as unknown as Promise<{
      statusCode: number;
      headers: Record<string, string>;
      body: string;
      isBase64Encoded: boolean;
    }>;
  };
  const login = { email: 'ana@example.com', password: 'correct horse' };
  const { id } = JSON.parse((await ask('POST', '/api/users', '', '', login)).body) as { id: string };
  const { access_token } = JSON.parse((await ask('POST', '/api/auth/login', '', '', login)).body) as {
    access_token: string;
  };
  await own.stage.sql(`INSERT INTO memberships (company_id, user_id, role) VALUES ($1, $2, 'member')`, [
    acme.company.id,
    id,
  ]);
  const [debt] = await own.stage.sql<{ debt_id: string }>(
    'SELECT debt_id FROM billing_debts WHERE company_no = $1 AND issued_at IS NOT NULL LIMIT 1',
    [acme.companyNo],
  );
  const path = `/api/billing/debts/${debt?.debt_id}/boleto.pdf`;
  const { statusCode, isBase64Encoded, body } = await ask('GET', path, `company_id=${acme.company.id}`, access_token);
  expect([statusCode, isBase64Encoded]).toEqual([200, true]);
  const pdf = Buffer.from(body, 'base64').toString('latin1');
  expect([pdf.slice(0, 5), pdf.trimEnd().slice(-5)]).toEqual(['%PDF-', '%%EOF']);
});
