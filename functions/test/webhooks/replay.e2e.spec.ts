import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, ApiStage, type TestUser } from '../../../testing/api-stage.js';
import { untilTrue } from '../../../testing/until.js';
import { envelope, someTenant, type Tenant } from '../events/tenants.js';
import { owedTo, quietEndpoint } from './some-endpoint.js';

const NOON = '2026-06-01T12:00:00.000Z';
const LATER = '2026-06-01T13:00:00.000Z';
const LONG_AGO = '2020-01-01T00:00:00Z';
/** What a call makes due. */
const MOST = 20_000;

let stage: ApiStage;
let ana: TestUser;
let acme: Tenant;
let id: string;
/** A connection of the test's own, whose transaction holds locks. */
let held: pg.Client;

beforeAll(async () => {
  stage = await ApiStage.open({ env: { EVENTS_PREFETCH: '0' } });
  ana = await stage.user();
  held = new pg.Client(stage.env.DATABASE_URL);
  await held.connect();
});

beforeEach(async () => {
  acme = await someTenant(stage, ana);
  id = await quietEndpoint(stage, acme);
});

afterAll(async () => {
  await held?.end();
  await stage?.close();
});

const post = (path: string, body?: object): Promise<Answer> => stage.api('POST', path, { token: ana.token, body });
const replay = (body: object, endpoint = id) => post(`/api/events/endpoints/${endpoint}/replay`, body);
const replayOne = (event: string, endpoint = id) => post(`/api/events/${event}/deliveries/${endpoint}/replay`);
const answered = ({ status, body }: Answer) => [status, body];
const coded = ({ status, body }: Answer) => [status, body.code];
const numberOf = (event: string) => event.slice('evt_'.length);

async function send(over: object = {}, tenant = acme): Promise<string> {
  const { status, body } = await post('/api/events', envelope(tenant, over));
  expect(status).toBe(202);
  return String(body.id);
}

/** Sends an event and ends its delivery after so many attempts. */
async function ended(how: 'dead' | 'delivered', attempts = 8, receivedAt?: string): Promise<string> {
  const event = await send();
  await stage.sql(
    `UPDATE event_deliveries SET due_at = NULL, ${how}_at = now(), attempts = $3 WHERE endpoint_id = $1 AND event_id = $2`,
    [id, numberOf(event), attempts],
  );
  if (receivedAt) await receive(event, receivedAt);
  return event;
}

async function receive(event: string, at: string): Promise<void> {
  await stage.sql('UPDATE events SET received_at = $2 WHERE id = $1', [numberOf(event), at]);
}

/** The deliveries of an endpoint by event, each with its attempts and where its round began. */
async function states(endpoint = id) {
  return stage.sql(
    `SELECT 'evt_' || event_id AS event, attempts, round_from AS from,
            CASE WHEN due_at <= now() THEN 'due' WHEN due_at IS NOT NULL THEN 'leased'
                 WHEN dead_at IS NOT NULL THEN 'dead' ELSE 'delivered' END AS state
       FROM event_deliveries WHERE endpoint_id = $1 ORDER BY event_id`,
    [endpoint],
  );
}

/** Makes so many events of the tenant, whose deliveries to the endpoint were given up, or that were never owed to it. */
async function many(count: number, how: 'dead' | 'unowed'): Promise<void> {
  const [type] = await stage.sql("SELECT id FROM event_types WHERE company_id = $1 AND name = 'note'", [
    acme.company.id,
  ]);
  await stage.sql(
    `WITH put AS (INSERT INTO events (company_id, client_id, type_id, dedupe_key, content, message)
       SELECT $1, $2, $3, 'm:' || n, '', '{}' FROM generate_series(1, $4) n RETURNING id)
     INSERT INTO event_deliveries (event_id, endpoint_id, attempts, dead_at) SELECT put.id, $5, 8, now() FROM put WHERE $6`,
    [acme.company.id, acme.client, type?.id, count, id, how === 'dead'],
  );
}

