import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, ApiStage, type Ask, type TestCompany, type TestUser } from '../../../testing/api-stage.js';

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const KEY = expect.stringMatching(/^evk_[\w-]{43}$/);
const CLIENTS = '/api/events/clients';
const TYPES = '/api/events/types';

let stage: ApiStage;
let ana: TestUser;
let bia: TestUser;
let acme: TestCompany;
let other: TestCompany;
let count = 0;

beforeAll(async () => {
  stage = await ApiStage.open();
  [ana, bia] = await Promise.all([stage.user(), stage.user()]);
  [acme, other] = await Promise.all([stage.company(ana), stage.company(bia)]);
});

afterAll(() => stage?.close());

type Body = Record<string, unknown>;

function refusal({ status, body }: Answer): [number, unknown] {
  return [status, body.code];
}

/** A name that no other test has. */
function fresh(what: string): string {
  count += 1;
  return `${what}-${count}`;
}

const by = ({ token }: TestUser) => {
  return (method: string, path: string, ask: Ask = {}) => stage.api<Body>(method, path, { token, ...ask });
};

function addClient(user: TestUser, company: TestCompany, clientId: string): Promise<Answer> {
  return by(user)('POST', CLIENTS, { body: { client_id: clientId, company_id: company.id } });
}

function addType(user: TestUser, company: TestCompany, name: string, more: object = {}): Promise<Answer> {
  return by(user)('POST', TYPES, { body: { company_id: company.id, name, ...more } });
}

async function version(): Promise<bigint> {
  const [row] = await stage.sql<{ version: string }>('SELECT version FROM event_registry');
  return BigInt(row?.version ?? 0);
}

/** By how much the version of the registry was raised by `work`. */
async function raisedBy(work: () => Promise<unknown>): Promise<number> {
  const before = await version();
  await work();
  return Number((await version()) - before);
}

async function keysOf(clientId: string) {
  return stage.sql<{ hash: Buffer; hours: number | null }>(
    `SELECT hash, round(extract(epoch FROM valid_until - clock_timestamp()) / 3600)::int AS hours
       FROM event_client_keys WHERE client_id = $1 ORDER BY valid_until NULLS LAST`,
    [clientId],
  );
}

const hashOf = (key: unknown) => createHash('sha256').update(String(key)).digest();

describe('a client', () => {
  test('is registered with a key, of which its hash alone is kept', async () => {
    const clientId = fresh('client');
    const answer = await addClient(ana, acme, clientId);
    expect([answer.status, answer.body]).toEqual([
      201,
      { client_id: clientId, company_id: acme.id, created_at: TIME, api_key: KEY },
    ]);
    expect(await keysOf(clientId)).toEqual([{ hash: hashOf(answer.body.api_key), hours: null }]);
  });

  test('is taken for everybody, and the answer does not say by whom', async () => {
    const clientId = fresh('client');
    await addClient(ana, acme, clientId);
    const [own, others] = [await addClient(ana, acme, clientId), await addClient(bia, other, clientId)];
    expect(refusal(own)).toEqual([409, 'EVENT_CLIENT.TAKEN']);
    expect(others.body).toEqual(own.body);
    expect(JSON.stringify(others.body)).not.toContain(acme.id);
  });

  test('is refused when its company has 10,000 that live', async () => {
    const company = await stage.company(ana);
    const prefix = fresh('many');
    await stage.sql(
      `INSERT INTO event_clients (client_id, company_id) SELECT $1 || n, $2 FROM generate_series(1, 9999) n`,
      [prefix, company.id],
    );
    const [last, over] = [fresh('client'), fresh('client')];
    expect((await addClient(ana, company, last)).status).toBe(201);
    expect(await raisedBy(() => addClient(ana, company, over))).toBe(0);
    expect(refusal(await addClient(ana, company, over))).toEqual([409, 'EVENT_CLIENT.TOO_MANY']);
    expect((await by(ana)('DELETE', `${CLIENTS}/${last}`)).status).toBe(204);
    expect((await addClient(ana, company, over)).status).toBe(201);
  });

  test('that two companies register at once is of one of them', async () => {
    for (let round = 0; round < 5; round++) {
      const clientId = fresh('race');
      const answers = await Promise.all([addClient(ana, acme, clientId), addClient(bia, other, clientId)]);
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
    }
  });

  test('that is deleted comes back with a new key alone, and for its own company only', async () => {
    const clientId = fresh('client');
    const first = await addClient(ana, acme, clientId);
    expect((await by(ana)('DELETE', `${CLIENTS}/${clientId}`)).status).toBe(204);
    expect(await keysOf(clientId)).toEqual([]);
    expect(refusal(await addClient(bia, other, clientId))).toEqual([409, 'EVENT_CLIENT.TAKEN']);
    const again = await addClient(ana, acme, clientId);
    expect(again.status).toBe(201);
    expect(again.body.api_key).not.toBe(first.body.api_key);
    expect(await keysOf(clientId)).toEqual([{ hash: hashOf(again.body.api_key), hours: null }]);
  });

  test.each(['', '-a', '.a', 'a b', 'a/b', 'ação', 'a'.repeat(101), 7, null, 'a\0'])(
    'is not registered as %j',
    async (clientId) => {
      const body = { client_id: clientId, company_id: acme.id };
      expect(refusal(await by(ana)('POST', CLIENTS, { body }))).toEqual([400, 'VALIDATION']);
    },
  );

  test('is listed for members, without its key and without deleted ones', async () => {
    const company = await stage.company(ana);
    await addClient(ana, company, fresh('z'));
    const [b, a] = [fresh('b'), fresh('a')];
    await addClient(ana, company, b);
    await addClient(ana, company, a);
    const [gone] = (await stage.sql<{ client_id: string }>(
      "SELECT client_id FROM event_clients WHERE company_id = $1 AND client_id LIKE 'z-%'",
      [company.id],
    )) as [{ client_id: string }];
    await by(ana)('DELETE', `${CLIENTS}/${gone.client_id}`);
    const { status, body } = await by(ana)('GET', `${CLIENTS}?company_id=${company.id}`);
    expect([status, body]).toEqual([
      200,
      {
        data: [a, b].map((clientId) => ({ client_id: clientId, company_id: company.id, created_at: TIME })),
        page: 1,
        page_size: 20,
        total: 2,
      },
    ]);
  });
});

