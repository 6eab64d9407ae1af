import { createId } from '@paralleldrive/cuid2';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, ApiStage, type Ask, type TestUser } from '../../../testing/api-stage.js';
import { untilTrue } from '../../../testing/until.js';
import { envelope, someTenant, type Tenant } from '../events/tenants.js';
import { NOWHERE, owedTo, postEndpoint, quietEndpoint } from './some-endpoint.js';

const ENDPOINTS = '/api/events/endpoints';
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const SECRET = expect.stringMatching(/^whsec_[A-Za-z0-9+/]{32}$/);
const NO_SECRETS = { secret: '', old_secret: null, old_secret_until: null };
const DAY_MS = 86_400_000;

let stage: ApiStage;
let ana: TestUser;
let bia: TestUser;
let acme: Tenant;
let other: Tenant;

beforeAll(async () => {
  stage = await ApiStage.open({ env: { EVENTS_PREFETCH: '0' } });
  [ana, bia] = [await stage.user(), await stage.user()];
});

beforeEach(async () => {
  [acme, other] = [await someTenant(stage, ana), await someTenant(stage, bia)];
});

afterAll(() => stage?.close());

const by = ({ token }: TestUser) => {
  return (method: string, path: string, ask: Ask = {}) => stage.api(method, path, { token, ...ask });
};
const coded = ({ status, body }: Answer) => [status, body?.code];
const patch = (id: unknown, body: object, user = ana) => by(user)('PATCH', `${ENDPOINTS}/${id}`, { body });

/** Stores an event of the tenant over HTTP; returns its id. */
async function send(tenant: Tenant, over: object = {}): Promise<string> {
  const { status, body } = await by(tenant.owner)('POST', '/api/events', { body: envelope(tenant, over) });
  expect(status).toBe(202);
  return String(body.id);
}

async function rowOf(id: unknown) {
  const [row] = await stage.sql('SELECT * FROM event_endpoints WHERE id = $1', [id]);
  return row ?? {};
}

async function raisedBy(work: () => Promise<unknown>): Promise<number> {
  const version = async () => {
    const [row] = await stage.sql<{ version: string }>('SELECT version FROM event_registry');
    return Number(row?.version);
  };
  const before = await version();
  await work();
  return (await version()) - before;
}

/** An endpoint that was just made, as it is shown. */
const fresh = ({ company }: Tenant) => ({
  id: expect.stringMatching(/^[a-z][0-9a-z]{23}$/),
  company_id: company.id,
  url: NOWHERE,
  client_id: null,
  type_names: null,
  rate_per_s: 50,
  state: 'active',
  failures: 0,
  open_until: null,
  disabled_at: null,
  disabled_reason: null,
  last_success_at: null,
  old_secret_until: null,
  created_at: TIME,
});

