import { eventsQueue } from '@disparo/contract';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, ApiStage, type TestUser } from '../../../testing/api-stage.js';
import { TcpProxy } from '../../../testing/proxy.js';
import { heldOn, type Statement, untilWaiting } from './held.js';
import { addType, envelope, quarantined, someTenant, storedEvents, type Tenant } from './tenants.js';

const KIB = 1_024;

let stage: ApiStage;
let owner: TestUser;
let stranger: TestUser;
let acme: Tenant;
let other: Tenant;

beforeAll(async () => {
  stage = await ApiStage.open();
  [owner, stranger] = [await stage.user(), await stage.user()];
});

beforeEach(async () => {
  [acme, other] = [await someTenant(stage, owner), await someTenant(stage, stranger)];
});

afterAll(() => stage?.close());

const post = (path: string, body?: unknown, token = owner.token): Promise<Answer> =>
  stage.api('POST', `/api/events/quarantine/${path}`, { token, body });
const list = (query = '', token = owner.token): Promise<Answer> =>
  stage.api('GET', `/api/events/quarantine?company_id=${acme.company.id}${query}`, { token });
const idsIn = ({ body }: Answer) => (body.data as { id: string }[]).map(({ id }) => id);
const coded = ({ status, body }: Answer) => [status, body.code];
const told = ({ status, body }: Answer) => [status, body];

async function rowOf(id: string) {
  const [row] = await stage.sql<{ resolution: string | null; event_id: string | null; reason: string }>(
    'SELECT resolution, event_id, reason FROM event_quarantine WHERE id = $1',
    [id],
  );
  return row;
}

/** An event of a type that is not registered yet. */
const order = (over: object = {}) => envelope(acme, { event_type: 'order', message: { n: 1 }, ...over });

describe('what comes from the queue and is no event', () => {
  test('is kept byte for byte, and replayed once its type is registered it is there once', async () => {
    const queue = eventsQueue(stage.env.QUEUE_PREFIX);
    const bytes = Buffer.from(` {"event_type":"order", "client_id":"${acme.client}","message":{"n":1.50}}`);
    stage.stores.channel.publish(queue, queue, bytes, { messageId: 'm-1', persistent: true });
    await stage.stores.channel.waitForConfirms();
    const [row] = await stage.until(async () => {
      const rows = (await list()).body.data as Record<string, unknown>[];
      return rows.length > 0 ? rows : undefined;
    }, 'it is in quarantine');
    expect(row).toEqual({
      id: expect.stringMatching(/^\d+$/),
      company_id: acme.company.id,
      client_id: acme.client,
      reason: 'unknown_event_type',
      detail: 'order',
      dedupe_key: 'b:m-1',
      received_at: expect.stringMatching(/^\d{4}-.*Z$/),
      resolved_at: null,
      resolution: null,
      event_id: null,
      body: bytes.toString(),
      body_base64: null,
      body_bytes: bytes.length,
    });
    const id = String(row?.id);
    expect(told(await post(`${id}/replay`))).toEqual([200, { outcome: 'quarantined', reason: 'unknown_event_type' }]);
    await addType(stage, acme.company, 'order', 1);
    const { status, body } = await post(`${id}/replay`);
    expect([status, body]).toEqual([200, { outcome: 'stored', event_id: expect.stringMatching(/^evt_\d+$/) }]);
    const [event] = await storedEvents(stage, acme);
    expect(event).toMatchObject({ dedupe_key: 'b:m-1', message: '{"n":1.5}' });
    expect(await rowOf(id)).toMatchObject({ resolution: 'replayed', event_id: event?.id });
    expect(coded(await post(`${id}/replay`))).toEqual([409, 'QUARANTINE.RESOLVED']);
    expect(await storedEvents(stage, acme)).toHaveLength(1);
    expect([idsIn(await list()), idsIn(await list('&resolved=true'))]).toEqual([[], [id]]);
  });
});

