import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ApiStage, type TestUser } from '../../../testing/api-stage.js';
import { someTenant, type Tenant } from '../events/tenants.js';
import { quietEndpoint } from './some-endpoint.js';

type Handler = (event: object, context: object) => Promise<{ statusCode: number; body: string }>;

/** What tsc made, as a test runner compiles decorators without their metadata. */
const API = new URL('../../../dist/functions/api.js', import.meta.url);
const TIME_MS = 10_000;
const SLICE = 1_000;

let stage: ApiStage;
let ana: TestUser;
let acme: Tenant;
let id: string;
let handler: Handler;
let keeper: pg.Client;

beforeAll(async () => {
  stage = await ApiStage.open({ env: { EVENTS_PREFETCH: '0' } });
  ana = await stage.user();
  acme = await someTenant(stage, ana);
  id = await quietEndpoint(stage, acme);
  for (const [key, value] of Object.entries({ ...stage.env, LOG_LEVEL: 'silent' })) vi.stubEnv(key, value);
  ({ handler } = (await import(/* @vite-ignore */ API.href)) as { handler: Handler });
  keeper = new pg.Client(stage.env.DATABASE_URL);
  await keeper.connect();
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await keeper?.end();
  await stage?.close();
});

/** Calls the function, which has TIME_MS for it. */
async function replay(after: number) {
  const end = performance.now() + TIME_MS;
  const path = `/api/events/endpoints/${id}/replay`;
  const event = {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: '',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${ana.token}` },
    requestContext: { http: { method: 'POST', path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1' } },
    body: JSON.stringify({ since: '2020-01-01T00:00:00Z', only: 'dead', after }),
    isBase64Encoded: false,
  };
  const answer = await handler(event, { getRemainingTimeInMillis: () => Math.max(end - performance.now(), 0) });
  return { status: answer.statusCode, body: JSON.parse(answer.body) as { count: number; next: number | null } };
}

test('a replay whose time is over in a function answers for the slices that are committed', async () => {
  const rows = await stage.sql<{ event_id: string }>(
    `WITH put AS (INSERT INTO events (company_id, client_id, type_id, dedupe_key, content, message)
       SELECT $1, $2, (SELECT id FROM event_types WHERE company_id = $1 AND name = 'note'), 'm:' || n, '', '{}'
         FROM generate_series(1, $3) n RETURNING id)
     INSERT INTO event_deliveries (event_id, endpoint_id, attempts, dead_at) SELECT id, $4, 8, now() FROM put RETURNING event_id`,
    [acme.company.id, acme.client, SLICE + 2, id],
  );
  const ids = rows.map(({ event_id }) => Number(event_id)).sort((a, b) => a - b);
  await keeper.query('BEGIN');
  await keeper.query('SELECT FROM event_deliveries WHERE endpoint_id = $1 AND event_id = $2 FOR UPDATE', [
    id,
    ids.at(-1),
  ]);
  const first = await replay(0);
  await keeper.query('COMMIT');
  expect(first).toEqual({ status: 202, body: { count: SLICE, next: ids[SLICE - 1] } });
  const due = async () =>
    (
      await stage.sql<{ count: number }>(
        'SELECT count(due_at)::int AS count FROM event_deliveries WHERE endpoint_id = $1',
        [id],
      )
    )[0];
  expect(await due()).toEqual({ count: SLICE });
  expect(await replay(Number(first.body.next))).toEqual({ status: 202, body: { count: 2, next: null } });
  expect(await due()).toEqual({ count: SLICE + 2 });
});
