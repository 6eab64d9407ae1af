import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, ApiStage, type TestUser } from '../../../testing/api-stage.js';
import { TcpProxy } from '../../../testing/proxy.js';
import { changed, envelope, someTenant, storedEvents, type Tenant } from './tenants.js';

const KIB = 1_024;
const ID = /^evt_[1-9][0-9]*$/;

let stage: ApiStage;
let owner: TestUser;
let stranger: TestUser;
let acme: Tenant;
let other: Tenant;

beforeAll(async () => {
  stage = await ApiStage.open({ env: { EVENTS_PREFETCH: '0' } });
  [owner, stranger] = [await stage.user(), await stage.user()];
});

beforeEach(async () => {
  [acme, other] = [await someTenant(stage, owner), await someTenant(stage, stranger)];
});

afterAll(() => stage?.close());

const send = (body: unknown, token = owner.token): Promise<Answer> => stage.api('POST', '/api/events', { token, body });
const coded = ({ status, body }: Answer) => [status, body.code];

describe('one event', () => {
  test('is answered with 202 and its id, once it is a row', async () => {
    const { status, body } = await send(envelope(acme, { id: 'a', message: 'Olá', event_type: 'note' }));
    expect([status, body]).toEqual([202, { id: expect.stringMatching(ID), outcome: 'stored' }]);
    const [row] = await storedEvents(stage, acme);
    expect(row).toEqual({ id: String(body.id).slice('evt_'.length), dedupe_key: 'p:a', message: 'Olá' });
  });

  test('that comes again is a duplicate, with the id of the first', async () => {
    const first = await send(envelope(acme, { id: 'a' }));
    const again = await send(envelope(acme, { id: 'a' }));
    expect([again.status, again.body]).toEqual([200, { id: first.body.id, outcome: 'duplicate' }]);
  });

  test('with other content under the same id is a conflict, and the first stays', async () => {
    const first = await send(envelope(acme, { id: 'a' }));
    const conflict = await send(envelope(acme, { id: 'a', message: { age: 32 } }));
    expect([...coded(conflict), conflict.body.id]).toEqual([409, 'EVENT.CONFLICT', first.body.id]);
    expect((await storedEvents(stage, acme)).map(({ message }) => message)).toEqual(['{"age":31}']);
  });

  test('without an id is an event of its own each time', async () => {
    const answers = [await send(envelope(acme)), await send(envelope(acme))];
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    expect((await storedEvents(stage, acme)).map(({ dedupe_key }) => dedupe_key)).toEqual([
      expect.stringMatching(/^r:[0-9a-f-]{36}$/),
      expect.stringMatching(/^r:[0-9a-f-]{36}$/),
    ]);
  });

  test('keeps numbers that no double holds, as the queue does', async () => {
    const body = `{"event_type":"note","client_id":"${acme.client}","message":{"n":12345678901234567890}}`;
    expect((await send(body)).status).toBe(202);
    expect((await storedEvents(stage, acme)).map(({ message }) => message)).toEqual(['{"n":12345678901234567890}']);
  });

  test.each<[string, (tenant: Tenant) => unknown, string | RegExp]>([
    ['no JSON', () => "Hello, I'm a bad message", 'body: not JSON'],
    ['a list', () => '[]', 'body: not an object'],
    ['no body', () => '', 'body: empty'],
    ['no type', (tenant) => envelope(tenant, { event_type: undefined }), 'event_type'],
    ['no message', (tenant) => envelope(tenant, { message: undefined }), 'message'],
    ['an empty id', (tenant) => envelope(tenant, { id: '' }), 'id'],
    ['no client', (tenant) => envelope(tenant, { client_id: undefined }), /^client_id/],
    ['a client that is no text', (tenant) => envelope(tenant, { client_id: 1 }), /^client_id/],
    ['a client of the wrong form', (tenant) => envelope(tenant, { client_id: 'a b' }), /^client_id/],
    ['over 256 KiB', (tenant) => envelope(tenant, { message: 'x'.repeat(256 * KIB) }), 'size: over 256 KiB'],
    ['events beside a type', (tenant) => envelope(tenant, { message: undefined, events: [] }), 'message'],
  ])('is refused as no envelope: %s', async (_, body, field) => {
    const answer = await send(body(acme));
    const detail =
      typeof field === 'string' ? `the envelope is not valid: ${field}` : expect.stringMatching(/: client_id/);
    expect([...coded(answer), answer.body.detail]).toEqual([400, 'EVENT.INVALID_ENVELOPE', detail]);
    expect(await storedEvents(stage, acme)).toEqual([]);
  });

  test('that is not UTF-8 is refused as no envelope', async () => {
    const body = new Blob([Buffer.from('{"message":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    const headers = { authorization: `Bearer ${owner.token}`, 'content-type': 'application/json' };
    const answer = await fetch(`${stage.url}/api/events`, { method: 'POST', headers, body });
    expect([answer.status, await answer.json()]).toEqual([
      400,
      expect.objectContaining({ code: 'EVENT.INVALID_ENVELOPE', detail: 'the envelope is not valid: body: not UTF-8' }),
    ]);
  });

  test.each<[string, object, number, string, string]>([
    ['an unknown type', { event_type: 'order' }, 422, 'EVENT.UNKNOWN_TYPE', 'this type is not registered: order'],
    [
      'an unknown version',
      { version: 3 },
      422,
      'EVENT.UNKNOWN_TYPE',
      'this type is not registered: user-app, version 3',
    ],
    [
      'what its schema refuses',
      { message: { age: 'x' } },
      422,
      'EVENT.INVALID_PAYLOAD',
      'the message is not valid: /age type',
    ],
    [
      'U+0000',
      { event_type: 'note', message: 'a\0' },
      422,
      'EVENT.INVALID_PAYLOAD',
      'the message is not valid: message: U+0000',
    ],
    ['an unknown client', { client_id: 'nobody' }, 404, 'EVENT.UNREGISTERED_TENANT', 'there is no such client'],
  ])('is refused, and kept nowhere: %s', async (_, over, status, code, detail) => {
    const answer = await send(envelope(acme, over));
    expect([...coded(answer), answer.body.detail]).toEqual([status, code, detail]);
    expect(await storedEvents(stage, acme)).toEqual([]);
    expect(await stage.sql('SELECT FROM event_quarantine')).toEqual([]);
  });

  test('a CloudEvent is taken, under its own media type too', async () => {
    const body = JSON.stringify({
      specversion: '1.0',
      id: 'c',
      source: '/a',
      type: 'user-app',
      subject: acme.client,
      data: { age: 18 },
    });
    const headers = { 'content-type': 'application/cloudevents+json; charset=utf-8' };
    const { status } = await stage.api('POST', '/api/events', { token: owner.token, body, headers });
    expect(status).toBe(202);
    expect(await storedEvents(stage, acme)).toMatchObject([{ dedupe_key: 'p:c', message: '{"age":18}' }]);
  });

  test('that media type is taken by no other route', async () => {
    const headers = { 'content-type': 'application/cloudevents+json' };
    expect(coded(await stage.api('POST', '/api/users', { body: '{}', headers }))).toEqual([415, 'VALIDATION']);
  });

  test('a body over 4 MiB is refused before it is looked at', async () => {
    expect(coded(await send('x'.repeat(4_096 * KIB + 1)))).toEqual([413, 'EVENT.TOO_LARGE']);
  });

  test('of an id that 60 send at once is stored once', async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, () => send(envelope(acme, { id: 'a' }))));
    const outcomes = answers.map(({ status }) => status).sort();
    expect(outcomes).toEqual([...Array(59).fill(200), 202]);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(await storedEvents(stage, acme)).toHaveLength(1);
  });

  test('of two contents of an id that are sent at once one is stored', async () => {
    const bodies = Array.from({ length: 40 }, (_, at) => envelope(acme, { id: 'a', message: { age: 20 + (at % 2) } }));
    const answers = await Promise.all(bodies.map((body) => send(body)));
    const by = (status: number) => answers.filter((answer) => answer.status === status).length;
    expect([by(202), by(200), by(409)]).toEqual([1, 19, 20]);
    expect(await storedEvents(stage, acme)).toHaveLength(1);
  });
});