describe('another key', () => {
  test('leaves older ones 24 hours, and no key more than it had', async () => {
    const clientId = fresh('client');
    const first = await addClient(ana, acme, clientId);
    const second = await by(ana)('POST', `${CLIENTS}/${clientId}/keys`);
    expect([second.status, second.body]).toEqual([201, { client_id: clientId, api_key: KEY }]);
    await stage.sql("UPDATE event_client_keys SET valid_until = now() + interval '2 hours' WHERE hash = $1", [
      hashOf(first.body.api_key),
    ]);
    const third = await by(ana)('POST', `${CLIENTS}/${clientId}/keys`);
    expect(await keysOf(clientId)).toEqual([
      { hash: hashOf(first.body.api_key), hours: 2 },
      { hash: hashOf(second.body.api_key), hours: 24 },
      { hash: hashOf(third.body.api_key), hours: null },
    ]);
  });

  test('takes away those that have ended', async () => {
    const clientId = fresh('client');
    await addClient(ana, acme, clientId);
    await stage.sql("UPDATE event_client_keys SET valid_until = now() - interval '1 s' WHERE client_id = $1", [
      clientId,
    ]);
    const { body } = await by(ana)('POST', `${CLIENTS}/${clientId}/keys`);
    expect(await keysOf(clientId)).toEqual([{ hash: hashOf(body.api_key), hours: null }]);
  });
});