describe('the list', () => {
  test('is of one reason, of open or of ended ones, slice by slice', async () => {
    const ids = [await quarantined(stage, acme), await quarantined(stage, acme), await quarantined(stage, acme)];
    const wrong = await quarantined(stage, acme, { reason: 'invalid_payload' });
    expect(idsIn(await list('&reason=invalid_payload'))).toEqual([wrong]);
    const first = await list('&limit=2');
    expect([idsIn(first), first.body.next]).toEqual([ids.slice(0, 2), Number(ids[1])]);
    const second = await list(`&limit=2&after=${ids[1]}`);
    expect([idsIn(second), second.body.next]).toEqual([[ids[2], wrong], null]);
    await post(`${ids[0]}/discard`);
    expect([idsIn(await list('&resolved=false')), idsIn(await list('&resolved=true'))]).toEqual([
      [ids[1], ids[2], wrong],
      [ids[0]],
    ]);
  });

  test('shows bytes that are no text as base64, and of long ones the beginning', async () => {
    const noText = Buffer.from([0x7b, 0xff]);
    await quarantined(stage, acme, { body: noText, reason: 'invalid_envelope' });
    await quarantined(stage, acme, { body: `a${'é'.repeat(200 * KIB)}`, reason: 'invalid_envelope' });
    const [bytes, long] = (await list()).body.data as Record<string, unknown>[];
    expect(bytes).toMatchObject({ body: null, body_base64: noText.toString('base64'), body_bytes: 2 });
    const half = `a${'é'.repeat(128 * KIB - 1)}`;
    expect(long).toMatchObject({ body: half, body_base64: null, body_bytes: 400 * KIB + 1 });
  });

  test('has at most 2 MiB of bodies, and says where it goes on', async () => {
    for (let at = 0; at < 9; at++) await quarantined(stage, acme, { body: 'x'.repeat(300 * KIB) });
    const first = await list();
    expect(first.body.data).toHaveLength(8);
    const rest = await list(`&after=${first.body.next}`);
    expect([(rest.body.data as unknown[]).length, rest.body.next]).toEqual([1, null]);
  });

  test('shows no member what is of another company, or of none', async () => {
    await quarantined(stage, other);
    await quarantined(stage, undefined, { reason: 'missing_tenant' });
    expect(idsIn(await list())).toEqual([]);
    expect(coded(await list('', stranger.token))).toEqual([404, 'COMPANY.NOT_FOUND']);
    expect(coded(await stage.api('GET', `/api/events/quarantine?company_id=${acme.company.id}`))).toEqual([
      401,
      'AUTH.TOKEN_MISSING',
    ]);
    expect(coded(await stage.api('GET', '/api/events/quarantine', { token: owner.token }))).toEqual([
      400,
      'VALIDATION',
    ]);
  });
});

