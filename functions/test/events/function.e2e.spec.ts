import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { ApiStage, type TestUser } from '../../../testing/api-stage.js';
import { addType, envelope, quarantined, someTenant, storedEvents, type Tenant } from './tenants.js';

type Handler = (event: object, context: object) => Promise<{ statusCode: number; body: string }>;

/** What tsc made: see api.e2e.spec.ts. */
const HANDLER = new URL('../../../dist/functions/api.js', import.meta.url).href;
const FUNCTION_MS = 25_000;

let stage: ApiStage;
let owner: TestUser;
let acme: Tenant;
let handler: Handler;

beforeAll(async () => {
  stage = await ApiStage.open({ env: { EVENTS_PREFETCH: '0' } });
  owner = await stage.user();
  for (const [key, value] of Object.entries({ ...stage.env, LOG_LEVEL: 'silent' })) vi.stubEnv(key, value);
  ({ handler } = (await import(/* @vite-ignore */ HANDLER)) as { handler: Handler });
});

beforeEach(async () => {
  acme = await someTenant(stage, owner);
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await stage?.close();
});

/** Calls the function as API Gateway does, which hands on other types than JSON in base64. */
async function call(path: string, body: string, { type = 'application/json', timeMs = FUNCTION_MS } = {}) {
  const isBase64Encoded = type !== 'application/json';
  const end = performance.now() + timeMs;
  const event = {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: '',
    headers: { 'content-type': type, authorization: `Bearer ${owner.token}` },
    requestContext: { http: { method: 'POST', path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1' } },
    body: isBase64Encoded ? Buffer.from(body).toString('base64') : body,
    isBase64Encoded,
  };
  const getRemainingTimeInMillis = () => Math.max(Math.floor(end - performance.now()), 0);
  const answer = await handler(event, { callbackWaitsForEmptyEventLoop: true, getRemainingTimeInMillis });
  return [answer.statusCode, JSON.parse(answer.body)];
}

test('one and many are stored, a CloudEvent in base64 too', async () => {
  expect(await call('/api/events', JSON.stringify(envelope(acme, { id: '1' })))).toMatchObject([
    202,
    { outcome: 'stored' },
  ]);
  const events = [envelope(acme, { id: '1' }), envelope(acme, { id: '2', message: { age: 'x' } })];
  expect(await call('/api/events', JSON.stringify({ events }))).toMatchObject([
    200,
    { results: [{ outcome: 'duplicate' }, { outcome: 'rejected', reason: 'invalid_payload' }] },
  ]);
  const cloudEvent = { specversion: '1.0', id: '3', source: '/a', type: 'note', subject: acme.client, data: 'Olá' };
  const type = 'application/cloudevents+json';
  expect(await call('/api/events', JSON.stringify(cloudEvent), { type })).toMatchObject([202, { outcome: 'stored' }]);
  expect((await storedEvents(stage, acme)).map(({ message }) => message)).toEqual(['{"age":31}', 'Olá']);
});

test('what a gateway may have spoilt is refused, and its escape is not', async () => {
  const note = JSON.stringify(envelope(acme, { event_type: 'note', message: '\ufffd' }));
  expect(await call('/api/events', note)).toMatchObject([400, { code: 'EVENT.INVALID_ENVELOPE' }]);
  expect((await call('/api/events', note.replace('\ufffd', '\\ufffd')))[0]).toBe(202);
  expect(await storedEvents(stage, acme)).toMatchObject([{ message: '\ufffd' }]);
});

test('a replay of many says how far it came before the time was over', async () => {
  const ids: string[] = [];
  for (const id of ['1', '2', '3'])
    ids.push(await quarantined(stage, acme, { body: envelope(acme, { id, event_type: 'order', message: 'x' }) }));
  await addType(stage, acme.company, 'order', 1);
  const client = await stage.stores.pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('SELECT FROM event_quarantine WHERE id = $1 FOR UPDATE', [ids[1]]);
    const body = JSON.stringify({ company_id: acme.company.id, reason: 'unknown_event_type' });
    expect(await call('/api/events/quarantine/replay', body, { timeMs: 6_000 })).toEqual([
      200,
      { count: 1, looked_at: 1, next: Number(ids[0]) },
    ]);
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
  expect(await storedEvents(stage, acme)).toMatchObject([{ dedupe_key: 'p:1' }]);
});