describe('a replay of the dead', () => {
  test('makes those of the time due for a round of their own, and no others', async () => {
    const early = await ended('dead', 8, '2026-06-01T11:59:59.999Z');
    const first = await ended('dead', 8, NOON);
    const delivered = await ended('delivered', 2, NOON);
    const last = await ended('dead', 9, '2026-06-01T12:59:59.999Z');
    const late = await ended('dead', 8, LATER);
    const due = await send();
    await receive(due, NOON);
    const answer = await replay({ since: NOON, until: LATER, only: 'dead' });
    expect(answered(answer)).toEqual([202, { count: 2, next: null }]);
    expect(await states()).toEqual([
      { event: early, attempts: 8, from: 0, state: 'dead' },
      { event: first, attempts: 8, from: 8, state: 'due' },
      { event: delivered, attempts: 2, from: 0, state: 'delivered' },
      { event: last, attempts: 9, from: 9, state: 'due' },
      { event: late, attempts: 8, from: 0, state: 'dead' },
      { event: due, attempts: 0, from: 0, state: 'due' },
    ]);
    expect(answered(await replay({ since: '2026-06-01T09:00:00-03:00', until: LATER, only: 'dead' }))).toEqual([
      202,
      { count: 0, next: null },
    ]);
  });

  test('leaves those of another endpoint', async () => {
    const other = await quietEndpoint(stage, acme);
    await ended('dead');
    await stage.sql('UPDATE event_deliveries SET due_at = NULL, dead_at = now() WHERE endpoint_id = $1', [other]);
    const before = await states(other);
    expect((await replay({ since: LONG_AGO, only: 'dead' })).body).toEqual({ count: 1, next: null });
    expect(await states(other)).toEqual(before);
  });

  test('of more than a slice takes all of them', async () => {
    await many(2_500, 'dead');
    expect((await replay({ since: LONG_AGO, only: 'dead' })).body).toEqual({ count: 2_500, next: null });
    expect(new Set((await states()).map(({ state }) => state))).toEqual(new Set(['due']));
  });

  test('by two at once counts each delivery once', async () => {
    await many(2_500, 'dead');
    const answers = await Promise.all([1, 2].map(() => replay({ since: LONG_AGO, only: 'dead' })));
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    expect(answers.reduce((sum, { body }) => sum + Number(body.count), 0)).toBe(2_500);
  });

  test('numbers the next attempt behind the last one, so that a late answer of before is void', async () => {
    const event = await ended('dead', 8);
    await replay({ since: LONG_AGO, only: 'dead' });
    const claimed = await claim();
    expect(claimed).toEqual([{ event_id: numberOf(event), attempt: 9 }]);
    const [late] = await stage.sql(
      "SELECT settle_delivery($1, $2, 8, false, true, '0', 500, NULL, 1, '', now()) AS changed",
      [id, numberOf(event)],
    );
    expect(late).toEqual({ changed: false });
    expect(await states()).toEqual([{ event, attempts: 9, from: 8, state: 'leased' }]);
  });
});

describe('a replay of all', () => {
  test('brings what was delivered, and what the endpoint wants and was never owed', async () => {
    const other = await someTenant(stage, ana);
    const patch = (body: object) => stage.api('PATCH', `/api/events/endpoints/${id}`, { token: ana.token, body });
    await patch({ disabled: true });
    const [missed, unwanted] = [await send(), await send({ event_type: 'note' })];
    await patch({ disabled: false, type_names: ['user-app'] });
    const [dead, delivered, due] = [await ended('dead', 8), await ended('delivered', 3), await send()];
    await send({}, other);
    const answer = await replay({ since: LONG_AGO, only: 'all' });
    expect(answered(answer)).toEqual([202, { count: 3, next: null }]);
    expect(await states()).toEqual([
      { event: missed, attempts: 0, from: 0, state: 'due' },
      { event: dead, attempts: 8, from: 8, state: 'due' },
      { event: delivered, attempts: 3, from: 3, state: 'due' },
      { event: due, attempts: 0, from: 0, state: 'due' },
    ]);
    expect(await owedTo(stage, id)).not.toContain(unwanted);
  });

  test('brings no event of another client than that of the endpoint', async () => {
    await stage.sql("INSERT INTO event_clients (client_id, company_id) VALUES ($1 || '-b', $2)", [
      acme.client,
      acme.company.id,
    ]);
    await stage.sql('UPDATE event_registry SET version = version + 1');
    const [own] = [await send(), await send({ client_id: `${acme.client}-b` })];
    const ofClient = await quietEndpoint(stage, acme, { client_id: acme.client });
    expect((await replay({ since: LONG_AGO, only: 'all' }, ofClient)).body).toEqual({ count: 1, next: null });
    expect(await owedTo(stage, ofClient)).toEqual([own]);
  });

  test('keeps within its time', async () => {
    await stage.sql('UPDATE event_endpoints SET disabled_at = now() WHERE id = $1', [id]);
    const events = [await send(), await send(), await send()];
    await Promise.all(events.map((event, n) => receive(event, ['2026-06-01T11:59:59.999Z', NOON, LATER][n] ?? '')));
    expect((await replay({ since: NOON, until: LATER, only: 'all' })).body).toEqual({ count: 1, next: null });
    expect(await owedTo(stage, id)).toEqual([events[1]]);
  });

  test('by two at once counts each delivery once', async () => {
    await many(1_500, 'dead');
    await many2();
    const answers = await Promise.all([1, 2].map(() => replay({ since: LONG_AGO, only: 'all' })));
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    expect(answers.reduce((sum, { body }) => sum + Number(body.count), 0)).toBe(3_000);
  });

  test('that is long says where the next call begins', async () => {
    await many(MOST + 1, 'unowed');
    const first = await replay({ since: LONG_AGO, only: 'all' });
    expect(answered(first)).toEqual([202, { count: MOST, next: expect.any(Number) }]);
    expect((await owedTo(stage, id)).at(-1)).toBe(`evt_${first.body.next}`);
    const rest = await replay({ since: LONG_AGO, only: 'all', after: first.body.next });
    expect(rest.body).toEqual({ count: 1, next: null });
    const [row] = await stage.sql<{ count: number }>(
      'SELECT count(*)::int AS count FROM event_deliveries WHERE endpoint_id = $1 AND due_at IS NOT NULL',
      [id],
    );
    expect(row?.count).toBe(MOST + 1);
  });

  /** Events that were never owed, behind the dead ones. */
  async function many2(): Promise<void> {
    await stage.sql("UPDATE events SET dedupe_key = 'd' || dedupe_key WHERE client_id = $1", [acme.client]);
    await many(1_500, 'unowed');
  }
});

