import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import { migrate } from '../../platform/stores/migrate.js';
import { as, ID, ran, TIME } from '../campaigns/fixtures.js';

const WEEK_MS = 7 * 24 * 3_600 * 1_000;
const UNKNOWN_IDS = ['zzzzzzzzzzzzzzzzzzzzzzzz', 'a'.repeat(2_000), 'ABC', 'a%00b', "a'--"];
const NO_INVITATION = [404, 'INVITATION.NOT_FOUND'];
const NO_COMPANY = [404, 'COMPANY.NOT_FOUND'];

let stage: ApiStage;
let owner: TestUser;
let guest: TestUser;

beforeAll(async () => {
  stage = await ApiStage.open();
  [owner, guest] = await Promise.all([stage.user(), stage.user()]);
});

afterAll(() => stage?.close());

const statusAndCode = ({ status, body }: Answer): unknown[] => [status, body?.code];
const membersOf = (company: TestCompany) => `/api/companies/${company.id}/members`;

function invite(company: TestCompany, user: TestUser, role = 'member', by = owner): Promise<Answer> {
  return as(stage, by)('POST', membersOf(company), { body: { email: user.email, role } });
}

function answer(user: TestUser, company: TestCompany, how: 'accept' | 'decline'): Promise<Answer> {
  return as(stage, user)('POST', `/api/invitations/${company.id}/${how}`);
}

const listed = async (user: TestUser) =>
  (await as(stage, user)<{ data: Record<string, unknown>[]; total: number }>('GET', '/api/invitations')).body;
const invitationsIn = async (company: TestCompany, user: TestUser) =>
  (await listed(user)).data.filter(({ company_id }) => company_id === company.id);
const mayRead = async (user: TestUser, company: TestCompany) =>
  (await as(stage, user)('GET', `/api/companies/${company.id}`)).status === 200;

/** A company of the owner's that the guest is invited to. */
async function inviting(role = 'member', user = guest): Promise<TestCompany> {
  const company = await stage.company(owner);
  expect((await invite(company, user, role)).status).toBe(201);
  return company;
}

/** As if the invitation had been sent eight days ago. */
function age(company: TestCompany): Promise<unknown> {
  return stage.sql(
    `UPDATE invitations SET created_at = created_at - interval '8 days', expires_at = expires_at - interval '8 days'
      WHERE company_id = $1`,
    [company.id],
  );
}