describe('who may send', () => {
  test('a request without a token is refused', async () => {
    expect(coded(await stage.api('POST', '/api/events', { body: envelope(acme) }))).toEqual([
      401,
      'AUTH.TOKEN_MISSING',
    ]);
  });

  test("another company's client is answered as an unknown one, letter by letter", async () => {
    const [strangers, unknown] = [await send(envelope(other)), await send(envelope(other, { client_id: 'nobody' }))];
    expect(coded(strangers)).toEqual([404, 'EVENT.UNREGISTERED_TENANT']);
    expect(strangers.body).toEqual(unknown.body);
    expect(await storedEvents(stage, other)).toEqual([]);
  });

  test('what is registered for another company is told to nobody else', async () => {
    const answer = await send(envelope(other, { event_type: 'nothing', id: 'x' }));
    expect(coded(answer)).toEqual([404, 'EVENT.UNREGISTERED_TENANT']);
  });

  test('a member of two companies sends for both, and one who left does not', async () => {
    await stage.member(stranger, other.company, owner);
    expect((await send(envelope(other))).status).toBe(202);
    await stage.api('DELETE', `/api/companies/${other.company.id}/members/${owner.id}`, {
      token: stranger.token,
    });
    expect(coded(await send(envelope(other)))).toEqual([404, 'EVENT.UNREGISTERED_TENANT']);
  });

  test('a deleted client gets nothing more', async () => {
    await stage.sql('UPDATE event_clients SET deleted = true WHERE client_id = $1', [acme.client]);
    await changed(stage);
    expect(coded(await send(envelope(acme)))).toEqual([404, 'EVENT.UNREGISTERED_TENANT']);
  });

  test('a type that was registered a moment ago is known', async () => {
    await send(envelope(acme));
    await stage.sql(`INSERT INTO event_types (company_id, name, version) VALUES ($1, 'new', 1)`, [acme.company.id]);
    await changed(stage);
    expect((await send(envelope(acme, { event_type: 'new' }))).status).toBe(202);
  });

  describe('a key', () => {
    test('sends for its own client', async () => {
      expect((await send(envelope(acme), acme.key)).status).toBe(202);
    });

    test('does not send for another client, be it of the same company', async () => {
      const second = `${acme.client}-2`;
      await stage.sql('INSERT INTO event_clients (client_id, company_id) VALUES ($1, $2)', [second, acme.company.id]);
      await changed(stage);
      for (const client_id of [second, other.client])
        expect(coded(await send(envelope(acme, { client_id }), acme.key))).toEqual([404, 'EVENT.UNREGISTERED_TENANT']);
    });

    test('ends at its time, and not before', async () => {
      const until = (interval: string) =>
        stage.sql(
          `UPDATE event_client_keys SET valid_until = clock_timestamp() + interval '${interval}' WHERE client_id = $1`,
          [acme.client],
        );
      await until('1 hour');
      expect((await send(envelope(acme), acme.key)).status).toBe(202);
      await until('-1 second');
      expect((await send(envelope(acme), acme.key)).status).toBe(401);
    });

    test('that is unknown is refused, and a key reads nothing', async () => {
      expect((await send(envelope(acme), `${acme.key.slice(0, -2)}AA`)).status).toBe(401);
      for (const path of ['', '/quarantine?company_id=x'])
        expect((await stage.api('GET', `/api/events${path}`, { token: acme.key })).status).toBe(401);
    });
  });
});