test.each(['dead', 'all'])('a replay of %s finds what is behind slices of another time', async (only) => {
  await many(1_500, 'dead');
  await stage.sql('UPDATE events SET received_at = $2 WHERE company_id = $1', [
    acme.company.id,
    '2026-06-01T11:30:00Z',
  ]);
  await ended('dead', 8, NOON);
  expect((await replay({ since: NOON, only })).body).toEqual({ count: 1, next: null });
});

describe('a replay meanwhile', () => {
  test('does not wait for a sender that claims, and leaves what is claimed', async () => {
    const dead = await ended('dead');
    await send();
    await held.query('BEGIN');
    await held.query('UPDATE event_endpoints SET next_slot_at = now() WHERE id = $1', [id]);
    const claimed = await held.query("SELECT attempt FROM claim_deliveries(20, 16, '30 s') WHERE endpoint_id = $1", [
      id,
    ]);
    const late = await send();
    const answer = await replay({ since: LONG_AGO, only: 'all' });
    await held.query("UPDATE event_endpoints SET next_slot_at = 'infinity' WHERE id = $1", [id]);
    await held.query('COMMIT');
    expect([claimed.rowCount, answered(answer)]).toEqual([1, [202, { count: 1, next: null }]]);
    expect((await states()).map(({ event, attempts, state }) => [event, attempts, state])).toEqual([
      [dead, 8, 'due'],
      [expect.any(String), 1, 'leased'],
      [late, 0, 'due'],
    ]);
  });

  test('passes over an event that retention deletes', async () => {
    const [gone, unowed, stays] = [await ended('dead'), await send(), await ended('dead')];
    await stage.sql('DELETE FROM event_deliveries WHERE event_id = $1', [numberOf(unowed)]);
    const ids = [numberOf(gone), numberOf(unowed)];
    await held.query('BEGIN');
    await held.query('SELECT FROM events WHERE id = ANY ($1) FOR UPDATE', [ids]);
    await held.query('DELETE FROM event_deliveries WHERE event_id = ANY ($1)', [ids]);
    const answers = [
      await replay({ since: LONG_AGO, only: 'dead' }),
      await replay({ since: LONG_AGO, only: 'all' }),
      await replayOne(gone),
      await replayOne(unowed),
    ];
    await held.query('DELETE FROM events WHERE id = ANY ($1)', [ids]);
    await held.query('COMMIT');
    expect(answers.map(({ status, body }) => [status, body.count ?? body.code])).toEqual([
      [202, 1],
      [202, 0],
      [404, 'DELIVERY.NOT_FOUND'],
      [404, 'DELIVERY.NOT_FOUND'],
    ]);
    expect(await owedTo(stage, id)).toEqual([stays]);
  });

  test('makes due what waits for its next attempt, and leaves what is under way', async () => {
    const [waiting, underWay] = [await send(), await send()];
    await stage.sql(
      `UPDATE event_deliveries SET due_at = now() + interval '1 hour', attempts = 2 WHERE endpoint_id = $1`,
      [id],
    );
    const logged = `INSERT INTO event_attempts (event_id, endpoint_id, attempt, status, took_ms) VALUES ($1, $2, $3, 500, 1)`;
    await stage.sql(logged, [numberOf(waiting), id, 2]);
    await stage.sql(logged, [numberOf(underWay), id, 1]);
    expect((await replayOne(underWay)).body).toEqual({ count: 0 });
    expect((await replay({ since: LONG_AGO, only: 'dead' })).body).toEqual({ count: 0, next: null });
    expect((await replay({ since: LONG_AGO, only: 'all' })).body).toEqual({ count: 1, next: null });
    expect(await states()).toEqual([
      { event: waiting, attempts: 2, from: 2, state: 'due' },
      { event: underWay, attempts: 2, from: 0, state: 'leased' },
    ]);
  });

  test('of a disabled endpoint is due, and waits for it', async () => {
    await ended('dead');
    await stage.sql("UPDATE event_endpoints SET disabled_at = now(), disabled_reason = 'gone' WHERE id = $1", [id]);
    expect(answered(await replay({ since: LONG_AGO, only: 'dead' }))).toEqual([202, { count: 1, next: null }]);
    expect(await claim()).toEqual([]);
  });
});