describe('a new endpoint', () => {
  test('is answered with its secret, which nothing shows again', async () => {
    const { status, body } = await postEndpoint(stage, acme);
    expect([status, body]).toEqual([201, { ...fresh(acme), secret: SECRET }]);
    const { secret, ...shown } = body;
    const seen = await by(ana)('GET', `${ENDPOINTS}/${shown.id}`);
    expect([seen.status, seen.body]).toEqual([200, { ...shown, due: 0, dead: 0, last_attempt: null }]);
    const list = await by(ana)('GET', `${ENDPOINTS}?company_id=${acme.company.id}`);
    expect([list.status, list.body]).toEqual([200, { data: [shown], page: 1, page_size: 20, total: 1 }]);
    const changed = await patch(shown.id, { rate_per_s: 7 });
    expect([changed.status, changed.body]).toEqual([200, { ...shown, rate_per_s: 7 }]);
    const everything = [seen, list, changed].map((answer) => JSON.stringify(answer.body)).concat(stage.output);
    expect(everything.filter((text) => text.includes(String(secret).slice('whsec_'.length)))).toEqual([]);
  });

  test('has the client, types and rate that were asked for, each type once', async () => {
    const asked = { client_id: acme.client, type_names: ['user-app', 'later', 'user-app'], rate_per_s: 1000 };
    const { body } = await postEndpoint(stage, acme, asked);
    expect(body).toEqual({ ...fresh(acme), ...asked, type_names: ['user-app', 'later'], secret: SECRET });
  });

  test('takes as many types as may be, each with the longest name', async () => {
    const type_names = Array.from({ length: 100 }, (_, n) => `t${n}`.padEnd(100, 'x'));
    const { status, body } = await postEndpoint(stage, acme, { type_names });
    expect([status, body.type_names]).toEqual([201, type_names]);
    expect((await patch(String(body.id), { type_names, rate_per_s: 7 })).status).toBe(200);
  });

  test('is owed what is stored after the answer, if it wants that', async () => {
    const before = await send(acme);
    const all = await quietEndpoint(stage, acme);
    const notes = await quietEndpoint(stage, acme, { type_names: ['note', 'later'] });
    const ofClient = await quietEndpoint(stage, acme, { client_id: acme.client });
    const strange = await quietEndpoint(stage, other);
    const [user, note] = [await send(acme), await send(acme, { event_type: 'note' })];
    const owed = await Promise.all([all, notes, ofClient, strange].map((id) => owedTo(stage, id)));
    expect(owed).toEqual([[user, note], [note], [user, note], []]);
    expect(owed.flat()).not.toContain(before);
  });

  test.each<[string, object]>([
    ['no url', { url: undefined }],
    ['a url over 2,048 characters', { url: `https://example.com/${'a'.repeat(2_029)}` }],
    ['a url that is no text', { url: 7 }],
    ['no company', { company_id: undefined }],
    ['no type', { type_names: [] }],
    ['101 types', { type_names: Array.from({ length: 101 }, (_, n) => `t${n}`) }],
    ['a type that is no name', { type_names: ['a b'] }],
    ['a client that is no name', { client_id: '-a' }],
    ['a rate of 0', { rate_per_s: 0 }],
    ['a rate of 1,001', { rate_per_s: 1_001 }],
    ['half a request', { rate_per_s: 0.5 }],
    ['a field that nobody knows', { secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }],
  ])('is refused with %s', async (_, over) => {
    expect(coded(await postEndpoint(stage, acme, over))).toEqual([400, 'VALIDATION']);
  });

  test.each([
    ['hooks', 'is not a valid URL'],
    ['http://example.com/', 'must start with https://'],
    ['https://ana:secret@example.com/', 'must not contain a user or a password'],
    ['https://example.com/#top', 'must not contain a fragment: it is never sent'],
    ['https://0x7f.1/', 'must lead to a public address'],
    ['https://[::ffff:10.0.0.1]/', 'must lead to a public address'],
    ['https://example.com/\0', 'must not contain blanks or invisible characters'],
    ['https://exa\u00admple.com/', 'must not contain blanks or invisible characters'],
  ])('to %j is refused, and the answer says why', async (url, why) => {
    const { body: endpoint } = await postEndpoint(stage, acme);
    for (const answer of [await postEndpoint(stage, acme, { url }), await patch(endpoint.id, { url })])
      expect([...coded(answer), answer.body.detail]).toEqual([400, 'ENDPOINT.URL_REFUSED', `the url ${why}`]);
    expect((await rowOf(endpoint.id)).url).toBe(NOWHERE);
  });

  test('may have a url of 2,048 characters, and one in any script', async () => {
    const urls = [`https://example.com/${'a'.repeat(2_028)}`, 'https://exämple.com/olá'];
    for (const url of urls) {
      const { status, body } = await postEndpoint(stage, acme, { url });
      expect([status, body.url]).toEqual([201, url]);
    }
  });

  test("is not made for a company or a client that is not the caller's", async () => {
    expect(coded(await postEndpoint(stage, { ...other, owner: ana }))).toEqual([404, 'COMPANY.NOT_FOUND']);
    for (const client_id of [other.client, 'nobody-has-this'])
      expect(coded(await postEndpoint(stage, acme, { client_id }))).toEqual([404, 'EVENT_CLIENT.NOT_FOUND']);
    await by(ana)('DELETE', `/api/events/clients/${acme.client}`);
    expect(coded(await postEndpoint(stage, acme, { client_id: acme.client }))).toEqual([404, 'EVENT_CLIENT.NOT_FOUND']);
  });

  test('does not take a client of another company of the same member', async () => {
    const second = await someTenant(stage, ana);
    const answer = await postEndpoint(stage, acme, { client_id: second.client });
    expect(coded(answer)).toEqual([404, 'EVENT_CLIENT.NOT_FOUND']);
    expect((await postEndpoint(stage, second, { client_id: second.client })).status).toBe(201);
  });

  test('is refused when its company has 100 that live', async () => {
    await stage.sql(
      `INSERT INTO event_endpoints (id, company_id, url, secret) SELECT $1 || n, $2, $3, '' FROM generate_series(1, 98) n`,
      [createId().slice(0, 20), acme.company.id, NOWHERE],
    );
    const answers = await Promise.all([1, 2, 3].map(() => postEndpoint(stage, acme)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 409]);
    expect(await raisedBy(() => postEndpoint(stage, acme))).toBe(0);
    const over = await postEndpoint(stage, acme);
    expect(coded(over)).toEqual([409, 'ENDPOINT.TOO_MANY']);
    const living = answers.find(({ status }) => status === 201)?.body.id;
    expect((await by(ana)('DELETE', `${ENDPOINTS}/${living}`)).status).toBe(204);
    expect((await postEndpoint(stage, acme)).status).toBe(201);
  });
});

