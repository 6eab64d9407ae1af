import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Edge, ENTRIES, FILE, part } from './edge-fixtures.js';

const MIB = 1_048_576;
/** Bytes of the answer to anything that is refused, at most. */
const SHORT = 4_096;
const OWN_POLICY = "default-src 'none'; frame-ancestors 'none'";

describe.each(ENTRIES)('the edge of %s', (entry) => {
  let edge: Edge;

  beforeAll(async () => {
    edge = await Edge.open(entry);
  }, 180_000);

  afterAll(() => edge?.close());

  /** Status and code of a refusal, which is short. */
  async function refused(method: string, path: string, body: string, headers = {}): Promise<unknown[]> {
    const answer = await edge.send(method, path, body, headers);
    expect(answer.type).toMatch(/^application\/problem\+json/);
    expect(answer.text.length).toBeLessThan(SHORT);
    return [answer.status, answer.body.code];
  }

  describe('a body over the limit of its route', () => {
    test('is refused before its format is looked at, on every route of accounts', async () => {
      const before = await edge.rows();
      const long = 'x'.repeat(8 * 1_024);
      for (const [method, path, body] of edge.texts(long).filter(([, route]) => route !== '/api/campaigns')) {
        const expected = path === '/api/uploads' ? [400, 'VALIDATION'] : [413, 'BODY.TOO_LARGE'];
        expect([path, ...(await refused(method, path, body))]).toEqual([path, ...expected]);
      }
      expect(await edge.rows()).toEqual(before);
    });

    test('of eight megabytes of e-mail, password or name is 413', async () => {
      const long = 'a@'.repeat(4 * MIB);
      expect([
        await refused('POST', '/api/users', JSON.stringify({ email: long, password: '12345678' })),
        await refused('POST', '/api/auth/login', JSON.stringify({ email: 'a@b.co', password: long })),
        await refused('POST', '/api/companies', JSON.stringify({ name: long, document: '1' })),
        await refused('POST', '/api/uploads', JSON.stringify({ name: long })),
        await refused('POST', '/api/campaigns', JSON.stringify({ name: `${long}${long}` })),
        // In front of a function something else counts first, and must answer the same.
        await refused('POST', '/api/campaigns', JSON.stringify({ name: long.repeat(9) })),
        await refused('POST', '/api/users', JSON.stringify({ email: long.repeat(9) })),
      ]).toEqual([
        [413, 'BODY.TOO_LARGE'],
        [413, 'BODY.TOO_LARGE'],
        [413, 'BODY.TOO_LARGE'],
        [413, 'BODY.TOO_LARGE'],
        [413, 'CAMPAIGN.FILE_TOO_LARGE'],
        [413, 'CAMPAIGN.FILE_TOO_LARGE'],
        [413, 'BODY.TOO_LARGE'],
      ]);
    });

    test('is no file of a campaign on a route that takes none, also as a form', async () => {
      const form = { 'content-type': 'multipart/form-data; boundary=x' };
      const expected = entry === 'the plain server' ? [400, 'VALIDATION'] : [413, 'BODY.TOO_LARGE'];
      expect(await refused('POST', '/api/users', 'a'.repeat(72 * MIB), form)).toEqual(expected);
    });

    test('is not one whose longest texts have every character escaped', async () => {
      const escaped = (count: number) => '\\ud83d\\ude00'.repeat(count);
      const company = `/api/companies/${edge.company.id}`;
      const { status, body } = await edge.send('PATCH', company, `{"name":"${escaped(200)}"}`);
      expect([status, body.name]).toEqual([200, '😀'.repeat(200)]);
      const campaign = `{"name":"${escaped(200)}","message":"${escaped(1_600)}","company_id":"${edge.company.id}","size":9}`;
      // Without a bucket it is 503, which is answered once the body is read.
      expect([201, 503]).toContain((await edge.send('POST', '/api/uploads', campaign)).status);
    });
  });

  describe('an answer stays short', () => {
    const campaign = (phoneNumbers: string) => {
      const fields = `"name":"n","message":"m","company_id":"${edge.company.id}"`;
      return refused('POST', '/api/campaigns', `{${fields},"phone_numbers":${phoneNumbers}}`);
    };

    test('where 400,000 keys are unknown, and names ten of them', async () => {
      const keys = JSON.stringify(Object.fromEntries(Array.from({ length: 400_000 }, (_, at) => [`key_${at}`, 1])));
      expect(await refused('POST', '/api/campaigns', keys)).toEqual([400, 'VALIDATION']);
      const { body } = await edge.send('POST', '/api/campaigns', keys);
      expect([(body.errors as unknown[]).length, body.detail]).toEqual([
        10,
        expect.stringMatching(/; and [\d]+ more$/),
      ]);
    });

    test('where a key is a megabyte, or is of what JSON must escape', async () => {
      for (const key of ['k'.repeat(MIB), '\u0001'.repeat(MIB / 8), '😀'.repeat(1_000), '\\'.repeat(5_000)]) {
        const keys = Object.fromEntries(Array.from({ length: 9 }, (_, at) => [`${key}${at}`, 1]));
        expect(await refused('POST', '/api/campaigns', JSON.stringify(keys))).toEqual([400, 'VALIDATION']);
      }
    });

    test('where JSON is nested a million times, or five million entries of a list are no texts', async () => {
      expect([
        await campaign(`${'['.repeat(MIB)}${']'.repeat(MIB)}`),
        await campaign(`[${'1,'.repeat(5 * MIB - 200)}1]`),
        await campaign(`[${'{},'.repeat(MIB)}{}]`),
        await campaign(`["\\r",${'['.repeat(MIB)}${']'.repeat(MIB)}]`),
        await refused('POST', '/api/campaigns', '['.repeat(MIB)),
        await refused('POST', '/api/campaigns', `{"a":`.repeat(MIB)),
      ]).toEqual(Array(6).fill([400, 'VALIDATION']));
    });

    test('where a query has thousands of parameters, where it is taken and where not', async () => {
      const query = Array.from({ length: 2_000 }, (_, at) => `k${at}=1`).join('&');
      for (const path of ['/api/users', '/api/campaigns', `/api/users/${edge.ana.id}`, '/api/health']) {
        const { status, body } = await edge.stage.api('GET', `${path}?${query}`, { token: edge.ana.token });
        expect([path, status, body.code]).toEqual([path, 400, 'VALIDATION']);
        expect(JSON.stringify(body).length).toBeLessThan(SHORT);
      }
    });

    test('where a form has a thousand parts, or a part headers of a megabyte', async () => {
      const many = Array.from({ length: 1_000 }, (_, at) => part(`f${at}`, 'x'));
      expect(await edge.form([...many, FILE])).toEqual([400, 'VALIDATION']);
      expect(await edge.form([part('name', 'n', `X-Long: ${'x'.repeat(MIB)}`), FILE])).toEqual([400, 'VALIDATION']);
    });
  });

  describe('what HTTP itself refuses is a problem', () => {
    test.each([
      ['a header of 17 KiB', `GET /api/health HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(17 * 1_024)}\r\n\r\n`, 431],
      ['a header of 1 MiB', `GET /api/health HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(MIB)}\r\n\r\n`, 431],
      ['a path of 17 KiB', `GET /api/users/${'x'.repeat(17 * 1_024)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
      ['a query of 1 MiB', `GET /api/users?${'a=1&'.repeat(MIB / 4)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
      ['bytes that are no HTTP', 'not http\r\n\r\n', 400],
    ])('%s', async (_, request, status) => {
      const answer = await edge.raw(request);
      const [head = '', body = ''] = answer.split('\r\n\r\n');
      expect(head).toMatch(
        new RegExp(`^HTTP/1.1 ${status} .*\r\n(?:.*\r\n)*content-type: application/problem\\+json\r\n`, 'i'),
      );
      expect(JSON.parse(body)).toEqual({
        type: 'about:blank',
        title: expect.any(String),
        status,
        detail: expect.any(String),
        code: 'VALIDATION',
      });
      expect((await edge.stage.api('GET', '/api/health')).status).toBe(200);
    });
  });

  describe('the headers of an answer', () => {
    const origin = 'https://elsewhere.example';

    test('name no other site, whoever asks and how', async () => {
      const asked = {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      };
      for (const [method, path] of [
        ['GET', '/api/health'],
        ['GET', '/api/nothing'],
        ['GET', '/api/users/%ff'],
        ['POST', '/api/users'],
        ['OPTIONS', '/api/users'],
        ['OPTIONS', '/api/docs'],
      ] as const) {
        const { status, headers } = await edge.stage.api(method, path, { headers: asked });
        const cors = [...headers.keys()].filter((name) => name.startsWith('access-control') || name === 'vary');
        expect([method, path, cors]).toEqual([method, path, []]);
        expect([method, path, method === 'OPTIONS' ? status : 0]).toEqual([
          method,
          path,
          method === 'OPTIONS' ? 404 : 0,
        ]);
      }
    });

    test('let the page of the API run the scripts of this server, and nothing of another', async () => {
      const policies = await Promise.all(
        ['/api/docs', '/api/docs/swagger-ui-init.js', '/api/docs?x=1', '/api/docsx', '/api/openapi.json'].map(
          async (path) => (await edge.stage.api('GET', path)).headers.get('content-security-policy'),
        ),
      );
      const page =
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
      expect(policies).toEqual([page, page, page, OWN_POLICY, OWN_POLICY]);
    });
  });

  test('reads no cookie, whatever another program on this machine has set', async () => {
    for (const cookie of ['a=b c, "d', 'é', '=', `a=${'x'.repeat(9_000)}`]) {
      const { status } = await edge.send('GET', '/api/companies', '', {
        cookie: Buffer.from(cookie).toString('latin1'),
      });
      expect([cookie.slice(0, 9), status]).toEqual([cookie.slice(0, 9), 200]);
    }
  });

  test('leads whoever knows the host only to the documentation', async () => {
    for (const path of ['/', '/api', '/api/']) {
      const { status, headers } = await fetch(edge.stage.url + path, { redirect: 'manual' });
      expect([path, status, headers.get('location')]).toEqual([path, 302, '/api/docs']);
    }
    const page = await fetch(edge.stage.url);
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('swagger-ui')]);
  });
});
