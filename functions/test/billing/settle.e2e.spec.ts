import { randomUUID } from 'node:crypto';
import type { PoolClient } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage, type TestUser } from '../../../testing/api-stage.js';
import { BillingUpkeepRepository } from '../../billing/upkeep/upkeep.repository.js';
import type { Config } from '../../platform/config.js';
import { Postgres } from '../../platform/stores/postgres.js';
import { issue, someBiller, someDebt, store, type TestBiller, withoutIssuing } from './fixtures.js';

const AGO = `clock_timestamp() - interval '11 min'`;
const SOON = `clock_timestamp() + interval '5 min'`;
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const SENT = { outcome: 'enviada', note: 'she has it' };
const UNSENT = { outcome: 'nao_enviada', note: 'not in the log' };

/** A mail in each of its states, at its second attempt. */
const STATES = {
  free: '',
  waiting: `next_at = ${SOON}`,
  claimed: `claimed_until = ${SOON}`,
  tentando: `claimed_until = ${SOON}, began_at = clock_timestamp()`,
  'young desconhecida': 'began_at = clock_timestamp(), held_at = clock_timestamp()',
  desconhecida: `began_at = ${AGO}, held_at = ${AGO}`,
  enviada: `began_at = ${AGO}, outcome = 'enviada', outcome_at = ${AGO}`,
  recusada: `began_at = ${AGO}, outcome = 'recusada', outcome_at = ${AGO}`,
  dispensada: `outcome = 'dispensada', outcome_at = ${AGO}`,
} as const;
type State = keyof typeof STATES;

let stage: ApiStage;
let biller: TestBiller;
let partner: TestUser;
let member: TestUser;
beforeAll(async () => {
  stage = await ApiStage.open();
  [biller, partner, member] = await Promise.all([someBiller(stage), stage.user(), stage.user()]);
  await withoutIssuing(stage, biller);
  await stage.member(biller.owner, biller.company, partner, 'owner');
  await stage.member(biller.owner, biller.company, member);
});
afterAll(() => stage?.close());

interface Debt {
  debtId: string;
  seq: string;
}

async function stored(whose = biller): Promise<Debt> {
  const debt = someDebt();
  const [seq = ''] = await store(stage, whose, [debt]);
  return { debtId: debt.debtId, seq };
}

/** A debt with a boleto, whose mail is in this state. */
async function mailed(state: State, whose = biller): Promise<Debt> {
  const debt = await stored(whose);
  await issue(stage, [debt.seq], [debt.seq.padStart(44, '0')]);
  const set = ['attempt = 2', STATES[state]].filter(Boolean).join(', ');
  await stage.sql(`UPDATE billing_deliveries SET ${set} WHERE seq = $1`, [debt.seq]);
  if (state === 'enviada') await change(debt, `sent_at = ${AGO}`);
  if (state === 'recusada') await change(debt, `failed_at = ${AGO}, failure = '550 no such user'`);
  return debt;
}

const change = ({ seq }: Debt, set: string) => stage.sql(`UPDATE billing_debts SET ${set} WHERE seq = $1`, [seq]);

function ask(path: string, user: TestUser, body?: unknown, companyId = biller.company.id) {
  return stage.api('POST', `/api/billing/debts/${path}?company_id=${companyId}`, { token: user.token, body });
}
const resend = ({ debtId }: { debtId: string }, user = member, companyId?: string) =>
  ask(`${debtId}/resend`, user, undefined, companyId);
const resolve = ({ debtId }: { debtId: string }, said: unknown, number: number | string = 1, user = biller.owner) =>
  ask(`${debtId}/deliveries/${number}/resolve`, user, said);

/** The status of an answer, with what the mail is then or with the code of the refusal. */
async function said(answer: ReturnType<typeof ask>): Promise<string> {
  const { status, body } = await answer;
  return `${status} ${body.status === status ? body.code : body.status}`;
}

async function shown({ debtId }: Debt) {
  const { body } = await stage.api<Record<string, unknown> & { deliveries: Record<string, unknown>[] }>(
    'GET',
    `/api/billing/debts/${debtId}?company_id=${biller.company.id}`,
    { token: member.token },
  );
  return body;
}