describe('a change', () => {
  test.each([
    {},
    { url: null },
    { client_id: null },
    { rotate_secret: false },
    { disabled: 'yes' },
    { rate_per_s: null },
    { type_names: [] },
  ])('of %j is refused', async (body) => {
    const { body: endpoint } = await postEndpoint(stage, acme);
    expect(await raisedBy(async () => expect(coded(await patch(endpoint.id, body))).toEqual([400, 'VALIDATION']))).toBe(
      0,
    );
  });

  test('leaves what it does not name, and is for the next event', async () => {
    const id = await quietEndpoint(stage, acme, { type_names: ['note'], rate_per_s: 3 });
    expect((await patch(id, { type_names: ['user-app', 'user-app'] })).body).toMatchObject({
      type_names: ['user-app'],
      rate_per_s: 3,
      url: NOWHERE,
    });
    await send(acme, { event_type: 'note' });
    const user = await send(acme);
    expect(await owedTo(stage, id)).toEqual([user]);
    const url = 'https://other.invalid/';
    expect((await patch(id, { type_names: null, url })).body).toMatchObject({ type_names: null, rate_per_s: 3, url });
    expect(await owedTo(stage, id)).toEqual([user]);
    const note = await send(acme, { event_type: 'note' });
    expect(await owedTo(stage, id)).toEqual([user, note]);
  });

  test('of the URL closes the breaker, since only the URL before has failed', async () => {
    const { body } = await postEndpoint(stage, acme);
    await stage.sql(
      `UPDATE event_endpoints SET failures = 5, open_until = '9999-01-01', probing_since = now(),
         failing_since = now() - interval '6 days', enabled_at = '2026-01-01' WHERE id = $1`,
      [body.id],
    );
    const failed = await rowOf(body.id);
    expect((await patch(body.id, { url: NOWHERE, rate_per_s: 9 })).body).toMatchObject({ state: 'open', failures: 5 });
    expect(await rowOf(body.id)).toEqual({ ...failed, rate_per_s: 9 });
    const url = 'https://other.invalid/';
    expect((await patch(body.id, { url })).body).toMatchObject({ url, state: 'active', failures: 0, open_until: null });
    const { failing_since, probing_since, enabled_at } = await rowOf(body.id);
    expect([failing_since, probing_since, Date.now() - Number(enabled_at) < 60_000]).toEqual([null, null, true]);
  });

  test('of the URL leaves a disabled endpoint disabled', async () => {
    const { body } = await postEndpoint(stage, acme);
    await patch(body.id, { disabled: true });
    const { disabled_at } = await rowOf(body.id);
    expect((await patch(body.id, { url: 'https://other.invalid/' })).body).toMatchObject({
      state: 'disabled',
      disabled_at: (disabled_at as Date).toISOString(),
      disabled_reason: 'member',
    });
  });

  test('of each kind raises the version of the registry', async () => {
    let id: unknown;
    expect(await raisedBy(async () => ({ id } = (await postEndpoint(stage, acme)).body))).toBe(1);
    for (const change of [{ rate_per_s: 2 }, { disabled: true }, { rotate_secret: true }])
      expect(await raisedBy(() => patch(id, change))).toBe(1);
    expect(await raisedBy(() => by(ana)('DELETE', `${ENDPOINTS}/${id}`))).toBe(1);
    expect(await raisedBy(() => by(ana)('DELETE', `${ENDPOINTS}/${id}`))).toBe(0);
  });

  test('of two at once is not lost, and none comes behind a deletion', async () => {
    for (let round = 0; round < 5; round++) {
      const { body } = await postEndpoint(stage, acme);
      await Promise.all([patch(body.id, { rate_per_s: 9 }), patch(body.id, { type_names: ['note'] })]);
      expect(await rowOf(body.id)).toMatchObject({ rate_per_s: 9, type_names: ['note'] });
      const [changed, ...deleted] = await Promise.all([
        patch(body.id, { disabled: true }),
        by(ana)('DELETE', `${ENDPOINTS}/${body.id}`),
        by(ana)('DELETE', `${ENDPOINTS}/${body.id}`),
      ]);
      expect(deleted.map(({ status }) => status).sort()).toEqual([204, 404]);
      const { disabled_at, deleted: isDeleted } = await rowOf(body.id);
      expect([isDeleted, disabled_at !== null]).toEqual([true, changed.status === 200]);
    }
  });
});