describe('who is invited', () => {
  test('is shown to the company and to himself, not accepted yet, for seven days', async () => {
    const company = await stage.company(owner);
    const invited = await invite(company, guest, 'owner');
    const entry = { company_id: company.id, user_id: guest.id, email: guest.email, role: 'owner', accepted_at: null };
    const life = { created_at: TIME, updated_at: TIME, deleted: false };
    expect([invited.status, invited.body]).toEqual([201, { ...entry, ...life }]);
    const members = await as(stage, owner)('GET', membersOf(company));
    expect(members.body).toMatchObject({
      total: 2,
      data: [
        { user_id: owner.id, accepted_at: TIME },
        { ...entry, ...life },
      ],
    });
    const [mine] = await invitationsIn(company, guest);
    expect(mine).toEqual({ company_id: company.id, company_name: 'Acme', role: 'owner', expires_at: TIME, ...life });
    expect(Date.parse(String(mine?.expires_at)) - Date.parse(String(mine?.updated_at))).toBeCloseTo(WEEK_MS, -4);
    expect(await invitationsIn(company, owner)).toEqual([]);
  });

  test.each(['owner', 'member'])('as %s sees, sends and changes nothing of the company', async (role) => {
    const user = await stage.user();
    const company = await inviting(role, user);
    const ask = as(stage, user);
    const path = `/api/companies/${company.id}`;
    const campaign = { name: 'x', message: 'x', company_id: company.id, phone_numbers: ['+5511987654321'] };
    const requests: [string, string, object?][] = [
      ['GET', path],
      ['PATCH', path, { name: 'Theirs' }],
      ['DELETE', path],
      ['GET', membersOf(company)],
      ['POST', membersOf(company), { email: guest.email, role: 'owner' }],
      ['DELETE', `${membersOf(company)}/${owner.id}`],
      ['DELETE', `${membersOf(company)}/${user.id}`],
      ['POST', '/api/campaigns', campaign],
      ['GET', `/api/campaigns?company_id=${company.id}`],
    ];
    for (const [method, at, body] of requests)
      expect([method, at, ...statusAndCode(await ask(method, at, { body }))]).toEqual([method, at, ...NO_COMPANY]);
    expect((await ask('GET', '/api/companies')).body).toMatchObject({ total: 0 });
    // Nor does either see the other as a user.
    expect((await ask('GET', '/api/users')).body).toMatchObject({ total: 1 });
    expect((await ask('GET', `/api/users/${owner.id}`)).status).toBe(404);
    expect((await as(stage, owner)('GET', `/api/users/${user.id}`)).status).toBe(404);
  });

  test('sees no campaign of the company, nor its numbers', async () => {
    const company = await inviting('owner');
    const campaign = await as(stage, owner)('POST', '/api/campaigns', {
      body: { name: 'x', message: 'x', company_id: company.id, phone_numbers: ['+5511987654321'] },
    });
    expect(campaign.status).toBe(201);
    for (const of of ['', '/messages', '/rejects', '/messages.csv'])
      expect((await as(stage, guest)('GET', `/api/campaigns/${campaign.body.id}${of}`)).status).toBe(404);
  });

  test('as an owner is none: the only one neither leaves, nor steps down, nor deletes himself', async () => {
    const [founder, other] = await Promise.all([stage.user(), stage.user()]);
    const company = await stage.company(founder);
    await invite(company, other, 'owner', founder);
    const leave = () => as(stage, founder)('DELETE', `${membersOf(company)}/${founder.id}`);
    const refusals = [
      await leave(),
      await invite(company, founder, 'member', founder),
      await as(stage, founder)('DELETE', `/api/users/${founder.id}`),
    ];
    for (const refusal of refusals) expect(statusAndCode(refusal)).toEqual([409, 'USER.LAST_OWNER']);
    expect((await answer(other, company, 'accept')).status).toBe(200);
    expect((await leave()).status).toBe(204);
  });
});

describe('accepting', () => {
  test('makes a member, as what the invitation says, and once more says the same', async () => {
    const company = await inviting('owner');
    const accepted = await answer(guest, company, 'accept');
    const entry = { company_id: company.id, user_id: guest.id, email: guest.email, role: 'owner' };
    expect([accepted.status, accepted.body]).toEqual([
      200,
      { ...entry, accepted_at: TIME, created_at: TIME, updated_at: TIME, deleted: false },
    ]);
    expect(await answer(guest, company, 'accept')).toMatchObject({ status: 200, body: accepted.body });
    expect(statusAndCode(await answer(guest, company, 'decline'))).toEqual(NO_INVITATION);
    expect([await mayRead(guest, company), await invitationsIn(company, guest)]).toEqual([true, []]);
    expect((await as(stage, guest)('PATCH', `/api/companies/${company.id}`, { body: { name: 'Ours' } })).status).toBe(
      200,
    );
  });

  test('five times at once makes one member and five equal answers', async () => {
    const company = await inviting();
    const answers = await Promise.all(Array.from({ length: 5 }, () => answer(guest, company, 'accept')));
    expect(new Set(answers.map(({ status, body }) => JSON.stringify([status, body]))).size).toBe(1);
    expect(answers[0]?.status).toBe(200);
    expect((await as(stage, owner)('GET', membersOf(company))).body).toMatchObject({ total: 2 });
  });

  test('is of who is invited only, and of a company that there is', async () => {
    const company = await inviting();
    const stranger = await stage.user();
    for (const how of ['accept', 'decline'] as const) {
      expect(statusAndCode(await answer(stranger, company, how))).toEqual(NO_INVITATION);
      for (const id of UNKNOWN_IDS)
        expect(statusAndCode(await as(stage, guest)('POST', `/api/invitations/${id}/${how}`))).toEqual(NO_INVITATION);
    }
    expect(await invitationsIn(company, guest)).toHaveLength(1);
    expect(await mayRead(stranger, company)).toBe(false);
  });

  test('who was let go becomes a member by a new invitation only', async () => {
    const company = await inviting('owner');
    await answer(guest, company, 'accept');
    expect((await as(stage, owner)('DELETE', `${membersOf(company)}/${guest.id}`)).status).toBe(204);
    expect(statusAndCode(await answer(guest, company, 'accept'))).toEqual(NO_INVITATION);
    expect((await invite(company, guest)).body).toMatchObject({ role: 'member', accepted_at: null });
    expect(await mayRead(guest, company)).toBe(false);
    expect((await answer(guest, company, 'accept')).body).toMatchObject({ role: 'member', accepted_at: TIME });
  });
});

