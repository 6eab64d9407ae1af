import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../testing/api-stage.js';
import { accepted, PATIENCE_MS, rowsStored } from './campaigns/fixtures.js';

type Handler = (event: object, context: object) => Promise<{ statusCode: number; body: string }>;

/** What tsc made: see api.e2e.spec.ts. */
const API = new URL('../../dist/functions/api.js', import.meta.url);
/** The function's time; half of it is for what is not stored yet. */
const SHORT_MS = 3_000;
const LONG_MS = 10_000;
const NOTHING = 'the request took too long, and nothing of it was done';

let stage: ApiStage;
let ana: TestUser;
let company: TestCompany;
let campaignId: string;
let handler: Handler;
let keeper: pg.Client;

beforeAll(async () => {
  stage = await ApiStage.open();
  ana = await stage.user();
  for (const [key, value] of Object.entries({ ...stage.env, LOG_LEVEL: 'silent' })) vi.stubEnv(key, value);
  ({ handler } = (await import(/* @vite-ignore */ API.href)) as { handler: Handler });
  expect((await call('GET', '/api/health', undefined, 60_000)).statusCode).toBe(200);
});

beforeEach(async () => {
  company = await stage.company(ana);
  campaignId = (await accepted(stage, ana, company, '11987654321\n')).id;
  keeper = new pg.Client(stage.env.DATABASE_URL);
  await keeper.connect();
});

afterEach(() => keeper.end());

afterAll(async () => {
  vi.unstubAllEnvs();
  await stage?.close();
});

/** Calls the function, which has `timeMs` milliseconds for it. */
async function call(method: string, path: string, body: object | undefined, timeMs: number) {
  const end = performance.now() + timeMs;
  const event = {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: '',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${ana.token}` },
    requestContext: { http: { method, path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1' } },
    ...(body && { body: JSON.stringify(body) }),
    isBase64Encoded: false,
  };
  const answer = await handler(event, { getRemainingTimeInMillis: () => Math.max(end - performance.now(), 0) });
  return { statusCode: answer.statusCode, body: answer.body === '' ? undefined : JSON.parse(answer.body) };
}

const newCampaign = () => ({ name: 'n', message: 'm', company_id: company.id, phone_numbers: ['11987654321'] });

/** All that requests change. */
async function everything(): Promise<unknown> {
  return [
    await rowsStored(stage),
    await stage.sql('SELECT id, name, status, deleted, updated_at FROM campaigns ORDER BY id'),
    await stage.sql('SELECT id, name, deleted FROM companies ORDER BY id'),
    await stage.sql('SELECT count(*)::int FROM users'),
  ];
}

/** Waits until the API's connections are idle: what was sent is done or undone. */
async function untilQuiet(): Promise<void> {
  const busy = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'`;
  await stage.until(async () => (await stage.sql(busy)).length === 0, 'no statement runs', PATIENCE_MS);
}

test.each([
  ['a campaign', 'POST', () => '/api/campaigns', newCampaign, 'campaign_chunks'],
  ['a rename', 'PATCH', () => `/api/campaigns/${campaignId}`, () => ({ name: 'other' }), 'campaigns'],
  ['a pause', 'POST', () => `/api/campaigns/${campaignId}/pause`, undefined, 'campaigns'],
  ['a cancel', 'POST', () => `/api/campaigns/${campaignId}/cancel`, undefined, 'campaigns'],
  ['a deletion', 'DELETE', () => `/api/campaigns/${campaignId}`, undefined, 'campaigns'],
  ["a company's change", 'PATCH', () => `/api/companies/${company.id}`, () => ({ name: 'other' }), 'companies'],
  ["a company's deletion", 'DELETE', () => `/api/companies/${company.id}`, undefined, 'campaigns'],
  ['a user', 'POST', () => '/api/users', () => ({ email: 'late@example.com', password: 'correct horse' }), 'users'],
] as [string, string, () => string, (() => object) | undefined, string][])(
  'what is refused for its time changes nothing afterwards: %s',
  async (_, method, path, body, table) => {
    await stage.until(
      async () => (await stage.sql('SELECT FROM campaigns WHERE published < total')).length === 0,
      'sent',
    );
    const before = await everything();
    await keeper.query('BEGIN');
    await keeper.query(`LOCK TABLE ${table} IN SHARE ROW EXCLUSIVE MODE`);
    const answer = await call(method, path(), body?.(), SHORT_MS);
    await keeper.query('COMMIT');
    await untilQuiet();
    expect([answer.statusCode, answer.body.detail]).toEqual([503, NOTHING]);
    expect(await everything()).toEqual(before);
  },
);

test('what was sent to be committed in time is answered as it is, and never with a failure', async () => {
  // Holds the COMMIT until long after the time for what is not stored.
  await stage.sql(`CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_sleep(${(LONG_MS - 3_500) / 1_000}); RETURN NULL; END $$`);
  await stage.sql(`CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON campaigns DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION linger()`);
  try {
    const { statusCode, body } = await call('POST', '/api/campaigns', newCampaign(), LONG_MS);
    expect(statusCode).toBe(201);
    expect(await stage.sql('SELECT total FROM campaigns WHERE id = $1', [body.id])).toEqual([{ total: 1 }]);
  } finally {
    await stage.sql('DROP TRIGGER linger ON campaigns');
    await stage.sql('DROP FUNCTION linger');
  }
});