describe('many events', () => {
  test('of 500 each has its own outcome, in order, and the good ones are stored', async () => {
    await send(envelope(acme, { id: 'first' }));
    const kinds = [
      [{}, 'stored'],
      [{ event_type: 'nothing' }, 'unknown_event_type'],
      [{ client_id: other.client }, 'unregistered_tenant'],
      [{ message: { age: 'x' } }, 'invalid_payload'],
      [{ id: 'first' }, 'duplicate'],
      [{ id: 'first', message: { age: 40 } }, 'conflicting_duplicate'],
      [{ client_id: undefined }, 'missing_tenant'],
      [{ message: 1 }, 'invalid_envelope'],
    ] as const;
    const rows = Array.from({ length: 500 }, (_, at) => kinds[at % kinds.length] ?? kinds[0]);
    const { status, body } = await send({ events: rows.map(([over]) => envelope(acme, over)) });
    const id = expect.stringMatching(ID);
    expect([status, body]).toEqual([
      200,
      {
        results: rows.map(([, kind], index) =>
          kind === 'stored' || kind === 'duplicate'
            ? { index, outcome: kind, id }
            : { index, outcome: 'rejected', reason: kind },
        ),
      },
    ]);
    const stored = rows.filter(([, kind]) => kind === 'stored').length;
    expect(await storedEvents(stage, acme)).toHaveLength(stored + 1);
    expect(await stage.sql('SELECT FROM event_quarantine')).toEqual([]);
  });

  test('of one key within a request the first is stored, and the same again is a duplicate', async () => {
    const [first, same, differs] = [{ id: 'a' }, { id: 'a' }, { id: 'a', message: { age: 19 } }].map((over) =>
      envelope(acme, over),
    );
    const { body } = await send({ events: [first, same, differs] });
    expect(body.results).toMatchObject([
      { outcome: 'stored' },
      { outcome: 'duplicate' },
      { outcome: 'rejected', reason: 'conflicting_duplicate' },
    ]);
  });

  test('numbers keep their literals, and what is nested too deeply is rejected alone', async () => {
    const [begin, end] = [`{"event_type":"note","client_id":"${acme.client}","message":`, '}'];
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const body = `{"events":[${begin}[1e400]${end},${begin}${deep}${end},null]}`;
    expect((await send(body)).body.results).toMatchObject([
      { outcome: 'stored' },
      { outcome: 'rejected', reason: 'invalid_envelope' },
      { outcome: 'rejected', reason: 'invalid_envelope' },
    ]);
    expect((await storedEvents(stage, acme)).map(({ message }) => message)).toEqual(['[1e400]']);
  });

  test.each([0, 501])('a request with %i of them is refused as a whole', async (count) => {
    const answer = await send({ events: Array(count).fill(envelope(acme)) });
    expect([...coded(answer), answer.body.errors]).toEqual([
      400,
      'VALIDATION',
      [{ path: 'events', message: 'must be a list of 1 to 500 events' }],
    ]);
    expect(await storedEvents(stage, acme)).toEqual([]);
  });
});

