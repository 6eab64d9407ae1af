import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, ApiStage } from '../../testing/api-stage.js';

let stage: ApiStage;

beforeAll(async () => {
  stage = await ApiStage.open();
});

afterAll(() => stage?.close());

function refusal({ status, headers, body }: Answer): [number, unknown] {
  expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(body).toMatchObject({ type: 'about:blank', title: expect.any(String), status, detail: expect.any(String) });
  return [status, body.code];
}

describe("the framework's own errors are problems", () => {
  const post = (body: string, type = 'application/json') =>
    stage.api('POST', '/api/users', { body, headers: { 'content-type': type } });

  test('an unknown route', async () => {
    for (const path of ['/nothing', '/api/nothing', '/health', '/api/metrics', '/api/users/x/y/z'])
      expect([path, ...refusal(await stage.api('GET', path))]).toEqual([path, 404, 'NOT_FOUND']);
    expect(refusal(await stage.api('PUT', '/api/users', { body: {} }))).toEqual([404, 'NOT_FOUND']);
  });

  test('a body that is not JSON, or JSON that hides a prototype', async () => {
    for (const body of ['{', '{"a":1} x', 'ÿ', '{"__proto__":{"a":1}}'])
      expect([body, ...refusal(await post(body))]).toEqual([body, 400, 'VALIDATION']);
  });

  test('a query that hides a prototype, on a route that takes a query and on one that takes none', async () => {
    for (const path of ['/api/user/1', '/api/health'])
      for (const query of ['__proto__=1', '__proto__[a]=1', 'constructor=1'])
        expect([path, query, ...refusal(await stage.api('GET', `${path}?${query}`))]).toEqual([
          path,
          query,
          400,
          'VALIDATION',
        ]);
  });

  test('a body of another type', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/xml'])
      expect([type, ...refusal(await post('a=1', type))]).toEqual([type, 415, 'VALIDATION']);
  });

  test('a body over 10 MiB', async () => {
    const body = JSON.stringify({ email: 'a@b.co', password: 'x'.repeat(10 * 1024 * 1024) });
    for (let round = 0; round < 5; round++) expect(refusal(await post(body))).toEqual([413, 'BODY.TOO_LARGE']);
  });

  test('a caller who sends much gets the refusal and not a broken connection', async () => {
    const form = new FormData();
    form.set('name', 'x');
    form.set('file', new Blob([Buffer.alloc(30 * 1024 * 1024, '1')]), 'numbers.txt');
    const answers = await Promise.all([
      stage.api('POST', '/api/campaigns', { body: form }),
      stage.api('POST', '/api/users', { body: form }),
      stage.api('POST', '/api/nothing', { body: form }),
    ]);
    expect(answers.map(refusal)).toEqual([
      [401, 'AUTH.TOKEN_MISSING'],
      [400, 'VALIDATION'],
      [404, 'NOT_FOUND'],
    ]);
  });

  test('a path that is no UTF-8', async () => {
    expect(refusal(await stage.api('GET', '/api/users/%ff'))).toEqual([400, 'VALIDATION']);
  });

  test('bytes that are no HTTP', async () => {
    const socket = connect(Number(new URL(stage.url).port), '127.0.0.1');
    socket.end('not http\r\n\r\n');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    await once(socket, 'close');
    const answer = Buffer.concat(chunks).toString();
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\nContent-Type: application\/problem\+json\r\n/);
    expect(answer).toContain('"code":"VALIDATION"');
  });

  test('a bug, whose id is in the log and whose words are not in the answer', async () => {
    const user = await stage.user();
    await stage.sql('ALTER TABLE companies RENAME COLUMN name TO other');
    const answer = await stage.api('GET', '/api/companies', { token: user.token });
    await stage.sql('ALTER TABLE companies RENAME COLUMN other TO name');
    expect(refusal(answer)).toEqual([500, 'INTERNAL']);
    expect(JSON.stringify(answer.body)).not.toContain('column');
    await stage.until(
      () => stage.output.some((line) => line.includes(String(answer.body.id)) && line.includes('does not exist')),
      'the error is in the log under the id of the answer',
    );
  });
});

