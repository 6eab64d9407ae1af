import { createHash } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import { ParticipantsRepository } from '../../pix/participants/participants.repository.js';
import type { Config } from '../../platform/config.js';
import { Postgres } from '../../platform/stores/postgres.js';
import { TIME } from '../campaigns/fixtures.js';
import { untilBlocked } from './locks.js';
import { ADMITTED, asked, bearer, bind, brief, keyOf, unbind } from './participant.js';
import { someIspb } from './streams.js';

let stage: ApiStage;
let ana: TestUser;
let acme: TestCompany;

beforeAll(async () => {
  stage = await ApiStage.open();
  ana = await stage.user();
  acme = await stage.company(ana);
});

afterAll(() => stage?.close());

/** All that is kept of an ISPB. */
async function row(ispb: string): Promise<Record<string, unknown> | undefined> {
  const [found] = await stage.sql(
    `SELECT company_id, key_hash, old_key_hash, old_key_until - updated_at AS old_key_stays, deleted
       FROM pix_participants WHERE ispb = $1`,
    [ispb],
  );
  return found;
}

const sha256 = (key: string) => createHash('sha256').update(key).digest();

/** Runs `work` while another connection holds what `statement` locks, and then commits. */
async function whileOpen<T>(statement: string, values: unknown[], work: (done: () => Promise<void>) => Promise<T>) {
  const keeper = new pg.Client(stage.env.DATABASE_URL);
  await keeper.connect();
  try {
    await keeper.query('BEGIN');
    await keeper.query(statement, values);
    return await work(async () => void (await keeper.query('COMMIT')));
  } finally {
    await keeper.end();
  }
}

describe('PUT /api/companies/:id/pix/:ispb', () => {
  test('answers a key, of which its hash alone is kept', async () => {
    const ispb = someIspb();
    const { status, body } = await bind(stage, ana, acme, ispb);
    expect([status, body]).toEqual([
      201,
      { ispb, api_key: expect.stringMatching(/^pix_[A-Za-z0-9_-]{43}$/), created_at: TIME },
    ]);
    expect(await row(ispb)).toEqual({
      ...{ company_id: acme.id, key_hash: sha256(body.api_key ?? ''), old_key_hash: null, old_key_stays: null },
      deleted: false,
    });
    expect(stage.output.filter((line) => line.includes(body.api_key ?? ''))).toEqual([]);
  });

  test('a second one answers another key, and the first fits for 24 hours more', async () => {
    const ispb = someIspb();
    const first = await bind(stage, ana, acme, ispb);
    const second = await bind(stage, ana, acme, ispb);
    expect(second).toMatchObject({ status: 201, body: { ...first.body, api_key: expect.any(String) } });
    expect(second.body.api_key).not.toBe(first.body.api_key);
    expect(await row(ispb)).toMatchObject({
      key_hash: sha256(second.body.api_key ?? ''),
      old_key_hash: sha256(first.body.api_key ?? ''),
      old_key_stays: expect.objectContaining({}),
    });
    const [stays] = await stage.sql(
      `SELECT old_key_until BETWEEN clock_timestamp() + interval '23 hours 59 minutes' AND clock_timestamp() + interval '24 hours'
         AS a_day FROM pix_participants WHERE ispb = $1`,
      [ispb],
    );
    expect(stays).toEqual({ a_day: true });
  });

  test('is for owners: neither a member, nor a stranger, nor nobody binds or unbinds', async () => {
    const [bia, caio] = [await stage.user(), await stage.user()];
    await stage.member(ana, acme, bia);
    const ispb = someIspb();
    for (const each of [bind, unbind]) {
      expect(brief(await each(stage, bia, acme, ispb))).toEqual([403, 'COMPANY.NOT_OWNER']);
      expect(brief(await each(stage, caio, acme, ispb))).toEqual([404, 'COMPANY.NOT_FOUND']);
      expect(brief(await each(stage, ana, { ...acme, id: 'No id' }, ispb))).toEqual([404, 'COMPANY.NOT_FOUND']);
      expect(brief(await each(stage, { ...ana, token: 'none' }, acme, ispb))).toEqual([401, 'AUTH.TOKEN_INVALID']);
    }
    expect(await row(ispb)).toBeUndefined();
  });

  test.each(['1234567', '123456789', '1234567a', '١٢٣٤٥٦٧٨', '12345678%0a'])(
    'an ISPB has eight digits: %s',
    async (ispb) => {
      for (const each of [bind, unbind])
        expect(await each(stage, ana, acme, ispb)).toMatchObject({
          status: 400,
          body: { code: 'VALIDATION', errors: [{ path: 'ispb', message: 'must be eight digits' }] },
        });
    },
  );

  test('an ISPB is one company’s: to another it is taken, also once it is unbound', async () => {
    const ispb = someIspb();
    const bia = await stage.user();
    const other = await stage.company(bia);
    const key = await keyOf(stage, ana, acme, ispb);
    expect(brief(await bind(stage, bia, other, ispb))).toEqual([409, 'PIX.ISPB_TAKEN']);
    expect(brief(await unbind(stage, bia, other, ispb))).toEqual([404, 'PIX.ISPB_NOT_BOUND']);
    expect(await asked(stage, ispb, bearer(key))).toEqual(ADMITTED);
    expect(brief(await unbind(stage, ana, acme, ispb))).toEqual([204, undefined]);
    expect(brief(await bind(stage, bia, other, ispb))).toEqual([409, 'PIX.ISPB_TAKEN']);
    expect((await bind(stage, ana, acme, ispb)).status).toBe(201);
  });

  test('of ten companies that bind one ISPB at once, one has it, and its key fits', async () => {
    const ispb = someIspb();
    const companies = await Promise.all(Array.from({ length: 10 }, () => stage.company(ana)));
    const answers = await Promise.all(companies.map((company) => bind(stage, ana, company, ispb)));
    const [won, ...more] = answers.filter(({ status }) => status === 201);
    expect(answers.filter((each) => each !== won).map(brief)).toEqual(Array(9).fill([409, 'PIX.ISPB_TAKEN']));
    expect([more, await asked(stage, ispb, bearer(won?.body.api_key ?? ''))]).toEqual([[], ADMITTED]);
  });

  test('of two calls of one company at once, both keys fit', async () => {
    const ispb = someIspb();
    const keys = await Promise.all([keyOf(stage, ana, acme, ispb), keyOf(stage, ana, acme, ispb)]);
    for (const key of keys) expect(await asked(stage, ispb, bearer(key))).toEqual(ADMITTED);
  });
});