/** How many statements on deliveries wait for a lock. */
async function waiting(): Promise<number> {
  const rows = await stage.sql(
    "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%event_deliveries%'",
  );
  return rows.length;
}

describe('a replay of one event', () => {
  test('makes it due, and counts nothing where it is due already', async () => {
    const [dead, delivered] = [await ended('dead', 8), await ended('delivered', 1)];
    for (const event of [dead, delivered]) {
      expect(answered(await replayOne(event))).toEqual([202, { count: 1 }]);
      expect(answered(await replayOne(event))).toEqual([202, { count: 0 }]);
    }
    expect(await states()).toEqual([
      { event: dead, attempts: 8, from: 8, state: 'due' },
      { event: delivered, attempts: 1, from: 1, state: 'due' },
    ]);
  });

  test('finds one that another replay has just made due', async () => {
    const event = await send();
    await stage.sql('DELETE FROM event_deliveries WHERE endpoint_id = $1', [id]);
    await held.query('BEGIN');
    await held.query('INSERT INTO event_deliveries (event_id, endpoint_id, due_at) VALUES ($1, $2, now())', [
      numberOf(event),
      id,
    ]);
    const answer = replayOne(event);
    await untilTrue(async () => (await waiting()) > 0, 'the replay waits');
    await held.query('COMMIT');
    expect(answered(await answer)).toEqual([202, { count: 0 }]);
  });

  test('brings one that was never owed only where the endpoint wants it', async () => {
    const [user, note] = [await send(), await send({ event_type: 'note' })];
    const users = await quietEndpoint(stage, acme, { type_names: ['user-app'] });
    expect(answered(await replayOne(user, users))).toEqual([202, { count: 1 }]);
    expect(coded(await replayOne(note, users))).toEqual([404, 'DELIVERY.NOT_FOUND']);
    expect(await owedTo(stage, users)).toEqual([user]);
  });

  test('finds no event of another company, though the member is in both', async () => {
    const second = await someTenant(stage, ana);
    const event = await send({}, second);
    expect(coded(await replayOne(event))).toEqual([404, 'DELIVERY.NOT_FOUND']);
    expect(await owedTo(stage, id)).toEqual([]);
  });

  test.each(['evt_0', 'evt_01', '1', 'evt_999999999999', 'evt_9999999999999999999', 'evt_x'])(
    'finds no %s',
    async (event) => {
      expect(coded(await replayOne(event))).toEqual([404, 'DELIVERY.NOT_FOUND']);
    },
  );
});

test.each([
  {},
  { only: 'dead' },
  { since: NOON },
  { since: NOON, only: 'some' },
  { since: '2026-06-01', only: 'dead' },
  { since: '0000-01-01T00:00:00Z', only: 'dead' },
  { since: NOON, until: null, only: 'dead' },
  { since: LATER, until: LATER, only: 'dead' },
  { since: NOON, only: 'dead', after: -1 },
  { since: NOON, only: 'dead', limit: 1 },
])('a replay of %j is refused', async (body) => {
  expect(coded(await replay(body))).toEqual([400, 'VALIDATION']);
});

/** Claims as a sender does, while nothing else can: the endpoint is closed to senders before and after. */
async function claim() {
  await held.query('BEGIN');
  await held.query('UPDATE event_endpoints SET next_slot_at = now() WHERE id = $1', [id]);
  const { rows } = await held.query(
    "SELECT event_id, attempt FROM claim_deliveries(20, 16, '30 s') WHERE endpoint_id = $1",
    [id],
  );
  await held.query("UPDATE event_endpoints SET next_slot_at = 'infinity' WHERE id = $1", [id]);
  await held.query('COMMIT');
  return rows;
}

test('a time in another form is told the form', async () => {
  const { body } = await replay({ since: '2026-06-01', only: 'dead' });
  expect(body.errors).toEqual([
    { path: 'since', message: 'must be a time with its offset, such as 2026-11-24T12:00:00Z' },
  ]);
});