describe('a secret', () => {
  test('is rotated: the one before signs for 24 hours more, and no third one', async () => {
    const { body } = await postEndpoint(stage, acme);
    const rotated = [await patch(body.id, { rotate_secret: true }), await patch(body.id, { rotate_secret: true })];
    const [first, second, third] = [body, ...rotated.map((answer) => answer.body)].map(({ secret }) => secret);
    expect(new Set([first, second, third]).size).toBe(3);
    for (const answer of rotated) expect(answer.body).toMatchObject({ secret: SECRET, old_secret_until: TIME });
    const { secret, old_secret, old_secret_until } = await rowOf(body.id);
    expect([secret, old_secret]).toEqual([third, second]);
    const leftMs = Number(old_secret_until) - Date.now();
    expect(leftMs).toBeGreaterThan(DAY_MS - 60_000);
    expect(leftMs).toBeLessThan(DAY_MS + 60_000);
    const everything = JSON.stringify((await by(ana)('GET', `${ENDPOINTS}/${body.id}`)).body) + stage.output.join('\n');
    for (const each of [first, second, third]) expect(everything).not.toContain(String(each).slice('whsec_'.length));
  });

  test('that signs no longer is not said to sign', async () => {
    const { body } = await postEndpoint(stage, acme);
    await patch(body.id, { rotate_secret: true });
    await stage.sql('UPDATE event_endpoints SET old_secret_until = now() WHERE id = $1', [body.id]);
    expect((await by(ana)('GET', `${ENDPOINTS}/${body.id}`)).body.old_secret_until).toBeNull();
  });
});

