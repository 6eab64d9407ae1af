import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import { someCnpj } from '../../../testing/cnpj.js';

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const ID = expect.stringMatching(/^[a-z][0-9a-z]{23}$/);
/** Ids of nothing, each in a way of its own: well formed, too long, upper case, NUL, SQL, unicode. */
const UNKNOWN_IDS = ['zzzzzzzzzzzzzzzzzzzzzzzz', 'a'.repeat(2_000), 'ABC', 'a%00b', "a'--", '%F0%9F%98%80'];

let stage: ApiStage;
let owner: TestUser;
let member: TestUser;
let stranger: TestUser;
let company: TestCompany;

beforeAll(async () => {
  stage = await ApiStage.open();
  [owner, member, stranger] = await Promise.all([stage.user(), stage.user(), stage.user()]);
  company = await stage.company(owner);
  await stage.member(owner, company, member);
});

afterAll(() => stage?.close());

/** Status and code, which is all that a caller may rely on. */
function refusal({ status, headers, body }: Answer): [number, unknown] {
  expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(body).toMatchObject({ type: 'about:blank', title: expect.any(String), status, detail: expect.any(String) });
  return [status, body.code];
}

function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

/** A JWT signed by hand with the stage's secret. */
function forge(claims: object, { alg = 'HS256', secret = stage.env.JWT_SECRET ?? '' } = {}): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const content = `${encode({ alg })}.${encode(claims)}`;
  return `${content}.${alg === 'none' ? '' : createHmac('sha256', secret).update(content).digest('base64url')}`;
}