/** All that the tables have of a debt. */
async function rowsOf({ seq }: Debt): Promise<unknown> {
  const rows = await stage.sql(
    `SELECT to_jsonb(d) AS debt, (SELECT jsonb_agg(v ORDER BY number) FROM billing_deliveries v WHERE v.seq = d.seq) AS mails
       FROM billing_debts d WHERE seq = $1`,
    [seq],
  );
  return rows;
}

/** What a debt and its mails are. */
async function nowOf({ seq }: Debt): Promise<string> {
  const [row] = await stage.sql<{ now: string }>(
    `SELECT d.status || ': ' || (SELECT string_agg(v.status, ', ' ORDER BY number) FROM billing_deliveries v WHERE v.seq = d.seq) AS now
       FROM billing_debts d WHERE seq = $1`,
    [seq],
  );
  return row?.now ?? '';
}

const HELD_ONLY = '409 BILLING.INVALID_TRANSITION';
const OPEN = '409 BILLING.DELIVERY_OPEN';

describe('a mail that is', () => {
  test.each<[State, Record<'resend' | 'enviada' | 'nao_enviada', string>]>([
    ['free', { resend: OPEN, enviada: HELD_ONLY, nao_enviada: HELD_ONLY }],
    ['waiting', { resend: OPEN, enviada: HELD_ONLY, nao_enviada: HELD_ONLY }],
    ['claimed', { resend: OPEN, enviada: HELD_ONLY, nao_enviada: HELD_ONLY }],
    ['tentando', { resend: OPEN, enviada: HELD_ONLY, nao_enviada: HELD_ONLY }],
    ['young desconhecida', { resend: OPEN, enviada: '200 enviada, enviada: enviada', nao_enviada: HELD_ONLY }],
    [
      'desconhecida',
      { resend: OPEN, enviada: '200 enviada, enviada: enviada', nao_enviada: '200 pendente, gerada: pendente' },
    ],
    ['enviada', { resend: '202 pendente, enviada: enviada, pendente', enviada: HELD_ONLY, nao_enviada: HELD_ONLY }],
    ['recusada', { resend: '202 pendente, gerada: recusada, pendente', enviada: HELD_ONLY, nao_enviada: HELD_ONLY }],
    [
      'dispensada',
      { resend: '202 pendente, gerada: dispensada, pendente', enviada: HELD_ONLY, nao_enviada: HELD_ONLY },
    ],
  ])('%s takes these commands, and of others nothing changes', async (state, expected) => {
    const commands = {
      resend: (debt: Debt) => resend(debt),
      enviada: (debt: Debt) => resolve(debt, SENT),
      nao_enviada: (debt: Debt) => resolve(debt, UNSENT),
    };
    const found: Record<string, string> = {};
    for (const [name, command] of Object.entries(commands)) {
      const debt = await mailed(state);
      const before = await rowsOf(debt);
      const answer = await said(command(debt));
      found[name] = /^2/.test(answer) ? `${answer}, ${await nowOf(debt)}` : answer;
      if (!/^2/.test(answer)) expect(await rowsOf(debt)).toEqual(before);
    }
    expect(found).toEqual(expected);
  });
});