describe('a disabled endpoint', () => {
  test('is owed nothing more, and again what is stored after it was enabled', async () => {
    const { body } = await postEndpoint(stage, acme);
    const disabled = await patch(body.id, { disabled: true });
    expect(disabled.body).toMatchObject({ state: 'disabled', disabled_at: TIME, disabled_reason: 'member' });
    await send(acme);
    expect(await owedTo(stage, String(body.id))).toEqual([]);
    expect((await patch(body.id, { disabled: false })).body).toMatchObject({
      state: 'active',
      disabled_at: null,
      disabled_reason: null,
    });
    const event = await send(acme);
    expect(await owedTo(stage, String(body.id))).toEqual([event]);
  });

  test('that the sender disabled keeps since when, if a member says so too', async () => {
    const { body } = await postEndpoint(stage, acme);
    await stage.sql("UPDATE event_endpoints SET disabled_at = '2026-01-02', disabled_reason = 'gone' WHERE id = $1", [
      body.id,
    ]);
    expect((await patch(body.id, { rate_per_s: 5 })).body).toMatchObject({
      state: 'disabled',
      disabled_reason: 'gone',
    });
    const { disabled_at } = await rowOf(body.id);
    expect((await patch(body.id, { disabled: true })).body).toMatchObject({
      disabled_at: (disabled_at as Date).toISOString(),
      disabled_reason: 'member',
    });
  });

  test('is enabled as if it had never failed', async () => {
    const { body } = await postEndpoint(stage, acme);
    await stage.sql(
      `UPDATE event_endpoints SET failures = 9, open_until = '9999-01-01', probing_since = now(), enabled_at = '2026-01-01',
        disabled_at = now(), disabled_reason = 'failing' WHERE id = $1`,
      [body.id],
    );
    expect((await patch(body.id, { disabled: false })).body).toMatchObject({
      state: 'active',
      failures: 0,
      open_until: null,
    });
    const { probing_since, enabled_at } = await rowOf(body.id);
    expect([probing_since, Date.now() - Number(enabled_at) < 60_000]).toEqual([null, true]);
  });

  test('says so before it says that its breaker is open', async () => {
    const { body } = await postEndpoint(stage, acme);
    await stage.sql("UPDATE event_endpoints SET failures = 5, open_until = '9999-01-01' WHERE id = $1", [body.id]);
    const state = async () => (await by(ana)('GET', `${ENDPOINTS}/${body.id}`)).body;
    expect(await state()).toMatchObject({ state: 'open', failures: 5, open_until: '9999-01-01T00:00:00.000Z' });
    expect((await patch(body.id, { rate_per_s: 5 })).body.state).toBe('open');
    await patch(body.id, { disabled: true });
    expect(await state()).toMatchObject({ state: 'disabled', failures: 5 });
  });
});