test('a query or a body where none is taken is refused', async () => {
  const { id, token } = await stage.user();
  expect(refusal(await stage.api('GET', `/api/users/${id}?x=1`, { token }))).toEqual([400, 'VALIDATION']);
  expect(refusal(await stage.api('DELETE', `/api/users/${id}`, { token, body: { x: 1 } }))).toEqual([
    400,
    'VALIDATION',
  ]);
  const nothing = await stage.api('DELETE', `/api/users/${id}`, {
    token,
    headers: { 'content-type': 'application/json' },
  });
  expect(nothing.status).toBe(204);
});

test('health and metrics need no login', async () => {
  const health = await stage.api('GET', '/api/health');
  expect([health.status, health.body]).toEqual([200, { status: 'up', postgres: 'up', mongodb: 'up', rabbitmq: 'up' }]);
  const metrics = await stage.api<string>('GET', '/metrics');
  expect(metrics.body).toContain(
    'disparo_api_request_seconds_bucket{le="0.005",method="GET",route="/api/health",status="2xx"}',
  );
});

test('OpenAPI describes every route, and has its page', async () => {
  const { body } = await stage.api<{ paths: Record<string, object>; components: object }>('GET', '/api/openapi.json');
  expect(Object.keys(body.paths)).toEqual(
    expect.arrayContaining([
      '/api/users',
      '/api/users/{id}',
      '/api/auth/login',
      '/api/companies/{id}/members/{user_id}',
    ]),
  );
  expect(body.paths['/api/users']).toMatchObject({
    post: { requestBody: { content: { 'application/json': { schema: { required: ['email', 'password'] } } } } },
  });
  expect(body.paths['/api/auth/login']).toMatchObject({
    post: { security: [{}], responses: { 200: {}, default: { content: { 'application/problem+json': {} } } } },
  });
  expect(body.components).toMatchObject({ securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } });
  expect((await stage.api<string>('GET', '/api/docs')).body).toContain('swagger-ui');
});