describe('to send again', () => {
  test('adds a mail with the next number, and takes the failure away', async () => {
    const debt = await mailed('recusada');
    const [before] = await stage.sql('SELECT failure, updated_at FROM billing_debts WHERE seq = $1', [debt.seq]);
    const { status, body } = await resend({ debtId: debt.debtId.toUpperCase() });
    const added = {
      number: 2,
      status: 'pendente',
      attempt: 0,
      queued_at: TIME,
      began_at: null,
      ended_at: null,
      response: null,
    };
    expect([status, body]).toEqual([202, added]);
    expect(Object.keys(body)).toEqual(Object.keys(added));
    expect(await shown(debt)).toMatchObject({ status: 'gerada', deliveries: [{ status: 'recusada' }, body] });
    const after = `SELECT failed_at, failure, updated_at > $2 AS later FROM billing_debts WHERE seq = $1`;
    expect(await stage.sql(after, [debt.seq, before?.updated_at])).toEqual([
      { failed_at: null, failure: null, later: true },
    ]);
  });

  test.each([
    ['has no boleto', 'importada', '', '409 BILLING.NOT_ISSUED'],
    ['was refused by the bank', 'importada', 'failed_at = now()', '409 BILLING.NOT_ISSUED'],
    ['is cancelled without a boleto', 'importada', 'cancelled_at = now()', '409 BILLING.DEBT_CLOSED'],
    ['is paid', 'enviada', 'paid_at = now(), paid_cents = cents', '409 BILLING.DEBT_CLOSED'],
    ['is cancelled', 'dispensada', 'cancelled_at = now()', '409 BILLING.DEBT_CLOSED'],
    ['is paid while its mail is on its way', 'tentando', 'paid_at = now()', '409 BILLING.DEBT_CLOSED'],
    ['is cancelled while its mail is unknown', 'desconhecida', 'cancelled_at = now()', '409 BILLING.DEBT_CLOSED'],
  ] as const)('of a debt that %s is refused', async (_, state, set, expected) => {
    const debt = state === 'importada' ? await stored() : await mailed(state);
    if (set) await change(debt, set);
    const before = await rowsOf(debt);
    expect(await said(resend(debt))).toBe(expected);
    expect(await rowsOf(debt)).toEqual(before);
  });

  test('of fifty requests at once one adds a mail, and the others are told that it is open', async () => {
    const debt = await mailed('recusada');
    const answers = await Promise.all(Array.from({ length: 50 }, () => said(resend(debt))));
    expect(answers.toSorted()).toEqual(['202 pendente', ...Array.from({ length: 49 }, () => OPEN)]);
    expect(await nowOf(debt)).toBe('gerada: recusada, pendente');
  });

  test('waits for a payment that is just recorded, and then is refused', async () => {
    const debt = await mailed('recusada');
    const answer = await whileLocked(
      (sql) =>
        sql.query(`SELECT billing_pay($1, 'race', $2, 'x', 10000, now(), 'pix', NULL)`, [
          biller.companyNo,
          debt.debtId,
        ]),
      () => said(resend(debt)),
      'billing_debts',
    );
    expect([answer, await nowOf(debt)]).toEqual(['409 BILLING.DEBT_CLOSED', 'paga: recusada']);
  });

  test('of a company that is just deleted adds no mail', async () => {
    const doomed = await someBiller(stage, biller.owner);
    await withoutIssuing(stage, doomed);
    const debt = await mailed('recusada', doomed);
    const before = await rowsOf(debt);
    const answer = await whileLocked(
      (sql) => sql.query('UPDATE companies SET deleted = true WHERE id = $1', [doomed.company.id]),
      () => said(resend(debt, biller.owner, doomed.company.id)),
      'living_memberships',
    );
    expect([answer, await rowsOf(debt)]).toEqual(['404 COMPANY.NOT_FOUND', before]);
  });
});

/** Asks while somebody has done this and not committed it; commits once the request's statement with `word` waits. */
async function whileLocked<T>(
  done: (sql: PoolClient) => Promise<unknown>,
  request: () => Promise<T>,
  word: string,
): Promise<T> {
  const client = await stage.stores.pool.connect();
  try {
    await client.query('BEGIN');
    await done(client);
    const answer = request();
    const waiting = `SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%'`;
    await stage.until(async () => (await stage.sql(waiting, [word])).length > 0, 'the request waits');
    await client.query('COMMIT');
    return await answer;
  } finally {
    // Of a test that failed the transaction is open.
    await client.query('ROLLBACK');
    client.release();
  }
}