describe('a type', () => {
  test('is refused when the schemas of its company take too much memory together', async () => {
    const company = await stage.company(ana);
    // Each takes some MiB, however short it is.
    const patterns = Array.from({ length: 8 }, (_, at) => ({ pattern: `^.{1,${400 + at}}$` }));
    const schema = { type: 'string', allOf: patterns.map((each) => ({ type: 'string', ...each })) };
    const answers: Answer[] = [];
    for (let at = 0; answers.at(-1)?.status !== 409 && at < 40; at++)
      answers.push(await addType(ana, company, `large-${at}`, { schema }));
    expect(answers.length).toBeGreaterThan(2);
    expect(refusal(answers.at(-1) as Answer)).toEqual([409, 'EVENT_TYPE.TOO_MANY']);
    expect((await addType(ana, company, 'large-0')).status).toBe(201);
    await by(ana)('DELETE', `${TYPES}/large-1?company_id=${company.id}`);
    expect((await addType(ana, company, 'again', { schema })).status).toBe(201);
  });

  test('is refused when the types of its company have 1,000 versions that live', async () => {
    const company = await stage.company(ana);
    await stage.sql(
      `INSERT INTO event_types (company_id, name, version) SELECT $1, 't' || n % 2, n FROM generate_series(1, 999) n`,
      [company.id],
    );
    expect((await addType(ana, company, 't0')).status).toBe(201);
    expect(refusal(await addType(ana, company, 't0'))).toEqual([409, 'EVENT_TYPE.TOO_MANY']);
    expect(refusal(await addType(ana, company, 'other'))).toEqual([409, 'EVENT_TYPE.TOO_MANY']);
    await by(ana)('DELETE', `${TYPES}/t1?company_id=${company.id}`);
    expect((await addType(ana, company, 'other')).status).toBe(201);
  });

  test('begins at version 1, and goes on after it was deleted', async () => {
    const name = fresh('type');
    expect(await addType(ana, acme, name)).toMatchObject({ status: 201, body: { name, version: 1 } });
    expect(await addType(ana, acme, name, { version: 2 })).toMatchObject({ status: 201, body: { name, version: 2 } });
    expect((await by(ana)('DELETE', `${TYPES}/${name}?company_id=${acme.id}`)).status).toBe(204);
    expect(await addType(ana, acme, name)).toMatchObject({ status: 201, body: { name, version: 3 } });
  });

  test('has no version twice, and none is left out', async () => {
    const name = fresh('type');
    await addType(ana, acme, name);
    const exists = await addType(ana, acme, name, { version: 1 });
    expect([...refusal(exists), exists.body.next]).toEqual([409, 'EVENT_TYPE.VERSION_EXISTS', 2]);
    expect(refusal(await addType(ana, acme, name, { version: 3 }))).toEqual([400, 'VALIDATION']);
    expect(refusal(await addType(ana, acme, name, { version: 0 }))).toEqual([400, 'VALIDATION']);
  });

  test('that is registered ten times at once has ten versions', async () => {
    const name = fresh('type');
    const answers = await Promise.all(Array.from({ length: 10 }, () => addType(ana, acme, name)));
    const versions = answers.map(({ body }) => Number(body.version)).sort((one, next) => one - next);
    expect(versions).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test('is listed with its schema as it was given', async () => {
    const company = await stage.company(ana);
    const schema = {
      type: 'object',
      properties: { line: { type: 'string', pattern: '^\ufeff?a\r\n$' }, é: { const: 1.5e300, enum: [1.5e300] } },
    };
    const name = fresh('type');
    await addType(ana, company, name, { schema });
    await addType(ana, company, name, { schema: null });
    const { body } = await by(ana)('GET', `${TYPES}?company_id=${company.id}`);
    const row = { company_id: company.id, name };
    expect(body.data).toEqual([
      { ...row, version: 1, schema },
      { ...row, version: 2, schema: null },
    ]);
  });

  test.each<[what: string, schema: unknown, path: string]>([
    ['an unknown type', { type: 'object', properties: { age: { type: 'int' } } }, '/properties/age/type'],
    ['an unknown keyword', { type: 'object', propertys: {} }, '/propertys'],
    [
      'a lookahead',
      { type: 'object', properties: { a: { type: 'string', pattern: '(?=a)' } } },
      '/properties/a/pattern',
    ],
    ['uniqueItems', { type: 'array', uniqueItems: true }, '/uniqueItems'],
    ['64 KiB', { description: 'x'.repeat(65_536) }, ''],
    ['more than the route takes', { description: 'x'.repeat(300_000) }, ''],
  ])('is not registered with a schema of %s, whose path is told', async (_, schema, path) => {
    const answer = await addType(ana, acme, fresh('type'), { schema });
    expect(refusal(answer)).toEqual([400, 'EVENT_TYPE.SCHEMA_INVALID']);
    expect(answer.body.path ?? '').toBe(path);
  });

  test.each([true, false, 'string', 1, []])('is not registered with %j for a schema', async (schema) => {
    expect(refusal(await addType(ana, acme, fresh('type'), { schema }))).toEqual([400, 'VALIDATION']);
  });

  test('that there is not cannot be deleted', async () => {
    for (const name of ['nothing', 'a%00b', '%C3%A7'])
      expect(refusal(await by(ana)('DELETE', `${TYPES}/${name}?company_id=${acme.id}`))).toEqual([
        404,
        'EVENT_TYPE.NOT_FOUND',
      ]);
  });
});

describe('a stranger', () => {
  test('finds nothing of another company, and changes nothing', async () => {
    const [clientId, name] = [fresh('client'), fresh('type')];
    await addClient(ana, acme, clientId);
    await addType(ana, acme, name);
    const raised = await raisedBy(async () => {
      expect(refusal(await addClient(bia, acme, fresh('client')))).toEqual([404, 'COMPANY.NOT_FOUND']);
      expect(refusal(await addType(bia, acme, name))).toEqual([404, 'COMPANY.NOT_FOUND']);
      for (const [method, path, code] of [
        ['GET', `${CLIENTS}?company_id=${acme.id}`, 'COMPANY.NOT_FOUND'],
        ['GET', `${TYPES}?company_id=${acme.id}`, 'COMPANY.NOT_FOUND'],
        ['DELETE', `${TYPES}/${name}?company_id=${acme.id}`, 'COMPANY.NOT_FOUND'],
        ['DELETE', `${CLIENTS}/${clientId}`, 'EVENT_CLIENT.NOT_FOUND'],
        ['POST', `${CLIENTS}/${clientId}/keys`, 'EVENT_CLIENT.NOT_FOUND'],
        ['DELETE', `${CLIENTS}/nobody`, 'EVENT_CLIENT.NOT_FOUND'],
        ['POST', `${CLIENTS}/a%00b/keys`, 'EVENT_CLIENT.NOT_FOUND'],
      ] as const)
        expect([path, ...refusal(await by(bia)(method, path))]).toEqual([path, 404, code]);
    });
    expect(raised).toBe(0);
    expect((await keysOf(clientId)).length).toBe(1);
  });

  test('without a token is refused on each route, and so is the key of a client', async () => {
    const { body } = await addClient(ana, acme, fresh('client'));
    for (const [method, path] of [
      ['POST', CLIENTS],
      ['GET', CLIENTS],
      ['DELETE', `${CLIENTS}/x`],
      ['POST', `${CLIENTS}/x/keys`],
      ['POST', TYPES],
      ['GET', TYPES],
      ['DELETE', `${TYPES}/x`],
    ] as const) {
      expect([path, ...refusal(await stage.api(method, path))]).toEqual([path, 401, 'AUTH.TOKEN_MISSING']);
      const withKey = await stage.api(method, path, { token: String(body.api_key) });
      expect([path, ...refusal(withKey)]).toEqual([path, 401, 'AUTH.TOKEN_INVALID']);
    }
  });
});

describe('the version of the registry', () => {
  test('is raised once by each change of a client or a type, and by no refusal', async () => {
    const [clientId, name] = [fresh('client'), fresh('type')];
    expect(await raisedBy(() => addClient(ana, acme, clientId))).toBe(1);
    expect(await raisedBy(() => addClient(ana, acme, clientId))).toBe(0);
    expect(await raisedBy(() => by(ana)('DELETE', `${CLIENTS}/${clientId}`))).toBe(1);
    expect(await raisedBy(() => by(ana)('DELETE', `${CLIENTS}/${clientId}`))).toBe(0);
    expect(await raisedBy(() => addClient(ana, acme, clientId))).toBe(1);
    expect(await raisedBy(() => addType(ana, acme, name))).toBe(1);
    expect(await raisedBy(() => by(ana)('DELETE', `${TYPES}/${name}?company_id=${acme.id}`))).toBe(1);
    expect(await raisedBy(() => by(ana)('DELETE', `${TYPES}/${name}?company_id=${acme.id}`))).toBe(0);
  });

  test('is raised by the deletion of a company, whose clients, types, endpoints and keys end', async () => {
    const company = await stage.company(ana);
    const [clientId, name] = [fresh('client'), fresh('type')];
    await addClient(ana, company, clientId);
    await addType(ana, company, name);
    await stage.sql(
      "INSERT INTO event_endpoints (id, company_id, url, secret) VALUES ($1, $1, 'https://a.example', 's')",
      [company.id],
    );
    expect(await raisedBy(() => by(ana)('DELETE', `/api/companies/${company.id}`))).toBe(1);
    for (const table of ['event_clients', 'event_types', 'event_endpoints'])
      expect(await stage.sql(`SELECT deleted FROM ${table} WHERE company_id = $1`, [company.id])).toEqual([
        { deleted: true },
      ]);
    expect(await keysOf(clientId)).toEqual([]);
    expect(refusal(await addClient(bia, other, clientId))).toEqual([409, 'EVENT_CLIENT.TAKEN']);
    expect(refusal(await by(ana)('POST', `${CLIENTS}/${clientId}/keys`))).toEqual([404, 'EVENT_CLIENT.NOT_FOUND']);
    expect(refusal(await addClient(ana, company, clientId))).toEqual([404, 'COMPANY.NOT_FOUND']);
  });

  test('a client that is registered while its company is deleted does not outlive it', async () => {
    for (let round = 0; round < 5; round++) {
      const company = await stage.company(ana);
      await Promise.all([
        by(ana)('DELETE', `/api/companies/${company.id}`),
        ...[1, 2, 3].map(() => addClient(ana, company, fresh('late'))),
        ...[1, 2, 3].map(() => addType(ana, company, fresh('late'))),
      ]);
      for (const table of ['event_clients', 'event_types'])
        expect(await stage.sql(`SELECT FROM ${table} WHERE company_id = $1 AND NOT deleted`, [company.id])).toEqual([]);
    }
  });
});