describe('an invitation', () => {
  test('that is declined is gone, and may be sent again', async () => {
    const company = await inviting();
    expect((await answer(guest, company, 'decline')).status).toBe(204);
    for (const how of ['decline', 'accept'] as const)
      expect(statusAndCode(await answer(guest, company, how))).toEqual(NO_INVITATION);
    expect((await as(stage, owner)('GET', membersOf(company))).body).toMatchObject({ total: 1 });
    expect((await invite(company, guest)).status).toBe(201);
    expect((await answer(guest, company, 'accept')).status).toBe(200);
  });

  test('that is taken back is gone', async () => {
    const company = await inviting('owner');
    const takeBack = () => as(stage, owner)('DELETE', `${membersOf(company)}/${guest.id}`);
    expect((await takeBack()).status).toBe(204);
    expect(statusAndCode(await takeBack())).toEqual([404, 'USER.NOT_FOUND']);
    expect([statusAndCode(await answer(guest, company, 'accept')), await invitationsIn(company, guest)]).toEqual([
      NO_INVITATION,
      [],
    ]);
  });

  test('that is seven days old is not found by anybody, until it is renewed', async () => {
    const company = await inviting();
    await age(company);
    for (const how of ['accept', 'decline'] as const)
      expect(statusAndCode(await answer(guest, company, how))).toEqual(NO_INVITATION);
    expect(await invitationsIn(company, guest)).toEqual([]);
    expect((await as(stage, owner)('GET', membersOf(company))).body).toMatchObject({ total: 1 });
    expect((await as(stage, owner)('DELETE', `${membersOf(company)}/${guest.id}`)).status).toBe(404);
    const renewed = await invite(company, guest, 'owner');
    expect(Date.now() - Date.parse(String(renewed.body.created_at))).toBeLessThan(WEEK_MS);
    expect(await invitationsIn(company, guest)).toMatchObject([{ role: 'owner' }]);
    expect((await answer(guest, company, 'accept')).body).toMatchObject({ role: 'owner' });
  });

  test('that is sent again while it is open is one, with the role and the week of now', async () => {
    const company = await inviting('owner');
    await stage.sql("UPDATE invitations SET expires_at = expires_at - interval '6 days' WHERE company_id = $1", [
      company.id,
    ]);
    await invite(company, guest, 'member');
    const [mine, ...others] = await invitationsIn(company, guest);
    expect([mine?.role, others]).toEqual(['member', []]);
    expect(Date.parse(String(mine?.expires_at)) - Date.now()).toBeGreaterThan(WEEK_MS / 2);
    expect((await answer(guest, company, 'accept')).body.role).toBe('member');
  });

  test('that has expired is erased by the next pass of a dispatcher, and no other', async () => {
    const [old, open] = [await inviting(), await inviting()];
    await age(old);
    await ran(stage, 'dispatch', [], { LOG_LEVEL: 'error' });
    const left = await stage.sql<{ company_id: string }>('SELECT company_id FROM invitations');
    expect(left.map(({ company_id }) => company_id)).toContain(open.id);
    expect(left.map(({ company_id }) => company_id)).not.toContain(old.id);
  });

  test('goes with its company, with its user, and with the e-mail that was invited', async () => {
    const [leaving, moving] = await Promise.all([stage.user(), stage.user()]);
    const companies = [await inviting(), await inviting('member', leaving), await inviting('member', moving)] as const;
    expect((await as(stage, owner)('DELETE', `/api/companies/${companies[0].id}`)).status).toBe(204);
    expect((await as(stage, leaving)('DELETE', `/api/users/${leaving.id}`)).status).toBe(204);
    const patch = (email: string) =>
      as(stage, moving)('PATCH', `/api/users/${moving.id}`, { body: { email, current_password: moving.password } });
    await patch(moving.email.toUpperCase());
    expect(await invitationsIn(companies[2], moving)).toHaveLength(1);
    await patch(`new.${moving.email}`);
    const left = await stage.sql('SELECT FROM invitations WHERE company_id = ANY ($1)', [
      companies.map(({ id }) => id),
    ]);
    expect(left).toEqual([]);
    expect(statusAndCode(await answer(guest, companies[0], 'accept'))).toEqual(NO_INVITATION);
    expect(statusAndCode(await answer(moving, companies[2], 'accept'))).toEqual(NO_INVITATION);
  });

  test('is listed page by page, the oldest first', async () => {
    const user = await stage.user();
    const companies = [await inviting('member', user), await inviting('owner', user), await inviting('member', user)];
    const page = async (query: string) => (await as(stage, user)('GET', `/api/invitations?${query}`)).body;
    expect(await page('page_size=2')).toMatchObject({ page: 1, page_size: 2, total: 3 });
    const ids = [
      ...((await page('page_size=2')).data as object[]),
      ...((await page('page=2&page_size=2')).data as object[]),
    ];
    expect(ids).toMatchObject(companies.map(({ id }) => ({ company_id: id })));
    expect((await as(stage, user)('GET', '/api/invitations?other=1')).status).toBe(400);
    expect(ids).toMatchObject(companies.map(() => ({ company_id: ID })));
  });
});