describe('to say what became of a mail', () => {
  test('keeps who says it and why, and shows the mail as it is then', async () => {
    const debt = await mailed('desconhecida');
    const { status, body } = await resolve(debt, { outcome: 'enviada', note: '  seen in the log:\nqueued \n' });
    expect([status, body]).toEqual([
      200,
      { number: 1, status: 'enviada', attempt: 2, queued_at: TIME, began_at: TIME, ended_at: TIME, response: null },
    ]);
    expect(await stage.sql('SELECT resolved_by, note FROM billing_deliveries WHERE seq = $1', [debt.seq])).toEqual([
      { resolved_by: biller.owner.id, note: 'seen in the log:\nqueued' },
    ]);
    expect(await shown(debt)).toMatchObject({ status: 'enviada', sent_at: TIME, hold: false, deliveries: [body] });
  });

  test('that it was not sent lets the same mail be claimed and begun again', async () => {
    const debt = await mailed('desconhecida');
    const same = 'SELECT number, attempt, message_date FROM billing_deliveries WHERE seq = $1';
    const [before] = await stage.sql<{ attempt: number }>(same, [debt.seq]);
    await resolve(debt, UNSENT);
    await stage.sql('SELECT FROM billing_claim_send($1, 1000, $2)', [biller.companyNo, '5 min']);
    const begun = await stage.sql('SELECT number, attempt FROM billing_begin_send(ARRAY[$1::bigint], $2, $3)', [
      debt.seq,
      [1],
      [3],
    ]);
    expect([begun, await stage.sql(same, [debt.seq])]).toEqual([
      [{ number: 1, attempt: 3 }],
      [{ ...before, attempt: 3 }],
    ]);
  });

  test.each([
    ['paid', 'paid_at = now()', 'paga: dispensada'],
    ['cancelled', 'cancelled_at = now()', 'cancelada: dispensada'],
  ])('that it was not sent, of a debt that is %s, drops it', async (_, set, expected) => {
    const debt = await mailed('desconhecida');
    await change(debt, `${set}, updated_at = '2020-01-01'`);
    expect([await said(resolve(debt, UNSENT)), await nowOf(debt)]).toEqual(['200 dispensada', expected]);
    // So that the note goes with the debt, when that is as old, though it was erased before.
    const changed = `SELECT updated_at > now() - interval '1 minute' AS just_now FROM billing_debts WHERE seq = $1`;
    expect(await stage.sql(changed, [debt.seq])).toEqual([{ just_now: true }]);
  });

  test('that it was not sent is too early before ten minutes, and from when it may be said is told', async () => {
    const debt = await mailed('young desconhecida');
    const { began_at } = (await shown(debt)).deliveries[0] as { began_at: string };
    const from = new Date(Date.parse(began_at) + 600_000).toISOString();
    const { status, body } = await resolve(debt, UNSENT);
    expect([status, body.code, body.detail]).toEqual([
      409,
      'BILLING.INVALID_TRANSITION',
      expect.stringContaining(` from ${from} on`),
    ]);
    await stage.sql(`UPDATE billing_deliveries SET began_at = began_at - interval '10 min' WHERE seq = $1`, [debt.seq]);
    expect(await said(resolve(debt, UNSENT))).toBe('200 pendente');
  });

  test('of a mail that is not held names what it is', async () => {
    const { body } = await resolve(await mailed('tentando'), UNSENT);
    expect(body.detail).toContain('"tentando"');
  });

  test('of two owners with two minds takes one, and tells the other', async () => {
    const debts = await Promise.all(Array.from({ length: 10 }, () => mailed('desconhecida')));
    for (const debt of debts) {
      const [one, other] = await Promise.all([said(resolve(debt, SENT)), said(resolve(debt, UNSENT, 1, partner))]);
      const isSent = one === '200 enviada';
      expect([one, other]).toEqual(isSent ? ['200 enviada', HELD_ONLY] : [HELD_ONLY, '200 pendente']);
      expect(await nowOf(debt)).toBe(isSent ? 'enviada: enviada' : 'gerada: pendente');
    }
  });

  test('waits for a late 250 that is just recorded, and then is refused', async () => {
    const debt = await mailed('desconhecida');
    const answer = await whileLocked(
      (sql) => sql.query(`SELECT billing_record_sent($1, 1, 2, 'enviada', '250 OK', NULL)`, [debt.seq]),
      () => said(resolve(debt, UNSENT)),
      'billing_debts',
    );
    expect([answer, await nowOf(debt)]).toEqual([HELD_ONLY, 'enviada: enviada']);
  });

  test('is for owners, of mails that there are', async () => {
    const debt = await mailed('desconhecida');
    const foreign = await mailed('desconhecida', await someBiller(stage, partner));
    const before = [await rowsOf(debt), await rowsOf(foreign)];
    const answers = await Promise.all([
      said(resolve(debt, SENT, 1, member)),
      said(resolve({ debtId: randomUUID() }, SENT)),
      said(resolve({ debtId: '8291' }, SENT)),
      said(resolve(foreign, SENT)),
      ...['0', '2', '-1', '01', '1.5', 'x', '1%00', '2147483648', '99999999999999999999'].map((number) =>
        said(resolve(debt, SENT, number)),
      ),
    ]);
    expect(answers).toEqual([
      '403 COMPANY.NOT_OWNER',
      ...Array.from({ length: 3 }, () => '404 BILLING.DEBT_NOT_FOUND'),
      ...Array.from({ length: 9 }, () => '404 BILLING.DELIVERY_NOT_FOUND'),
    ]);
    expect([await rowsOf(debt), await rowsOf(foreign)]).toEqual(before);
  });

  test.each([
    ['no outcome', { note: 'a' }, 'outcome'],
    ['another outcome', { outcome: 'recusada', note: 'a' }, 'outcome'],
    ['no note', { outcome: 'enviada' }, 'note'],
    ['an empty note', { outcome: 'enviada', note: '' }, 'note'],
    ['a blank note', { outcome: 'enviada', note: ' \n ' }, 'note'],
    ['a long note', { outcome: 'enviada', note: '\u{1f4e8}'.repeat(501) }, 'note'],
    ['a NUL', { outcome: 'enviada', note: 'a\u0000b' }, 'note'],
    ['half a pair', { outcome: 'enviada', note: 'a\ud83d' }, 'note'],
    ['a field that is not known', { ...SENT, who: 'me' }, 'who'],
    ['no object', [SENT], ''],
  ])('with %s is refused', async (_, body, path) => {
    const debt = await mailed('desconhecida');
    const answer = await resolve(debt, body);
    const wrong = (answer.body.errors as { path: string }[]).map((error) => error.path);
    expect([answer.status, answer.body.code, new Set(wrong)]).toEqual([400, 'VALIDATION', new Set([path])]);
    expect(await nowOf(debt)).toBe('gerada: desconhecida');
  });

  test('takes a note of 500 characters with blanks around it', async () => {
    const note = '\u{1f4e8}'.repeat(500);
    const debt = await mailed('desconhecida');
    expect(await said(resolve(debt, { outcome: 'enviada', note: `  ${note}\n` }))).toBe('200 enviada');
    expect(await stage.sql('SELECT note FROM billing_deliveries WHERE seq = $1', [debt.seq])).toEqual([{ note }]);
  });
});

