import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ApiStage } from '../../testing/api-stage.js';
import { ANSWER_HEADERS } from '../platform/http/headers.js';
import { migrate } from '../platform/stores/migrate.js';
import { Offline } from './offline.js';

interface LambdaAnswer {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
  isBase64Encoded?: boolean;
}
type Handler = (event: object, context: object) => Promise<LambdaAnswer>;

/** The output of tsc. A test runner compiles decorators without their metadata, and the app would boot empty. */
const HANDLER = new URL('../../dist/functions/api.js', import.meta.url).href;

let stage: ApiStage;

beforeAll(async () => {
  stage = await ApiStage.open({ start: false });
  await migrate(stage.env.DATABASE_URL);
});

afterAll(() => stage?.close());

describe('the handler', () => {
  let handler: Handler;
  const context = (remainingMs = 29_000) => ({
    awsRequestId: 'r',
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => remainingMs,
  });

  beforeAll(async () => {
    for (const [key, value] of Object.entries(stage.env)) vi.stubEnv(key, value);
    ({ handler } = (await import(/* @vite-ignore */ HANDLER)) as { handler: Handler });
  });

  afterAll(() => vi.unstubAllEnvs());

  function event(method: string, rawPath: string, body?: unknown): object {
    return {
      version: '2.0',
      routeKey: '$default',
      rawPath,
      rawQueryString: '',
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      requestContext: {
        http: { method, path: rawPath, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1' },
        stage: '$default',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      isBase64Encoded: false,
    };
  }

  test('takes two parameters, for nodejs24.x refuses a third', () => {
    expect(handler.length).toBeLessThanOrEqual(2);
  });

  test('answers a start that failed with a problem, and starts again with the next request', async () => {
    vi.stubEnv('QUEUE_PARTITIONS', 'many');
    const refused = await handler(event('GET', '/api/health'), context());
    expect([refused.statusCode, refused.headers, JSON.parse(refused.body)]).toEqual([
      503,
      { ...ANSWER_HEADERS, 'content-type': 'application/problem+json', 'retry-after': '5' },
      {
        type: 'about:blank',
        title: 'Service Unavailable',
        status: 503,
        detail: 'the function could not answer',
        code: 'SERVICE_UNAVAILABLE',
      },
    ]);
    vi.stubEnv('QUEUE_PARTITIONS', '1');
    const first = context();
    const answer = await handler(event('GET', '/api/health'), first);
    expect([answer.statusCode, JSON.parse(answer.body)]).toEqual([
      200,
      { status: 'up', postgres: 'up', mongodb: 'up', rabbitmq: 'up' },
    ]);
    expect(first.callbackWaitsForEmptyEventLoop).toBe(false);
  });

  test('takes JSON and answers JSON, and problems as such', async () => {
    const body = { email: 'a@example.com', password: '12345678' };
    const registered = await handler(event('POST', '/api/users', body), context());
    expect([registered.statusCode, registered.isBase64Encoded]).toEqual([201, false]);
    const taken = await handler(event('POST', '/api/users', body), context());
    expect([taken.statusCode, taken.headers['content-type'], JSON.parse(taken.body).code]).toEqual([
      409,
      'application/problem+json; charset=utf-8',
      'USER.EMAIL_TAKEN',
    ]);
  });

  test('refuses what is no UTF-8, as bytes and as the text that a gateway made of them', async () => {
    const asked = event('POST', '/api/users', {});
    const bytes = Buffer.from('{"email":"bytes@example.com","password":"12345678\xe9"}', 'latin1');
    for (const [body, isBase64Encoded] of [
      [bytes.toString('base64'), true],
      [bytes.toString(), false],
    ]) {
      const refused = await handler({ ...asked, body, isBase64Encoded }, context());
      expect([refused.statusCode, JSON.parse(refused.body).code]).toEqual([400, 'BODY.NOT_UTF8']);
    }
    const query = { ...event('GET', '/api/campaigns'), rawQueryString: 'company_id=%ff' };
    expect((await handler(query, context())).statusCode).toBe(400);
    expect(await stage.sql("SELECT id FROM users WHERE email LIKE 'bytes%'")).toEqual([]);
  });

  test('hands over binary answers as base64', async () => {
    const icon = await handler(event('GET', '/api/docs/favicon-32x32.png'), context());
    expect([icon.statusCode, icon.isBase64Encoded]).toEqual([200, true]);
    expect(Buffer.from(icon.body, 'base64').subarray(1, 4).toString()).toBe('PNG');
  });

  test('answers with a problem before its time is up', async () => {
    const hashing = event('POST', '/api/users', { email: 'late@example.com', password: '12345678' });
    // A password takes longer than the ten milliseconds in which anything may be stored.
    const answer = await handler(hashing, context(20));
    expect([answer.statusCode, JSON.parse(answer.body).code]).toEqual([503, 'SERVICE_UNAVAILABLE']);
  });
});

describe('under serverless offline', () => {
  let offline: Offline;

  beforeAll(async () => {
    offline = await Offline.open(stage);
  });

  afterAll(() => offline?.close());

  test('the API answers as it does on the plain server', async () => {
    const user = await stage.user();
    const { id } = await stage.company(user);
    const answer = await stage.api('GET', `/api/companies/${id}`, { token: user.token });
    expect([answer.status, answer.body.id]).toEqual([200, id]);
    expect((await stage.api('GET', '/nothing')).body.code).toBe('NOT_FOUND');
  });

  test('polls of collectors are called in the function pix, and all else of Pix in that of the API', async () => {
    const began = performance.now();
    const empty = await stage.api('GET', '/api/pix/32074986/stream/start');
    expect(performance.now() - began).toBeGreaterThan(7_790);
    const next = empty.headers.get('pull-next') ?? '';
    expect([empty.status, empty.body, next]).toEqual([
      204,
      undefined,
      expect.stringMatching(/^\/api\/pix\/32074986\/stream\/[0-9a-z]{12}$/),
    ]);
    const made = await stage.api('POST', '/api/util/msgs/32074986/5');
    expect([made.status, made.body]).toEqual([201, { ispb: '32074986', number: 5 }]);
    const rows = await stage.sql<{ id: string }>(
      'SELECT end_to_end_id AS id FROM pix_messages ORDER BY pix_messages.id',
    );
    const ids = rows.map(({ id }) => id);

    const one = await stage.api<{ endToEndId: string }>('GET', next);
    expect([one.status, one.body.endToEndId]).toEqual([200, ids[0]]);
    const list = { headers: { accept: 'multipart/json' } };
    const rest = await stage.api<{ endToEndId: string }[]>('GET', one.headers.get('pull-next') ?? '', list);
    expect([rest.status, rest.body.map(({ endToEndId }) => endToEndId)]).toEqual([200, ids.slice(1)]);
    const last = rest.headers.get('pull-next') ?? '';
    expect((await stage.api('HEAD', last)).status).toBe(404);
    const ended = await stage.api('DELETE', last);
    expect([ended.status, ended.body]).toEqual([200, {}]);
    const closed = await stage.api('GET', last);
    expect([closed.status, closed.body.code, closed.headers.get('pull-next')]).toEqual([
      410,
      'PIX.STREAM_CLOSED',
      null,
    ]);
    expect(await stage.sql('SELECT count(*)::int AS delivered FROM pix_deliveries')).toEqual([{ delivered: 5 }]);
    const called = offline.output.flatMap((line) => /\/(?:pix|util)\/\S* \(λ: (\w+)\)/.exec(line)?.[1] ?? []);
    expect(called).toEqual(['pix', 'api', 'pix', 'pix', 'pix', 'api', 'pix']);
  });

  test("hapi's own refusals are problems, and a file of 12 MiB is refused by the API", async () => {
    const path = await stage.api('GET', '/api/users/%ff');
    expect([path.status, path.headers.get('content-type'), path.body.code]).toEqual([
      400,
      'application/problem+json',
      'VALIDATION',
    ]);
    const user = await stage.user();
    const { id } = await stage.company(user);
    for (const mebibytes of [12, 70]) {
      const form = new FormData();
      for (const [key, value] of Object.entries({ name: 'x', message: 'y', company_id: id })) form.set(key, value);
      form.set('file', new Blob([Buffer.alloc(mebibytes * 1024 * 1024, '1')]), 'numbers.txt');
      const refused = await stage.api('POST', '/api/campaigns', { token: user.token, body: form });
      expect([mebibytes, refused.status, refused.body.code]).toEqual([mebibytes, 413, 'CAMPAIGN.FILE_TOO_LARGE']);
      expect(refused.body.detail).toContain('9 MiB');
    }
  });
});