describe('an endpoint', () => {
  test('that is deleted is not found, and owed nothing more', async () => {
    const { body } = await postEndpoint(stage, acme);
    await patch(body.id, { rotate_secret: true });
    expect((await by(ana)('DELETE', `${ENDPOINTS}/${body.id}`)).status).toBe(204);
    expect(await rowOf(body.id)).toMatchObject({ deleted: true, ...NO_SECRETS });
    await send(acme);
    expect(await owedTo(stage, String(body.id))).toEqual([]);
    const list = await by(ana)('GET', `${ENDPOINTS}?company_id=${acme.company.id}`);
    expect(list.body).toMatchObject({ data: [], total: 0 });
    for (const answer of await asked(ana, body.id)) expect(coded(answer)).toEqual([404, 'ENDPOINT.NOT_FOUND']);
  });

  test('is there for members of its company only, and nobody else changes it', async () => {
    const { body } = await postEndpoint(stage, acme);
    const before = await rowOf(body.id);
    const forNobody = await asked(bia, createId());
    const forBia = await asked(bia, body.id);
    expect(forBia.map(coded)).toEqual(forBia.map(() => [404, 'ENDPOINT.NOT_FOUND']));
    expect(forBia.map((answer) => answer.body)).toEqual(forNobody.map((answer) => answer.body));
    const list = await by(bia)('GET', `${ENDPOINTS}?company_id=${acme.company.id}`);
    expect(coded(list)).toEqual([404, 'COMPANY.NOT_FOUND']);
    expect(await rowOf(body.id)).toEqual(before);
    await stage.member(ana, acme.company, bia);
    expect((await by(bia)('GET', `${ENDPOINTS}/${body.id}`)).status).toBe(200);
    expect((await patch(body.id, { rate_per_s: 5 }, bia)).status).toBe(200);
  });

  test.each(['1', 'A', `${'a'.repeat(33)}`, '%00', 'ação'])('is not found by %j', async (id) => {
    for (const answer of await asked(ana, id)) expect(coded(answer)).toEqual([404, 'ENDPOINT.NOT_FOUND']);
  });

  test("is out of reach of a client's key, and without a token", async () => {
    const { body } = await postEndpoint(stage, acme);
    const company = `?company_id=${acme.company.id}`;
    const unsaid = [await asked({ ...ana, token: acme.key }, body.id), await asked(undefined, body.id)];
    expect(unsaid.map((answers) => answers.map(coded))).toEqual([
      unsaid[0]?.map(() => [401, 'AUTH.TOKEN_INVALID']),
      unsaid[1]?.map(() => [401, 'AUTH.TOKEN_MISSING']),
    ]);
    for (const [method, path] of [
      ['POST', ENDPOINTS],
      ['GET', ENDPOINTS + company],
    ] as const) {
      const ask = method === 'POST' ? { body: { company_id: acme.company.id, url: NOWHERE } } : {};
      expect(coded(await stage.api(method, path, { token: acme.key, ...ask }))).toEqual([401, 'AUTH.TOKEN_INVALID']);
    }
  });

  test('goes with its company', async () => {
    const { body } = await postEndpoint(stage, acme);
    await patch(body.id, { rotate_secret: true });
    expect((await by(ana)('DELETE', `/api/companies/${acme.company.id}`)).status).toBe(204);
    for (const answer of await asked(ana, body.id)) expect(coded(answer)).toEqual([404, 'ENDPOINT.NOT_FOUND']);
    expect(await rowOf(body.id)).toMatchObject({ deleted: true, ...NO_SECRETS });
  });

  test('is changed while events are stored, and each event meets it as it was or as it is', async () => {
    const id = await quietEndpoint(stage, acme);
    const [sent] = await Promise.all([
      Promise.all(Array.from({ length: 20 }, (_, n) => send(acme, { id: `e${n}` }))),
      patch(id, { disabled: true }),
    ]);
    const owed = await owedTo(stage, id);
    expect(owed.every((event) => sent.includes(event))).toBe(true);
    await untilTrue(async () => (await rowOf(id)).disabled_at !== null, 'it is disabled');
    await send(acme, { id: 'later' });
    expect(await owedTo(stage, id)).toEqual(owed);
  });

  /** Every route with the id of an endpoint. */
  async function asked(user: TestUser | undefined, id: unknown): Promise<Answer[]> {
    const ask = { token: user?.token };
    return [
      await stage.api('GET', `${ENDPOINTS}/${id}`, ask),
      await stage.api('PATCH', `${ENDPOINTS}/${id}`, { ...ask, body: { disabled: true } }),
      await stage.api('DELETE', `${ENDPOINTS}/${id}`, ask),
      await stage.api('GET', `${ENDPOINTS}/${id}/attempts`, ask),
      await stage.api('GET', `${ENDPOINTS}/${id}/deliveries`, ask),
      await stage.api('POST', `${ENDPOINTS}/${id}/replay`, {
        ...ask,
        body: { since: '2026-01-01T00:00:00Z', only: 'all' },
      }),
      await stage.api('POST', `/api/events/evt_1/deliveries/${id}/replay`, ask),
    ];
  }
});