describe('DELETE /api/companies/:id/pix/:ispb', () => {
  test('ends both keys at once, and leaves the ISPB closed', async () => {
    const ispb = someIspb();
    const keys = [await keyOf(stage, ana, acme, ispb), await keyOf(stage, ana, acme, ispb)];
    for (const key of keys) expect(await asked(stage, ispb, bearer(key))).toEqual(ADMITTED);
    expect(brief(await unbind(stage, ana, acme, ispb))).toEqual([204, undefined]);
    for (const key of keys) expect(await asked(stage, ispb, bearer(key))).toEqual([401, 'PIX.KEY_INVALID']);
    expect(await asked(stage, ispb)).toEqual([401, 'PIX.KEY_MISSING']);
    expect(await row(ispb)).toMatchObject({ company_id: acme.id, old_key_hash: null, deleted: true });
    expect(brief(await unbind(stage, ana, acme, ispb))).toEqual([404, 'PIX.ISPB_NOT_BOUND']);

    const next = await keyOf(stage, ana, acme, ispb);
    expect(await asked(stage, ispb, bearer(next))).toEqual(ADMITTED);
    for (const key of keys) expect(await asked(stage, ispb, bearer(key))).toEqual([401, 'PIX.KEY_INVALID']);
  });

  test('of what was never bound is not found, and the ISPB stays open', async () => {
    const ispb = someIspb();
    expect(brief(await unbind(stage, ana, acme, ispb))).toEqual([404, 'PIX.ISPB_NOT_BOUND']);
    expect([await row(ispb), await asked(stage, ispb)]).toEqual([undefined, ADMITTED]);
  });
});

describe('a company that is deleted', () => {
  test('unbinds its ISPBs, which nobody ever binds again', async () => {
    const company = await stage.company(ana);
    const [ispb, another, kept] = [someIspb(), someIspb(), someIspb()];
    const key = await keyOf(stage, ana, company, ispb);
    await keyOf(stage, ana, company, another);
    const stays = await keyOf(stage, ana, acme, kept);
    expect(await asked(stage, ispb, bearer(key))).toEqual(ADMITTED);
    await stage.api('DELETE', `/api/companies/${company.id}`, { token: ana.token });
    expect(await asked(stage, ispb, bearer(key))).toEqual([401, 'PIX.KEY_INVALID']);
    for (const each of [ispb, another]) {
      expect(await asked(stage, each)).toEqual([401, 'PIX.KEY_MISSING']);
      expect(brief(await bind(stage, ana, acme, each))).toEqual([409, 'PIX.ISPB_TAKEN']);
      expect(brief(await bind(stage, ana, company, each))).toEqual([404, 'COMPANY.NOT_FOUND']);
    }
    expect(await asked(stage, kept, bearer(stays))).toEqual(ADMITTED);
  });

  test('while it binds, binds nothing, or unbinds what it has bound', async () => {
    const races = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const [company, ispb] = [await stage.company(ana), someIspb()];
        const [bound] = await Promise.all([
          bind(stage, ana, company, ispb),
          stage.api('DELETE', `/api/companies/${company.id}`, { token: ana.token }),
        ]);
        return { status: bound.status, deleted: (await row(ispb))?.deleted };
      }),
    );
    const wrong = races.filter(({ status, deleted }) => deleted !== (status === 201 ? true : undefined));
    expect([wrong, races.filter(({ status }) => ![201, 404].includes(status))]).toEqual([[], []]);
  });

  test('is waited for by the statement that binds, too, which then binds nothing', async () => {
    const [company, ispb] = [await stage.company(ana), someIspb()];
    const postgres = new Postgres({ databaseUrl: stage.env.DATABASE_URL } as Config);
    try {
      const deletes = 'UPDATE companies SET deleted = true WHERE id = $1';
      const bound = await whileOpen(deletes, [company.id], async (commit) => {
        const binding = new ParticipantsRepository(postgres).bind(postgres, company.id, ispb, sha256('a key'));
        await untilBlocked(stage, 'FROM companies', 1);
        await commit();
        return binding;
      });
      expect([bound, await row(ispb)]).toEqual([undefined, undefined]);
    } finally {
      await postgres.close();
    }
  });

  test('a former owner who binds while he is removed is refused', async () => {
    const [company, ispb, bia] = [await stage.company(ana), someIspb(), await stage.user()];
    await stage.member(ana, company, bia, 'owner');
    const bound = await whileOpen('SELECT FROM companies WHERE id = $1 FOR UPDATE', [company.id], async (commit) => {
      const binding = bind(stage, bia, company, ispb);
      await untilBlocked(stage, 'FROM companies', 1);
      await stage.sql("UPDATE memberships SET role = 'member' WHERE company_id = $1 AND user_id = $2", [
        ...[company.id, bia.id],
      ]);
      await commit();
      return binding;
    });
    expect([brief(bound), await row(ispb)]).toEqual([[403, 'COMPANY.NOT_OWNER'], undefined]);
  });
});