describe('the list', () => {
  const list = (query: string, token = owner.token) => stage.api('GET', `/api/events${query}`, { token });
  const ofAcme = (query = '') => list(`?company_id=${acme.company.id}${query}`);

  test('shows events by id, slice by slice', async () => {
    const sent = await send({ events: [1, 2, 3].map((n) => envelope(acme, { event_type: 'note', message: [n] })) });
    const ids = (sent.body.results as { id: string }[]).map(({ id }) => id);
    const first = await ofAcme('&limit=2');
    expect((first.body.data as { id: string }[]).map(({ id }) => id)).toEqual(ids.slice(0, 2));
    expect(first.body.next).toBe(Number(ids[1]?.slice('evt_'.length)));
    const second = await ofAcme(`&limit=2&after=${first.body.next}`);
    expect([second.body.data, second.body.next]).toEqual([
      [expect.objectContaining({ id: ids[2], message: '[3]' })],
      null,
    ]);
  });

  test('shows an event whole', async () => {
    const { body } = await send(envelope(acme, { version: 1, time: '2026-01-01T00:00:00.123456Z' }));
    const [row] = (await ofAcme()).body.data as object[];
    expect(row).toEqual({
      id: body.id,
      event_type: 'user-app',
      version: 1,
      client_id: acme.client,
      company_id: acme.company.id,
      message: '{"age":31}',
      time: '2026-01-01T00:00:00.123456Z',
      received_at: expect.stringMatching(/^\d{4}-.*Z$/),
    });
  });

  test('is of one client, of one type, or of one company', async () => {
    await stage.member(stranger, other.company, owner);
    await send({ events: [envelope(acme), envelope(acme, { event_type: 'note' }), envelope(other)] });
    const of = async (query: string) =>
      ((await list(query)).body.data as { client_id: string; event_type: string }[]).map((row) => [
        row.client_id,
        row.event_type,
      ]);
    expect(await of('?limit=1000')).toEqual(
      expect.arrayContaining([
        [acme.client, 'user-app'],
        [other.client, 'user-app'],
      ]),
    );
    expect(await of(`?client_id=${acme.client}`)).toEqual([
      [acme.client, 'user-app'],
      [acme.client, 'note'],
    ]);
    expect(await of(`?company_id=${acme.company.id}&type=note`)).toEqual([[acme.client, 'note']]);
    expect(await of(`?company_id=${other.company.id}`)).toEqual([[other.client, 'user-app']]);
  });

  test('shows a stranger nothing', async () => {
    await send(envelope(acme));
    const { data } = (await list('', stranger.token)).body as { data: { client_id: string }[] };
    expect(data.filter(({ client_id }) => client_id === acme.client)).toEqual([]);
    expect(coded(await list(`?client_id=${acme.client}`, stranger.token))).toEqual([404, 'EVENT.UNREGISTERED_TENANT']);
    expect(coded(await list(`?company_id=${acme.company.id}`, stranger.token))).toEqual([404, 'COMPANY.NOT_FOUND']);
    expect(coded(await stage.api('GET', '/api/events'))).toEqual([401, 'AUTH.TOKEN_MISSING']);
  });

  test('has at most 2 MiB of messages, and says where it goes on', async () => {
    const message = 'x'.repeat(200 * KIB);
    const events = Array.from({ length: 12 }, () => envelope(acme, { event_type: 'note', message }));
    expect((await send({ events })).status).toBe(200);
    const first = await ofAcme();
    expect(first.body.data).toHaveLength(10);
    const rest = await ofAcme(`&after=${first.body.next}`);
    expect([(rest.body.data as unknown[]).length, rest.body.next]).toEqual([2, null]);
  });

  test.each(['?limit=0', '?limit=1001', '?after=-1', '?colour=blue', '?client_id=a%20b'])(
    'refuses %s',
    async (query) => {
      expect(coded(await list(query))).toEqual([400, 'VALIDATION']);
    },
  );
});

describe('without PostgreSQL', () => {
  let postgres: TcpProxy;
  let beside: ApiStage;

  beforeEach(async () => {
    postgres = await TcpProxy.openTo(stage.env.DATABASE_URL, 5_432);
    beside = await stage.beside({ DATABASE_URL: postgres.url });
  });

  afterEach(async () => {
    await beside?.close();
    await postgres?.close();
  });

  test('one and many are answered with 503, and stored when they are sent again', async () => {
    const bodies = [envelope(acme, { id: 'a' }), { events: [envelope(acme, { id: 'b' })] }];
    const sendAll = () =>
      Promise.all(bodies.map((body) => beside.api('POST', '/api/events', { token: owner.token, body })));
    await postgres.close();
    expect((await sendAll()).map(coded)).toEqual(Array(2).fill([503, 'SERVICE_UNAVAILABLE']));
    expect(await storedEvents(stage, acme)).toEqual([]);
    await postgres.open();
    expect((await sendAll()).map(({ status }) => status)).toEqual([202, 200]);
    expect(await storedEvents(stage, acme)).toHaveLength(2);
  });
});