describe('the server', () => {
  test('finishes what is in flight on SIGTERM and exits with 0', async () => {
    const other = await ApiStage.open();
    try {
      const answers = Promise.allSettled(
        Array.from({ length: 4 }, (_, at) =>
          other.api('POST', '/api/users', { body: { email: `u${at}@example.com`, password: '12345678' } }),
        ),
      );
      // Signalled once a first request has been accepted: hashing keeps the others busy for a while.
      await other.until(async () => (await other.api('GET', '/api/health')).status === 200, 'requests are in flight');
      const exit = other.stop();
      // Requests that had reached the server are answered. Those that were still on their way are refused, and nothing of
      // them was done.
      const answered = (await answers).flatMap((answer) =>
        answer.status === 'fulfilled' ? [answer.value.status] : [],
      );
      const [stored] = await other.sql<{ users: number }>('SELECT count(*)::int AS users FROM users');
      expect(answered).toEqual(Array(stored?.users).fill(201));
      expect(answered.length).toBeGreaterThan(0);
      expect(await exit).toBe(0);
    } finally {
      await other.close();
    }
  });

  test('does not wait after a second signal, and exits with 75', async () => {
    const other = await ApiStage.open();
    try {
      // A request whose body never ends keeps the server from closing.
      const socket = connect(Number(new URL(other.url).port), '127.0.0.1');
      socket.on('error', () => {});
      socket.write(
        'POST /api/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
      );
      await other.until(async () => (await other.api('GET', '/api/health')).status === 200, 'the request is in flight');
      other.signal('SIGTERM');
      await other.until(() => other.output.some((line) => line.includes('"msg":"stopping"')), 'it is stopping');
      expect(await other.stop()).toBe(75);
    } finally {
      await other.close();
    }
  });

  describe('that cannot start', () => {
    let other: ApiStage;

    beforeAll(async () => {
      other = await ApiStage.open({ start: false });
    });

    afterAll(() => other?.close());

    /** The exit code and the lines that are no log. */
    async function startedWith(env: Record<string, string>): Promise<[number | null, string[]]> {
      const from = other.output.length;
      other.spawn(env);
      const code = await other.exited();
      return [code, other.output.slice(from).filter((line) => !line.startsWith('{'))];
    }

    test.each([
      ['a value that is wrong', { API_PORT: 'x' }, 'API_PORT: must be a whole number from 0 to 65535, not "x"'],
      ['a secret that is short', { JWT_SECRET: 'short' }, 'JWT_SECRET: must be 32 bytes or more'],
      [
        'a host that is not this machine',
        { API_HOST: '192.0.2.1' },
        'API_HOST: 192.0.2.1 is not an address of this machine',
      ],
    ] as [string, Record<string, string>, string][])('stops at %s with one line and 78', async (_, env, line) => {
      expect(await startedWith(env)).toEqual([78, [line]]);
    });

    test.each([
      ['DATABASE_URL', { password: 'wrong' }, 'the user or the password is wrong'],
      ['DATABASE_URL', { pathname: '/missing_database' }, 'the database does not exist'],
      ['MONGODB_URL', { username: 'nobody', password: 'wrong' }, 'the user or the password is wrong'],
      ['MONGODB_URL', { search: '?nobodyknowsthis=1' }, 'is not usable'],
      ['MONGODB_URL', { pathname: `/${'d'.repeat(64)}` }, 'is not usable'],
      ['RABBITMQ_URL', { search: '?auth_mechanism=EXTERNAL' }, 'is not usable'],
      ['RABBITMQ_URL', { username: 'nobody', password: 'wrong' }, 'the user or the password is wrong'],
      ['RABBITMQ_URL', { pathname: '/missing_vhost' }, 'the vhost is missing'],
    ] as [string, Partial<URL>, string][])(
      'stops where %s is refused for %j, and shows no secret',
      async (key, change, words) => {
        const url = Object.assign(new URL(other.env[key] ?? ''), change);
        expect(await startedWith({ [key]: url.href })).toEqual([78, [expect.stringContaining(`${key}: ${words}`)]]);
        expect(other.output.join()).not.toMatch(/:\/\/[^"]*@/);
      },
    );

    test('stops where a user of MongoDB may only read', async () => {
      await other.mongo.command({ createUser: 'reader', pwd: 'lesen', roles: ['read'] });
      const url = Object.assign(new URL(other.env.MONGODB_URL), { username: 'reader', password: 'lesen' });
      url.searchParams.set('authSource', other.mongo.databaseName);
      const started = await startedWith({ MONGODB_URL: url.href });
      await other.mongo.command({ dropUser: 'reader' });
      expect(started).toEqual([78, [expect.stringMatching(/^MONGODB_URL: the user may not/)]]);
    });

    test('stops where its port is taken', async () => {
      const { port } = new URL(stage.url);
      expect(await startedWith({ API_PORT: port })).toEqual([78, [`API_PORT: ${port} is in use`]]);
    });
  });

  test('listens and waits where the stores are not reachable, says so, and stops all the same', async () => {
    const other = await ApiStage.open({ start: false });
    try {
      const nowhere = {
        DATABASE_URL: 'postgresql://a:b@127.0.0.1:9/x',
        MONGODB_URL: 'mongodb://127.0.0.1:9',
        RABBITMQ_URL: 'amqp://127.0.0.1:9',
      };
      await other.start({ env: nowhere, ready: false });
      const health = await other.api('GET', '/api/health');
      expect([health.status, health.body]).toEqual([
        503,
        { status: 'down', postgres: 'down', mongodb: 'down', rabbitmq: 'down' },
      ]);
      const login = await other.api('POST', '/api/auth/login', { body: { email: 'a@b.co', password: 'x' } });
      expect(refusal(login)).toEqual([503, 'SERVICE_UNAVAILABLE']);
      expect(Number(login.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await other.stop()).toBe(0);
    } finally {
      await other.close();
    }
  });
});
