import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Answer, ApiStage, type TestUser } from '../../../testing/api-stage.js';

// Each password costs a hash, and a process makes two at a time.
vi.setConfig({ testTimeout: 180_000 });

let stage: ApiStage;

beforeAll(async () => {
  stage = await ApiStage.open();
});

afterAll(() => stage?.close());

/** A PATCH with the user's token, which is all that a thief has: not the password. */
function patch(user: TestUser, body: object): Promise<Answer> {
  return stage.api('PATCH', `/api/users/${user.id}`, { token: user.token, body });
}

const statusAndCode = ({ status, body }: Answer): unknown[] => [status, body.code];
const login = ({ email, password }: { email: string; password: string }) =>
  stage.api('POST', '/api/auth/login', { body: { email, password } });

describe('a change of e-mail or password', () => {
  test.each([
    ['an e-mail', { email: 'thief@example.com' }],
    ['a password', { password: 'thiefs own' }],
    ['both', { email: 'thief@example.com', password: 'thiefs own' }],
  ])('of %s without the password of now is refused, and names the field', async (_, change) => {
    const user = await stage.user();
    for (const given of [{}, { current_password: '' }, { current_password: null }, { current_password: 12345678 }]) {
      const answer = await patch(user, { ...change, ...given });
      expect(statusAndCode(answer)).toEqual([400, 'VALIDATION']);
      expect(answer.body.errors).toEqual([{ path: 'current_password', message: expect.any(String) }]);
    }
    expect((await login(user)).status).toBe(200);
  });

  test('with a wrong password is refused, changes nothing, and the token stays', async () => {
    const user = await stage.user();
    const change = { email: `thief.${user.email}`, password: 'thiefs own' };
    for (const current_password of ['wrong', `${user.password} `, change.password])
      expect(statusAndCode(await patch(user, { ...change, current_password }))).toEqual([403, 'USER.WRONG_PASSWORD']);
    const found = await stage.api('GET', `/api/users/${user.id}`, { token: user.token });
    expect([found.status, found.body.email]).toEqual([200, user.email]);
    expect((await login(user)).status).toBe(200);
  });

  test('with the right password changes both at once; the password alone changes nothing', async () => {
    const user = await stage.user();
    for (const nothing of [{ current_password: user.password }, {}])
      expect(statusAndCode(await patch(user, nothing))).toEqual([400, 'VALIDATION']);
    const change = { email: `new.${user.email}`, password: 'another one' };
    const changed = await patch(user, { ...change, current_password: user.password });
    expect([changed.status, changed.body.email]).toEqual([200, change.email]);
    expect((await login(change)).status).toBe(200);
    expect((await login({ ...change, password: user.password })).status).toBe(401);
  });

  test('to an e-mail that is taken changes the password neither', async () => {
    const [user, other] = await Promise.all([stage.user(), stage.user()]);
    const change = { email: other.email.toUpperCase(), password: 'another one', current_password: user.password };
    expect(statusAndCode(await patch(user, change))).toEqual([409, 'USER.EMAIL_TAKEN']);
    expect((await login(user)).status).toBe(200);
  });

  test('of two at once with the password of before, one is done and the other comes too late', async () => {
    const user = await stage.user();
    const passwords = ['the first one', 'the other one'];
    const answers = await Promise.all(
      passwords.map((password) => patch(user, { password, current_password: user.password })),
    );
    const done = answers.findIndex(({ status }) => status === 200);
    const codes = answers.map(statusAndCode).filter(([status]) => status !== 200);
    expect(codes).toHaveLength(1);
    expect(['AUTH.TOKEN_INVALID', 'USER.WRONG_PASSWORD']).toContain(codes[0]?.[1]);
    expect((await login({ ...user, password: passwords[done] ?? '' })).status).toBe(200);
  });
});

describe('guessing at the password with a stolen token', () => {
  const guess = (user: TestUser) => patch(user, { password: 'thiefs own', current_password: 'wrong' });

  test('counts as failed logins: after ten of both, both refuse the right one', async () => {
    const user = await stage.user();
    for (let failure = 0; failure < 5; failure++) {
      expect((await guess(user)).status).toBe(403);
      expect((await login({ ...user, password: 'wrong' })).status).toBe(401);
    }
    const refused = await guess(user);
    expect(statusAndCode(refused)).toEqual([429, 'AUTH.TOO_MANY_ATTEMPTS']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await patch(user, { password: 'another one', current_password: user.password })).status).toBe(429);
    expect((await login(user)).status).toBe(429);
  });

  test('is answered ten times, however many guesses come side by side', async () => {
    const user = await stage.user();
    const answers = await Promise.all(Array.from({ length: 14 }, () => guess(user)));
    const count = (status: number) => answers.filter((answer) => answer.status === status).length;
    expect([count(403), count(429)]).toEqual([10, 4]);
  });
});