describe('a replay', () => {
  test('of a corrected envelope stores that one under the kept key, its numbers as they are written', async () => {
    const id = await quarantined(stage, acme, { body: 'no JSON', key: 'b:kept', reason: 'invalid_envelope' });
    const corrected = `{"body":{"event_type":"note","client_id":"${acme.client}","message":[12345678901234567890]}}`;
    expect((await post(`${id}/replay`, corrected)).body).toMatchObject({ outcome: 'stored' });
    expect(await storedEvents(stage, acme)).toMatchObject([
      { dedupe_key: 'b:kept', message: '[12345678901234567890]' },
    ]);
  });

  test('takes an envelope as text, and the id in it wins over the kept key', async () => {
    const id = await quarantined(stage, acme, { key: 'p:kept' });
    const body = JSON.stringify(envelope(acme, { id: 'new' }));
    expect((await post(`${id}/replay`, { body })).body).toMatchObject({ outcome: 'stored' });
    expect(await storedEvents(stage, acme)).toMatchObject([{ dedupe_key: 'p:new' }]);
  });

  test("keeps the producer's id of a body that had one, in a new body without", async () => {
    const id = await quarantined(stage, acme, { key: 'p:kept', body: order({ id: 'kept' }) });
    expect((await post(`${id}/replay`, { body: envelope(acme) })).body).toMatchObject({ outcome: 'stored' });
    expect(await storedEvents(stage, acme)).toMatchObject([{ dedupe_key: 'p:kept' }]);
  });

  test('of what is stored already is a duplicate, and ends with that event', async () => {
    await stage.api('POST', '/api/events', { token: owner.token, body: envelope(acme, { id: 'a' }) });
    const id = await quarantined(stage, acme, { key: 'p:a', body: envelope(acme, { id: 'a' }) });
    const [event] = await storedEvents(stage, acme);
    expect(told(await post(`${id}/replay`))).toEqual([200, { outcome: 'duplicate', event_id: `evt_${event?.id}` }]);
    expect(await rowOf(id)).toMatchObject({ resolution: 'replayed', event_id: event?.id });
  });

  test('of a conflict stays one, until its body has another id', async () => {
    await stage.api('POST', '/api/events', { token: owner.token, body: envelope(acme, { id: 'a' }) });
    const body = envelope(acme, { id: 'a', message: { age: 50 } });
    const id = await quarantined(stage, acme, { key: 'p:a', body, reason: 'conflicting_duplicate' });
    const conflict = { outcome: 'quarantined', reason: 'conflicting_duplicate' };
    expect(told(await post(`${id}/replay`))).toEqual([200, conflict]);
    expect([await rowOf(id), await storedEvents(stage, acme)]).toMatchObject([
      { resolution: null },
      [{ message: '{"age":31}' }],
    ]);
    expect((await post(`${id}/replay`, { body: { ...body, id: 'b' } })).body).toMatchObject({ outcome: 'stored' });
  });

  test.each<[string, () => object, string]>([
    ['no client', () => envelope(acme, { client_id: undefined }), 'missing_tenant'],
    ["another company's client", () => envelope(other), 'unregistered_tenant'],
    ['an unknown type', () => envelope(acme, { event_type: 'x' }), 'unknown_event_type'],
    ['what its schema refuses', () => envelope(acme, { message: { age: 'x' } }), 'invalid_payload'],
    ['no envelope', () => ({}), 'invalid_envelope'],
  ])('that is refused leaves the message as it was: %s', async (_, body, reason) => {
    const id = await quarantined(stage, acme, { body: order() });
    expect(told(await post(`${id}/replay`, { body: body() }))).toEqual([200, { outcome: 'quarantined', reason }]);
    expect(await rowOf(id)).toEqual({ resolution: null, event_id: null, reason: 'unknown_event_type' });
    expect([await storedEvents(stage, acme), await storedEvents(stage, other)]).toEqual([[], []]);
  });

  test('that the store refuses is told as refused, and changes nothing', async () => {
    await stage.sql(
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '22001'; END $$`,
    );
    await stage.sql('CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()');
    const id = await quarantined(stage, acme, { body: envelope(acme) });
    const refused = await post(`${id}/replay`).finally(() => stage.sql('DROP FUNCTION refuse() CASCADE'));
    expect(told(refused)).toEqual([200, { outcome: 'quarantined', reason: 'invalid_payload' }]);
    expect(await rowOf(id)).toMatchObject({ resolution: null });
    expect((await post(`${id}/replay`)).body).toMatchObject({ outcome: 'stored' });
  });

  test.each<[string, unknown]>([
    ['a number', { body: 1 }],
    ['a list', { body: [] }],
    ['half of a surrogate pair', '{"body":"\\ud800"}'],
    ['an unknown field', { payload: {} }],
    ['no JSON', '{'],
    ['no object', '[]'],
  ])('with %s as its body is refused', async (_, body) => {
    const id = await quarantined(stage, acme, { body: envelope(acme) });
    expect(coded(await post(`${id}/replay`, body))).toEqual([400, 'VALIDATION']);
    expect(await rowOf(id)).toMatchObject({ resolution: null });
  });

  test('over 4 MiB is refused', async () => {
    expect(coded(await post('1/replay', 'x'.repeat(4_096 * KIB + 1)))).toEqual([413, 'EVENT.TOO_LARGE']);
  });

  test.each(['replay', 'discard'])('or a discard (%s) of what the caller may not see finds nothing', async (end) => {
    const [own, ownerless] = [await quarantined(stage, acme), await quarantined(stage, undefined)];
    const answers = [
      await post(`${own}/${end}`, undefined, stranger.token),
      await post(`${ownerless}/${end}`),
      await post(`999999999999999999/${end}`),
      await post(`evt_1/${end}`),
    ];
    expect(answers.map(coded)).toEqual(Array(4).fill([404, 'QUARANTINE.NOT_FOUND']));
    expect([await rowOf(own), await rowOf(ownerless)]).toMatchObject([{ resolution: null }, { resolution: null }]);
  });
});

describe('a replay of many', () => {
  const all = (over: object = {}) =>
    post('replay', { company_id: acme.company.id, reason: 'unknown_event_type', ...over });

  test('ends those that are events now, oldest first, and leaves the rest', async () => {
    const bodies = [order({ id: '1' }), order({ id: '2', event_type: 'still unknown' }), order({ id: '3' })];
    const ids: string[] = [];
    for (const body of bodies) ids.push(await quarantined(stage, acme, { body }));
    const wrong = await quarantined(stage, acme, { body: order(), reason: 'invalid_payload' });
    const strangers = await quarantined(stage, other, { body: order() });
    await addType(stage, acme.company, 'order', 1);
    expect(told(await all())).toEqual([200, { count: 2, looked_at: 3, next: null }]);
    expect((await storedEvents(stage, acme)).map(({ dedupe_key }) => dedupe_key)).toEqual(['p:1', 'p:3']);
    expect(idsIn(await list())).toEqual([ids[1], wrong]);
    expect(await rowOf(strangers)).toMatchObject({ resolution: null });
  });

  test('goes on after what it could not end', async () => {
    const ids = [
      await quarantined(stage, acme, { body: order() }),
      await quarantined(stage, acme, { body: envelope(acme) }),
    ];
    const first = await all({ limit: 1 });
    expect(told(first)).toEqual([200, { count: 0, looked_at: 1, next: Number(ids[0]) }]);
    expect((await all({ limit: 1, after: first.body.next })).body).toMatchObject({ count: 1 });
  });

  test('is refused to a stranger, and without a reason', async () => {
    const body = { company_id: acme.company.id, reason: 'unknown_event_type' };
    expect(coded(await post('replay', body, stranger.token))).toEqual([404, 'COMPANY.NOT_FOUND']);
    for (const wrong of [{ reason: undefined }, { reason: 'x' }, { limit: 1_001 }, { company_id: undefined }])
      expect(coded(await all(wrong))).toEqual([400, 'VALIDATION']);
  });
});

test('what is discarded never becomes an event', async () => {
  const id = await quarantined(stage, acme, { body: envelope(acme) });
  expect(told(await post(`${id}/discard`))).toEqual([200, { id, resolution: 'discarded' }]);
  expect(coded(await post(`${id}/discard`))).toEqual([409, 'QUARANTINE.RESOLVED']);
  expect(coded(await post(`${id}/replay`))).toEqual([409, 'QUARANTINE.RESOLVED']);
  expect(await storedEvents(stage, acme)).toEqual([]);
});

describe('a race', () => {
  const held = <T>(statements: Statement[], waiting: number, meanwhile: () => Promise<T>, last: Statement[] = []) =>
    heldOn(stage, statements, waiting, meanwhile, last);
  const holding = (id: string): Statement => ['SELECT FROM event_quarantine WHERE id = $1 FOR UPDATE', [id]];
  const storing = (tenant: Tenant, key: string, message: string): [string, unknown[]] => [
    `SELECT outcome, event_id FROM event_registry, LATERAL store_events(version, true, '{0}', ARRAY[$1],
       ARRAY[(SELECT id FROM event_types WHERE company_id = $2 AND name = 'note')], ARRAY[$3], ARRAY[$4], ARRAY[convert_to($4, 'UTF8')], '{null}', '{null}', '{null}', ARRAY[$2])`,
    [tenant.client, tenant.company.id, key, message],
  ];

  test('of two replays has one winner and one event', async () => {
    const id = await quarantined(stage, acme, { body: envelope(acme) });
    const replays = () => Promise.all([post(`${id}/replay`), post(`${id}/replay`)]);
    const answers = await held([holding(id)], 2, replays);
    expect(answers.map(coded).sort()).toEqual([
      [200, undefined],
      [409, 'QUARANTINE.RESOLVED'],
    ]);
    expect(await storedEvents(stage, acme)).toHaveLength(1);
  });

  test('of two replays with bodies of other ids has one event, that of the winner', async () => {
    const id = await quarantined(stage, acme, { body: order() });
    const bodies = ['a', 'b'].map((own) => ({ body: envelope(acme, { id: own }) }));
    const answers = await held([holding(id)], 2, () => Promise.all(bodies.map((body) => post(`${id}/replay`, body))));
    expect(answers.map(coded).sort()).toEqual([
      [200, undefined],
      [409, 'QUARANTINE.RESOLVED'],
    ]);
    const [event, ...more] = await storedEvents(stage, acme);
    expect([await rowOf(id), more]).toMatchObject([{ resolution: 'replayed', event_id: event?.id }, []]);
  });

  test('of a replay and a discard has one winner, and an event only if that is the replay', async () => {
    const id = await quarantined(stage, acme, { body: envelope(acme) });
    const both = () => Promise.all([post(`${id}/replay`), post(`${id}/discard`)]);
    const [replay, discard] = await held([holding(id)], 2, both);
    expect([replay?.status, discard?.status].sort()).toEqual([200, 409]);
    const won = replay?.status === 200;
    expect(await storedEvents(stage, acme)).toHaveLength(won ? 1 : 0);
    expect(await rowOf(id)).toMatchObject({ resolution: won ? 'replayed' : 'discarded' });
  });

  test('of a discard that is first: the replay stores nothing', async () => {
    const id = await quarantined(stage, acme, { body: envelope(acme) });
    const discarding: [string, unknown[]] = [
      `UPDATE event_quarantine SET resolved_at = now(), resolution = 'discarded' WHERE id = $1`,
      [id],
    ];
    expect(coded(await held([discarding], 1, () => post(`${id}/replay`)))).toEqual([409, 'QUARANTINE.RESOLVED']);
    expect(await storedEvents(stage, acme)).toEqual([]);
  });

  test('with the queue that stores the key first: the replay is its duplicate', async () => {
    const id = await quarantined(stage, acme, {
      key: 'b:q',
      body: envelope(acme, { event_type: 'note', message: 'x' }),
    });
    const answer = await held([storing(acme, 'b:q', 'x')], 1, () => post(`${id}/replay`));
    const [event, ...more] = await storedEvents(stage, acme);
    expect(told(answer)).toEqual([200, { outcome: 'duplicate', event_id: `evt_${event?.id}` }]);
    expect([await rowOf(id), more]).toMatchObject([{ event_id: event?.id }, []]);
  });

  test.each([
    ['the same message', 'x', 'duplicate'],
    ['another message', 'y', 'quarantined'],
  ])('with the queue that stores the key of a replay with %s: there is one event', async (_, message, outcome) => {
    const id = await quarantined(stage, acme, {
      key: 'b:r',
      body: envelope(acme, { event_type: 'note', message: 'x' }),
    });
    const [answer, [queue]] = await held([holding(id)], 2, async () => {
      const replay = post(`${id}/replay`);
      await untilWaiting(stage);
      return Promise.all([replay, stage.sql<{ outcome: string; event_id: string }>(...storing(acme, 'b:r', message))]);
    });
    const [event, ...more] = await storedEvents(stage, acme);
    expect([answer?.body, queue, more]).toEqual([
      { outcome: 'stored', event_id: `evt_${event?.id}` },
      { outcome, event_id: event?.id },
      [],
    ]);
  });

  test('with retention, which deletes the event that it repeats: the message is an event again', async () => {
    await stage.api('POST', '/api/events', { token: owner.token, body: envelope(acme, { id: 'a' }) });
    const id = await quarantined(stage, acme, { key: 'p:a', body: envelope(acme) });
    const deleting: Statement = ['DELETE FROM events WHERE client_id = $1', [acme.client]];
    const { status, body } = await held([holding(id)], 1, () => post(`${id}/replay`), [deleting]);
    const [event, ...more] = await storedEvents(stage, acme);
    expect([status, body, more]).toEqual([200, { outcome: 'stored', event_id: `evt_${event?.id}` }, []]);
    expect(await rowOf(id)).toMatchObject({ event_id: event?.id });
  });

  test('of ten replays with a change of the registry: each has its event', async () => {
    const ids = await Promise.all(Array.from({ length: 10 }, () => quarantined(stage, acme, { body: envelope(acme) })));
    // Each holds a connection, which is all that the process has, and finds that what it knows is stale.
    const changing: Statement[] = [['UPDATE event_registry SET version = version + 1']];
    const answers = await held(changing, 10, () => Promise.all(ids.map((id) => post(`${id}/replay`))));
    expect(answers.map(({ status, body }) => [status, body.outcome])).toEqual(ids.map(() => [200, 'stored']));
  });

  test('with the registration of its type ends with the event', async () => {
    const id = await quarantined(stage, acme, { body: order() });
    const registering: [string, unknown[]?][] = [
      [`INSERT INTO event_types (company_id, name, version) VALUES ($1, 'order', 1)`, [acme.company.id]],
      ['UPDATE event_registry SET version = version + 1'],
    ];
    expect((await held(registering, 1, () => post(`${id}/replay`))).body).toMatchObject({ outcome: 'stored' });
  });

  test('with the deletion of its client ends without an event', async () => {
    const id = await quarantined(stage, acme, { body: envelope(acme) });
    const deleting: [string, unknown[]?][] = [
      ['UPDATE event_clients SET deleted = true WHERE client_id = $1', [acme.client]],
      ['UPDATE event_registry SET version = version + 1'],
    ];
    const answer = await held(deleting, 1, () => post(`${id}/replay`));
    expect(told(answer)).toEqual([200, { outcome: 'quarantined', reason: 'unregistered_tenant' }]);
  });
});

test('without PostgreSQL a replay is answered with 503, and may be sent again', async () => {
  const postgres = await TcpProxy.openTo(stage.env.DATABASE_URL, 5_432);
  const beside = await stage.beside({ DATABASE_URL: postgres.url });
  const id = await quarantined(stage, acme, { body: envelope(acme) });
  const replay = () => beside.api('POST', `/api/events/quarantine/${id}/replay`, { token: owner.token });
  try {
    await postgres.close();
    expect(coded(await replay())).toEqual([503, 'SERVICE_UNAVAILABLE']);
    await postgres.open();
    expect((await replay()).body).toMatchObject({ outcome: 'stored' });
  } finally {
    await beside.close();
    await postgres.close();
  }
});