test('a mail that waits after its attempts shows when the last one began and what was said last', async () => {
  const debt = await mailed('free');
  await stage.sql('UPDATE billing_deliveries SET attempt = 0 WHERE seq = $1', [debt.seq]);
  const seen: unknown[] = [];
  const look = async () => {
    const [mail] = (await shown(debt)).deliveries;
    const { queued_at: _, began_at, ...rest } = mail as { queued_at: string; began_at: string | null };
    const [last] = await stage.sql<{ at: Date | null }>(
      'SELECT max(began_at) AS at FROM billing_attempts WHERE seq = $1',
      [debt.seq],
    );
    expect(began_at).toBe(last?.at?.toISOString() ?? null);
    seen.push(rest);
  };
  await look();
  for (const [attempt, what, response] of [
    [1, 'depois', '451 4.7.1 greylisted'],
    [2, 'depois', null],
    [3, 'desconhecida', 'unknown: the connection was closed'],
  ]) {
    await stage.sql('SELECT FROM billing_claim_send($1, 1000, $2)', [biller.companyNo, '5 min']);
    await stage.sql('SELECT FROM billing_begin_send(ARRAY[$1::bigint], $2, $3)', [debt.seq, [1], [attempt]]);
    await look();
    await stage.sql('SELECT billing_record_sent($1, 1, $2, $3, $4, now())', [debt.seq, attempt, what, response]);
    await look();
  }
  const mail = (status: string, attempt: number, response: string | null) => ({
    number: 1,
    status,
    attempt,
    ended_at: null,
    response,
  });
  const greylisted = '451 4.7.1 greylisted';
  expect(seen).toEqual([
    mail('pendente', 0, null),
    mail('tentando', 1, null),
    mail('pendente', 1, greylisted),
    mail('tentando', 2, greylisted),
    mail('pendente', 2, greylisted),
    mail('tentando', 3, greylisted),
    mail('desconhecida', 3, 'unknown: the connection was closed'),
  ]);
});