describe('at the same moment', () => {
  const rowsOf = (company: TestCompany, user: TestUser) =>
    stage.sql<{ members: number; invitations: number }>(
      `SELECT (SELECT count(*)::int FROM memberships WHERE company_id = $1 AND user_id = $2 AND NOT deleted) AS members,
              (SELECT count(*)::int FROM invitations WHERE company_id = $1 AND user_id = $2) AS invitations`,
      [company.id, user.id],
    );

  test('accepting and taking back end with no member and no invitation', async () => {
    for (let round = 0; round < 5; round++) {
      const company = await inviting('owner');
      const [accepted, removed] = await Promise.all([
        answer(guest, company, 'accept'),
        as(stage, owner)('DELETE', `${membersOf(company)}/${guest.id}`),
      ]);
      expect([[200, 404].includes(accepted.status), removed.status]).toEqual([true, 204]);
      expect(await rowsOf(company, guest)).toEqual([{ members: 0, invitations: 0 }]);
    }
  });

  test('accepting and declining: one of both is done', async () => {
    for (let round = 0; round < 5; round++) {
      const company = await inviting();
      const statuses = (await Promise.all([answer(guest, company, 'accept'), answer(guest, company, 'decline')])).map(
        ({ status }) => status,
      );
      const isMember = await mayRead(guest, company);
      expect(statuses).toEqual(isMember ? [200, 404] : [404, 204]);
    }
  });

  test('accepting and inviting again leave no invitation to a member', async () => {
    for (let round = 0; round < 5; round++) {
      const company = await inviting();
      const [accepted, again] = await Promise.all([answer(guest, company, 'accept'), invite(company, guest, 'owner')]);
      expect([accepted.status, again.status]).toEqual([200, 201]);
      expect(await rowsOf(company, guest)).toEqual([{ members: 1, invitations: 0 }]);
    }
  });

  test('accepting and deleting the company leave no member who could see it', async () => {
    for (let round = 0; round < 5; round++) {
      const company = await inviting('owner');
      const [accepted, deleted] = await Promise.all([
        answer(guest, company, 'accept'),
        as(stage, owner)('DELETE', `/api/companies/${company.id}`),
      ]);
      expect([[200, 404].includes(accepted.status), deleted.status]).toEqual([true, 204]);
      expect([await mayRead(guest, company), await invitationsIn(company, guest)]).toEqual([false, []]);
    }
  });
});

test('whoever was a member before there were invitations stays one, accepted since then', async () => {
  const company = await stage.company(owner);
  await stage.member(owner, company, guest, 'owner');
  const url = stage.env.DATABASE_URL;
  let undone = '';
  while (!undone.includes('0007')) [undone = '0007'] = await migrate(url, 'down');
  await migrate(url);
  const rows = await stage.sql<{ accepted_at: Date; created_at: Date }>(
    'SELECT accepted_at, created_at FROM memberships',
  );
  expect(rows.length).toBeGreaterThan(1);
  expect(rows.filter(({ accepted_at, created_at }) => accepted_at.getTime() !== created_at.getTime())).toEqual([]);
  expect(await mayRead(guest, company)).toBe(true);
});