describe('registering', () => {
  test('answers the user without the password, whose hash alone is stored', async () => {
    const answer = await stage.api('POST', '/api/users', { body: { email: 'Ana@Example.com', password: 'segredo 1' } });
    expect([answer.status, answer.body]).toEqual([
      201,
      { id: ID, email: 'Ana@Example.com', created_at: TIME, updated_at: TIME, deleted: false },
    ]);
    const [row] = await stage.sql<{ password: string }>('SELECT password FROM users WHERE id = $1', [answer.body.id]);
    expect(row?.password).toMatch(/^scrypt\$16384\$8\$5\$[\w-]{22}\$[\w-]{43}$/);
  });

  test('refuses an e-mail that is taken, whatever its letter case, for parallel registrations too', async () => {
    const body = { email: 'taken@example.com', password: 'segredo 1' };
    const answers = await Promise.all([
      stage.api('POST', '/api/users', { body }),
      stage.api('POST', '/api/users', { body: { ...body, email: 'TAKEN@example.com' } }),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
    expect(answers.find(({ status }) => status === 409)?.body.code).toBe('USER.EMAIL_TAKEN');
  });

  test.each([
    ['no e-mail', { password: '12345678' }, ['email']],
    ['what is no e-mail', { email: 'x', password: '12345678' }, ['email']],
    ['NUL in the e-mail', { email: 'a\0@b.co', password: '12345678' }, ['email']],
    ['a short password', { email: 'a@b.co', password: '1234567' }, ['password']],
    ['a long password', { email: 'a@b.co', password: 'x'.repeat(201) }, ['password']],
    ['an unknown field', { email: 'a@b.co', password: '12345678', role: 'admin' }, ['role']],
    ['a list', [], ['']],
    ['no body', undefined, ['']],
  ])('refuses %s', async (_, body, paths) => {
    const answer = await stage.api('POST', '/api/users', { body });
    expect(refusal(answer)).toEqual([400, 'VALIDATION']);
    expect((answer.body.errors as { path: string }[]).map(({ path }) => path)).toEqual(paths);
  });
});

describe('logging in', () => {
  test('gives a token of an hour, in whatever letter case the e-mail is written', async () => {
    const answer = await stage.api('POST', '/api/auth/login', {
      body: { email: owner.email.toUpperCase(), password: owner.password },
    });
    expect([answer.status, answer.body]).toEqual([
      200,
      { access_token: expect.any(String), token_type: 'Bearer', expires_in: 3_600 },
    ]);
    const claims = claimsOf(String(answer.body.access_token));
    expect(claims).toEqual({
      sub: owner.id,
      iss: 'disparo',
      fp: expect.any(String),
      iat: expect.any(Number),
      exp: expect.any(Number),
    });
    expect(Number(claims.exp) - Number(claims.iat)).toBe(3_600);
  });

  test('answers a wrong password and an unknown e-mail alike', async () => {
    const wrong = await stage.api('POST', '/api/auth/login', { body: { email: owner.email, password: 'wrong' } });
    const unknown = await stage.api('POST', '/api/auth/login', {
      body: { email: 'no@example.com', password: 'wrong' },
    });
    expect(refusal(wrong)).toEqual([401, 'AUTH.INVALID_CREDENTIALS']);
    expect(unknown.body).toEqual(wrong.body);
  });

  test('after ten failures refuses the right password too, for a minute', async () => {
    const user = await stage.user();
    const attempt = (password: string) =>
      stage.api('POST', '/api/auth/login', { body: { email: user.email, password } });
    for (let failure = 0; failure < 10; failure++) expect((await attempt('wrong')).status).toBe(401);
    const refused = await attempt(user.password);
    expect(refusal(refused)).toEqual([429, 'AUTH.TOO_MANY_ATTEMPTS']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    await stage.sql("UPDATE login_failures SET failed_at = failed_at - interval '1 minute' WHERE email = $1", [
      user.email,
    ]);
    expect((await attempt(user.password)).status).toBe(200);
  });

  test('answers ten of twenty parallel guesses, and removes what is older than a minute', async () => {
    await stage.sql("INSERT INTO login_failures VALUES ('old@example.com', now() - interval '2 minutes')");
    const user = await stage.user();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        stage.api('POST', '/api/auth/login', { body: { email: user.email.toUpperCase(), password: 'wrong' } }),
      ),
    );
    const count = (status: number) => answers.filter((answer) => answer.status === status).length;
    expect([count(401), count(429)]).toEqual([10, 10]);
    expect(await stage.sql("SELECT FROM login_failures WHERE email = 'old@example.com'")).toEqual([]);
  });
});

describe('a token', () => {
  const ask = (token?: string, headers: Record<string, string> = {}) =>
    stage.api('GET', '/api/users', { token, headers });

  test('is asked for on every route but registering, login, health and metrics', async () => {
    for (const [method, path] of [
      ...[
        '/api/users',
        '/api/users/x',
        '/api/companies',
        '/api/companies/x',
        '/api/companies/x/members',
        '/api/invitations',
      ].map((path) => ['GET', path]),
      ...['/api/users/x', '/api/companies/x'].flatMap((path) => [
        ['PATCH', path],
        ['DELETE', path],
      ]),
      ...['/api/companies', '/api/companies/x/members', '/api/invitations/x/accept', '/api/invitations/x/decline'].map(
        (path) => ['POST', path],
      ),
      ['DELETE', '/api/companies/x/members/y'],
    ] as [string, string][]) {
      const answer = await stage.api(method, path);
      expect([path, ...refusal(answer)]).toEqual([path, 401, 'AUTH.TOKEN_MISSING']);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    }
    expect(refusal(await ask(undefined, { authorization: 'Basic YTpi' }))).toEqual([401, 'AUTH.TOKEN_MISSING']);
  });

  test('that is garbage, unsigned, foreign, of another issuer or of nobody is invalid', async () => {
    const claims = claimsOf(owner.token);
    const tokens = [
      'garbage',
      `${owner.token}x`,
      forge(claims, { alg: 'none' }),
      forge(claims, { secret: 'x'.repeat(32) }),
      forge({ ...claims, iss: 'other' }),
      forge({ ...claims, sub: 'zzzzzzzzzzzzzzzzzzzzzzzz' }),
      forge({ ...claims, fp: 'other' }),
      forge({ sub: claims.sub, iss: claims.iss, fp: claims.fp }),
    ];
    for (const token of tokens) {
      const answer = await ask(token);
      expect(refusal(answer)).toEqual([401, 'AUTH.TOKEN_INVALID']);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    }
    expect((await ask(forge(claims))).status).toBe(200);
  });

  test('expires', async () => {
    const claims = claimsOf(owner.token);
    const past = Math.floor(Date.now() / 1_000) - 1;
    const answer = await ask(forge({ ...claims, exp: past }));
    expect(refusal(answer)).toEqual([401, 'AUTH.TOKEN_EXPIRED']);
    expect(answer.headers.get('www-authenticate')).toContain('expired');
  });

  test('ends with a new password, not with a new e-mail', async () => {
    const user = await stage.user();
    const patch = (change: object) =>
      stage.api('PATCH', `/api/users/${user.id}`, {
        token: user.token,
        body: { ...change, current_password: user.password },
      });
    expect((await patch({ email: `new.${user.email}` })).status).toBe(200);
    expect((await ask(user.token)).status).toBe(200);
    expect((await patch({ password: 'another one' })).status).toBe(200);
    expect(refusal(await ask(user.token))).toEqual([401, 'AUTH.TOKEN_INVALID']);
    expect((await ask(await stage.login(`new.${user.email}`, 'another one'))).status).toBe(200);
  });
});

describe('users', () => {
  test('see themselves and those who share a company with them, page by page', async () => {
    const list = (user: TestUser, query = '') =>
      stage.api<{ data: { id: string }[] }>('GET', `/api/users${query}`, { token: user.token });
    const seen = await list(owner);
    expect(seen.body).toEqual({ data: expect.any(Array), page: 1, page_size: 20, total: 2 });
    expect(new Set(seen.body.data.map(({ id }) => id))).toEqual(new Set([owner.id, member.id]));
    const pages = [await list(owner, '?page=1&page_size=1'), await list(owner, '?page=2&page_size=1')];
    expect(pages.flatMap(({ body }) => body.data)).toEqual(seen.body.data);
    expect((await list(owner, '?page=3&page_size=1')).body).toEqual({ data: [], page: 3, page_size: 1, total: 2 });
    expect((await list(stranger)).body.data.map(({ id }) => id)).toEqual([stranger.id]);
  });

  test.each(['page=0', 'page=x', 'page=%00', 'page_size=101', 'page_size=1.5', 'page=1&page=2', 'other=1'])(
    'are not listed by %s',
    async (query) => {
      const answer = await stage.api('GET', `/api/users?${query}`, { token: owner.token });
      expect(refusal(answer)).toEqual([400, 'VALIDATION']);
    },
  );

  test('are found by those who see them only', async () => {
    const { body } = await stage.api('GET', `/api/users/${member.id}`, { token: owner.token });
    expect(body).toEqual({ id: member.id, email: member.email, created_at: TIME, updated_at: TIME, deleted: false });
    for (const id of [stranger.id, ...UNKNOWN_IDS])
      for (const method of ['GET', 'PATCH', 'DELETE'])
        expect(
          refusal(
            await stage.api(method, `/api/users/${id}`, {
              token: owner.token,
              ...(method === 'PATCH' ? { body: { password: 'x'.repeat(8), current_password: owner.password } } : {}),
            }),
          ),
        ).toEqual([404, 'USER.NOT_FOUND']);
  });

  test('change nobody but themselves', async () => {
    const path = `/api/users/${member.id}`;
    const change = await stage.api('PATCH', path, {
      token: owner.token,
      body: { email: 'x@example.com', current_password: owner.password },
    });
    expect(refusal(change)).toEqual([403, 'USER.NOT_YOURSELF']);
    expect(refusal(await stage.api('DELETE', path, { token: owner.token }))).toEqual([403, 'USER.NOT_YOURSELF']);
  });

  test('change their e-mail to a free one, which moves updated_at', async () => {
    const user = await stage.user();
    const patch = (change: object) =>
      stage.api('PATCH', `/api/users/${user.id}`, {
        token: user.token,
        body: { ...change, current_password: user.password },
      });
    const before = (await stage.api('GET', `/api/users/${user.id}`, { token: user.token })).body;
    const changed = await patch({ email: 'fresh@example.com' });
    expect(changed.body).toEqual({ ...before, email: 'fresh@example.com', updated_at: TIME });
    expect(Date.parse(String(changed.body.updated_at))).toBeGreaterThan(Date.parse(String(before.updated_at)));
    expect(refusal(await patch({ email: owner.email.toUpperCase() }))).toEqual([409, 'USER.EMAIL_TAKEN']);
    for (const body of [{}, { password: 'short' }, { email: null }, { deleted: true }])
      expect(refusal(await patch(body))).toEqual([400, 'VALIDATION']);
  });

  test('are gone when deleted: no login, no token, not seen, their e-mail free again', async () => {
    const user = await stage.user();
    await stage.member(owner, company, user);
    expect((await stage.api('DELETE', `/api/users/${user.id}`, { token: user.token })).status).toBe(204);
    expect(refusal(await stage.api('GET', '/api/users', { token: user.token }))).toEqual([401, 'AUTH.TOKEN_INVALID']);
    const login = await stage.api('POST', '/api/auth/login', { body: { email: user.email, password: user.password } });
    expect(refusal(login)).toEqual([401, 'AUTH.INVALID_CREDENTIALS']);
    expect(refusal(await stage.api('GET', `/api/users/${user.id}`, { token: owner.token }))).toEqual([
      404,
      'USER.NOT_FOUND',
    ]);
    expect(await stage.sql('SELECT deleted FROM users WHERE id = $1', [user.id])).toEqual([{ deleted: true }]);
    expect((await stage.user({ email: user.email })).id).not.toBe(user.id);
  });

  test('stay while they are the last owner of a living company', async () => {
    const last = await stage.user();
    const theirs = await stage.company(last);
    const leave = () => stage.api('DELETE', `/api/users/${last.id}`, { token: last.token });
    expect(refusal(await leave())).toEqual([409, 'USER.LAST_OWNER']);
    expect((await stage.api('DELETE', `/api/companies/${theirs.id}`, { token: last.token })).status).toBe(204);
    expect((await leave()).status).toBe(204);
  });

  test('of two owners who leave at the same moment, one stays', async () => {
    for (let round = 0; round < 5; round++) {
      const [one, two] = await Promise.all([stage.user(), stage.user()]);
      await stage.member(one, await stage.company(one), two, 'owner');
      const answers = await Promise.all(
        [one, two].map((user) => stage.api('DELETE', `/api/users/${user.id}`, { token: user.token })),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([204, 409]);
    }
  });
});

describe('companies', () => {
  test('are founded by their owner, with the CNPJ bare and in upper case', async () => {
    const answer = await stage.api('POST', '/api/companies', {
      token: stranger.token,
      body: { name: '  Padaria do Zé ', document: '12.abc.345/01de-35' },
    });
    expect([answer.status, answer.body]).toEqual([
      201,
      { id: ID, name: 'Padaria do Zé', document: '12ABC34501DE35', created_at: TIME, updated_at: TIME, deleted: false },
    ]);
    const again = await stage.api('POST', '/api/companies', {
      token: owner.token,
      body: { name: 'x', document: '12ABC34501DE35' },
    });
    expect(refusal(again)).toEqual([409, 'COMPANY.DOCUMENT_TAKEN']);
    const wrong = await stage.api('POST', '/api/companies', {
      token: owner.token,
      body: { name: 'x', document: '12ABC34501DE36' },
    });
    expect(refusal(wrong)).toEqual([400, 'COMPANY.DOCUMENT_INVALID']);
  });

  test.each([
    { name: ' ', document: someCnpj() },
    { name: 'a\0b', document: someCnpj() },
    { name: 'x' },
    { name: 'x', document: someCnpj(), id: 'y' },
  ])('are not founded by %j', async (body) => {
    expect(refusal(await stage.api('POST', '/api/companies', { token: owner.token, body }))).toEqual([
      400,
      'VALIDATION',
    ]);
  });

  test('exist for their members only, and are changed by owners only', async () => {
    const path = `/api/companies/${company.id}`;
    const ask = (user: TestUser, method: string, at = path, body?: object) =>
      stage.api(method, at, { token: user.token, body });
    expect((await ask(member, 'GET')).body).toEqual({
      id: company.id,
      name: 'Acme',
      document: company.document,
      created_at: TIME,
      updated_at: TIME,
      deleted: false,
    });
    expect((await ask(member, 'GET', '/api/companies')).body).toMatchObject({ total: 1, data: [{ id: company.id }] });
    const requests: [string, string, object?][] = [
      ['PATCH', path, { name: 'Theirs' }],
      ['DELETE', path],
      ['POST', `${path}/members`, { email: stranger.email, role: 'owner' }],
      ['DELETE', `${path}/members/${owner.id}`],
    ];
    for (const [method, at, body] of requests) {
      expect(refusal(await ask(member, method, at, body))).toEqual([403, 'COMPANY.NOT_OWNER']);
      expect(refusal(await ask(stranger, method, at, body))).toEqual([404, 'COMPANY.NOT_FOUND']);
      for (const id of UNKNOWN_IDS)
        expect(refusal(await ask(owner, method, at.replace(company.id, id), body))).toEqual([404, 'COMPANY.NOT_FOUND']);
    }
    for (const at of [path, `${path}/members`])
      expect(refusal(await ask(stranger, 'GET', at))).toEqual([404, 'COMPANY.NOT_FOUND']);
  });

  test('change name and CNPJ, each alone', async () => {
    const mine = await stage.company(owner);
    const patch = (body: object) => stage.api('PATCH', `/api/companies/${mine.id}`, { token: owner.token, body });
    const renamed = await patch({ name: 'Outra' });
    expect(renamed.body).toMatchObject({ name: 'Outra', document: mine.document });
    const document = someCnpj();
    const moved = await patch({ document });
    expect(moved.body).toEqual({ ...renamed.body, document, updated_at: TIME });
    expect(Date.parse(String(moved.body.updated_at))).toBeGreaterThan(Date.parse(String(renamed.body.updated_at)));
    expect(refusal(await patch({ document: company.document }))).toEqual([409, 'COMPANY.DOCUMENT_TAKEN']);
    expect(refusal(await patch({ document: '1' }))).toEqual([400, 'COMPANY.DOCUMENT_INVALID']);
    expect(refusal(await patch({}))).toEqual([400, 'VALIDATION']);
  });

  test('are gone when deleted, for all members, and their CNPJ is free again', async () => {
    const mine = await stage.company(owner);
    await stage.member(owner, mine, member);
    expect((await stage.api('DELETE', `/api/companies/${mine.id}`, { token: owner.token })).status).toBe(204);
    for (const user of [owner, member])
      expect(refusal(await stage.api('GET', `/api/companies/${mine.id}`, { token: user.token }))).toEqual([
        404,
        'COMPANY.NOT_FOUND',
      ]);
    expect(await stage.sql('SELECT deleted FROM companies WHERE id = $1', [mine.id])).toEqual([{ deleted: true }]);
    const again = await stage.api('POST', '/api/companies', {
      token: stranger.token,
      body: { name: 'x', document: mine.document },
    });
    expect(again.status).toBe(201);
  });
});

describe('members', () => {
  test('come, take another role and go', async () => {
    const mine = await stage.company(owner);
    const path = `/api/companies/${mine.id}/members`;
    const put = (role: string) =>
      stage.api('POST', path, { token: owner.token, body: { email: member.email.toUpperCase(), role } });
    const entry = {
      company_id: mine.id,
      user_id: member.id,
      email: member.email,
      role: 'member',
      accepted_at: TIME,
      created_at: TIME,
      updated_at: TIME,
      deleted: false,
    };
    await stage.member(owner, mine, member);
    expect(await put('member')).toMatchObject({ status: 201, body: entry });
    expect(await put('owner')).toMatchObject({ status: 201, body: { ...entry, role: 'owner' } });
    const list = await stage.api('GET', path, { token: member.token });
    expect(list.body).toMatchObject({
      page: 1,
      page_size: 20,
      total: 2,
      data: [{ user_id: owner.id }, { user_id: member.id, role: 'owner' }],
    });
    expect((await stage.api('DELETE', `${path}/${member.id}`, { token: owner.token })).status).toBe(204);
    expect(refusal(await stage.api('DELETE', `${path}/${member.id}`, { token: owner.token }))).toEqual([
      404,
      'USER.NOT_FOUND',
    ]);
    expect(refusal(await stage.api('GET', path, { token: member.token }))).toEqual([404, 'COMPANY.NOT_FOUND']);
    expect((await put('member')).status).toBe(201);
  });

  test('are registered users with a role that exists', async () => {
    const path = `/api/companies/${company.id}/members`;
    const put = (body: object) => stage.api('POST', path, { token: owner.token, body });
    expect(refusal(await put({ email: 'nobody@example.com', role: 'member' }))).toEqual([404, 'USER.NOT_FOUND']);
    expect(refusal(await put({ email: member.email, role: 'admin' }))).toEqual([400, 'VALIDATION']);
    for (const id of UNKNOWN_IDS)
      expect(refusal(await stage.api('DELETE', `${path}/${id}`, { token: owner.token }))).toEqual([
        404,
        'USER.NOT_FOUND',
      ]);
  });

  test('include an owner: the last one neither leaves nor steps down', async () => {
    const mine = await stage.company(owner);
    const path = `/api/companies/${mine.id}/members`;
    expect(refusal(await stage.api('DELETE', `${path}/${owner.id}`, { token: owner.token }))).toEqual([
      409,
      'USER.LAST_OWNER',
    ]);
    const demotion = { token: owner.token, body: { email: owner.email, role: 'member' } };
    expect(refusal(await stage.api('POST', path, demotion))).toEqual([409, 'USER.LAST_OWNER']);
    await stage.member(owner, mine, member, 'owner');
    expect((await stage.api('DELETE', `${path}/${owner.id}`, { token: owner.token })).status).toBe(204);
  });

  test('of two owners who send each other away at the same moment, one stays', async () => {
    const mine = await stage.company(owner);
    await stage.member(owner, mine, member, 'owner');
    const answers = await Promise.all([
      stage.api('DELETE', `/api/companies/${mine.id}/members/${member.id}`, { token: owner.token }),
      stage.api('DELETE', `/api/companies/${mine.id}/members/${owner.id}`, { token: member.token }),
    ]);
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses[0]).toBe(204);
    expect([403, 404, 409]).toContain(statuses[1]);
    const left = await stage.sql("SELECT FROM memberships WHERE company_id = $1 AND role = 'owner' AND NOT deleted", [
      mine.id,
    ]);
    expect(left).toHaveLength(1);
  });
});

test('the log names the user and the company, and no e-mail, password or token', async () => {
  await stage.api('GET', `/api/companies/${company.id}`, { token: owner.token });
  const line = await stage.until(
    () =>
      stage.output.find(
        (each) =>
          each.includes(company.id) &&
          each.includes(`"route":"/api/companies/:id","status":200`) &&
          each.includes(owner.id),
      ),
    'the line',
  );
  expect(JSON.parse(line)).toMatchObject({ method: 'GET', status: 200, user_id: owner.id, company_id: company.id });
  const output = stage.output.join('\n');
  for (const secret of [owner.email, owner.password, owner.token, company.document, stage.env.JWT_SECRET ?? ''])
    expect(output).not.toContain(secret);
});