test('a debt, the report and the gauges agree about its mails at each step', async () => {
  const lone = await someBiller(stage, biller.owner);
  await withoutIssuing(stage, lone);
  const { id } = lone.company;
  const debt = await stored(lone);
  const pool = new Postgres({ databaseUrl: stage.env.DATABASE_URL } as Config);
  const gauges = new BillingUpkeepRepository(pool);
  // The mails of the other tests are none of this one's.
  await stage.sql('UPDATE billing_companies SET deleted = true WHERE company_no <> $1', [lone.companyNo]);
  const get = async (path: string) =>
    (await stage.api('GET', `/api/billing/${path}?company_id=${id}`, { token: lone.owner.token })).body;
  const seen: unknown[] = [];
  const look = async () => {
    const [{ status, hold }, { sent, failed, held }] = [await get(`debts/${debt.debtId}`), await get('report')];
    const { owed } = await gauges.standing();
    seen.push([status, hold, { sent, failed, held }, { send: owed.send, held: owed.held }]);
  };
  const attempt = async (number: number, no: number, what: string) => {
    await stage.sql('SELECT FROM billing_claim_send($1, 1000, $2)', [lone.companyNo, '5 min']);
    await stage.sql('SELECT FROM billing_begin_send(ARRAY[$1::bigint], $2, $3)', [debt.seq, [number], [no]]);
    await look();
    await stage.sql('SELECT billing_record_sent($1, $2, $3, $4, $5, now())', [debt.seq, number, no, what, what]);
    await look();
  };
  const settle = async (path: string, body?: object) => {
    await ask(`${debt.debtId}/${path}`, lone.owner, body, id);
    await look();
  };
  await issue(stage, [debt.seq], [debt.seq.padStart(44, '0')]);
  await look();
  await attempt(1, 1, 'recusada');
  await settle('resend');
  await attempt(2, 1, 'desconhecida');
  await stage.sql(`UPDATE billing_deliveries SET began_at = ${AGO} WHERE seq = $1 AND number = 2`, [debt.seq]);
  await settle('deliveries/2/resolve', UNSENT);
  await attempt(2, 2, 'desconhecida');
  await settle('deliveries/2/resolve', SENT);
  await settle('resend');
  await attempt(3, 1, 'recusada');
  await pool.close();
  const none = { sent: 0, failed: 0, held: 0 };
  const sent = { ...none, sent: 1 };
  const [owed, idle, waits] = [
    { send: 1, held: 0 },
    { send: 0, held: 0 },
    { send: 0, held: 1 },
  ];
  expect(seen).toEqual([
    ['gerada', false, none, owed],
    ['gerada', false, none, idle],
    ['falhou', false, { ...none, failed: 1 }, idle],
    ['gerada', false, none, owed],
    ['gerada', false, none, idle],
    ['gerada', true, { ...none, held: 1 }, waits],
    ['gerada', false, none, owed],
    ['gerada', false, none, idle],
    ['gerada', true, { ...none, held: 1 }, waits],
    ['enviada', false, sent, idle],
    ['enviada', false, sent, owed],
    ['enviada', false, sent, idle],
    ['enviada', false, sent, idle],
  ]);
});
