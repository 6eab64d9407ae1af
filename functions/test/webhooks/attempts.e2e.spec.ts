import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { ApiStage, type TestUser } from '../../../testing/api-stage.js';
import { envelope, someTenant, type Tenant } from '../events/tenants.js';
import { quietEndpoint } from './some-endpoint.js';

const ENDPOINTS = '/api/events/endpoints';
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

let stage: ApiStage;
let ana: TestUser;
let acme: Tenant;
let id: string;

beforeAll(async () => {
  stage = await ApiStage.open({ env: { EVENTS_PREFETCH: '0' } });
  ana = await stage.user();
});

beforeEach(async () => {
  acme = await someTenant(stage, ana);
  id = await quietEndpoint(stage, acme);
});

afterAll(() => stage?.close());

const get = (path: string) =>
  stage.api<{ data: { id: number }[] }>('GET', `${ENDPOINTS}/${path}`, { token: ana.token });

async function send(): Promise<string> {
  const { body } = await stage.api('POST', '/api/events', { token: ana.token, body: envelope(acme) });
  return String(body.id);
}

const replay = (event: string) =>
  stage.api('POST', `/api/events/${event}/deliveries/${id}/replay`, { token: ana.token });

/** As the sender ends an attempt. */
async function settle(event: string, attempt: number, answer: { status?: number; error?: string; dead?: boolean }) {
  const ok = answer.status !== undefined && answer.status < 300;
  await stage.sql('UPDATE event_deliveries SET attempts = $3 WHERE endpoint_id = $1 AND event_id = $2', [
    id,
    event.slice('evt_'.length),
    attempt,
  ]);
  await stage.sql("SELECT settle_delivery($1, $2, $3, $4, $5, '5 s', $6, $7, 31, $8, clock_timestamp())", [
    id,
    event.slice('evt_'.length),
    attempt,
    ok,
    answer.dead ?? false,
    answer.status ?? null,
    answer.error ?? null,
    answer.status === undefined ? null : 'answered',
  ]);
}

test('attempts are listed in the order of the log, those of one endpoint alone', async () => {
  const other = await quietEndpoint(stage, acme);
  const [first, second] = [await send(), await send()];
  await settle(first, 1, { status: 500 });
  await settle(second, 1, { error: 'connection refused' });
  await settle(first, 2, { status: 204 });
  const line = { id: expect.any(Number), at: TIME, took_ms: 31 };
  const { status, body } = await get(`${id}/attempts`);
  expect([status, body]).toEqual([
    200,
    {
      data: [
        { ...line, event_id: first, attempt: 1, status: 500, error: null, response: 'answered' },
        { ...line, event_id: second, attempt: 1, status: null, error: 'connection refused', response: null },
        { ...line, event_id: first, attempt: 2, status: 204, error: null, response: 'answered' },
      ],
      next: null,
    },
  ]);
  expect((await get(`${other}/attempts`)).body).toEqual({ data: [], next: null });
});

test('attempts come slice by slice, whatever number their log has reached', async () => {
  await stage.sql("SELECT setval(pg_get_serial_sequence('event_attempts', 'id'), 5000000000)");
  const event = await send();
  for (const attempt of [1, 2, 3]) await settle(event, attempt, { status: 500 });
  const first = (await get(`${id}/attempts?limit=2`)).body as unknown as { next: number };
  expect(first).toMatchObject({ data: [{ attempt: 1 }, { attempt: 2 }], next: expect.any(Number) });
  const rest = (await get(`${id}/attempts?limit=2&after=${first.next}`)).body;
  expect(rest).toMatchObject({ data: [{ attempt: 3 }], next: null });
  expect(rest.data[0]?.id).toBeGreaterThan(5_000_000_000);
});

test('what was given up is listed by event, slice by slice, of one endpoint alone', async () => {
  const other = await quietEndpoint(stage, acme);
  const [first, delivered, second, third] = [await send(), await send(), await send(), await send()];
  await send();
  await settle(third, 8, { status: 500, dead: true });
  await settle(delivered, 1, { status: 200 });
  await settle(second, 9, { error: 'timeout', dead: true });
  await settle(first, 8, { status: 500, dead: true });
  const line = { event_type: 'user-app', state: 'dead', attempts: 8, dead_at: TIME, received_at: TIME };
  const all = [
    { ...line, event_id: first },
    { ...line, event_id: second, attempts: 9 },
    { ...line, event_id: third },
  ];
  expect(await get(`${id}/deliveries`)).toMatchObject({ status: 200, body: { data: all, next: null } });
  const next = Number(second.slice('evt_'.length));
  expect((await get(`${id}/deliveries?state=dead&limit=2`)).body).toEqual({ data: all.slice(0, 2), next });
  expect((await get(`${id}/deliveries?limit=2&after=${next}`)).body).toEqual({ data: all.slice(2), next: null });
  expect((await get(`${other}/deliveries`)).body).toEqual({ data: [], next: null });
  await replay(second);
  expect((await get(`${id}/deliveries`)).body.data).toEqual([all[0], all[2]]);
});

test.each([
  ...['after=-1', 'after=x', 'limit=0', 'limit=1001', 'page=1'].flatMap((query) => [
    `attempts?${query}`,
    `deliveries?${query}`,
  ]),
  'deliveries?state=due',
])('a list with %s is refused', async (list) => {
  const { status, body } = await get(`${id}/${list}`);
  expect([status, body]).toMatchObject([400, { code: 'VALIDATION' }]);
});

test('an endpoint shows what is owed to it, what was given up, and its last attempt', async () => {
  const events = [await send(), await send(), await send(), await send()];
  await settle(String(events[0]), 1, { status: 200 });
  await settle(String(events[1]), 8, { status: 503, dead: true });
  const { body } = await get(id);
  expect(body).toMatchObject({
    due: 2,
    dead: 1,
    failures: 1,
    last_success_at: TIME,
    last_attempt: { event_id: events[1], attempt: 8, status: 503, took_ms: 31, response: 'answered' },
  });
});
