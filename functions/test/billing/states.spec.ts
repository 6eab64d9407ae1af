import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openConnections } from '../simulation/connections.js';

const AGO = `clock_timestamp() - interval '11 min'`;
const SOON = `clock_timestamp() + interval '5 min'`;

/** A delivery in each of its states, at its third attempt. `young`: less than ten minutes after it began. */
const STATES = {
  free: '',
  waiting: `next_at = ${SOON}`,
  claimed: `claimed_until = ${SOON}`,
  expired: `claimed_until = ${AGO}`,
  young: `claimed_until = ${SOON}, began_at = clock_timestamp()`,
  tentando: `claimed_until = ${AGO}, began_at = ${AGO}`,
  'young desconhecida': 'began_at = clock_timestamp(), held_at = clock_timestamp()',
  desconhecida: `began_at = ${AGO}, held_at = clock_timestamp()`,
  enviada: `began_at = ${AGO}, outcome = 'enviada', outcome_at = ${AGO}`,
  recusada: `began_at = ${AGO}, outcome = 'recusada', outcome_at = ${AGO}`,
  dispensada: `outcome = 'dispensada', outcome_at = ${AGO}`,
} as const;
type State = keyof typeof STATES;
const OVER: State[] = ['enviada', 'recusada', 'dispensada'];

/** The debt when the event comes. */
const DEBTS = {
  open: '',
  paid: `paid_at = ${AGO}, paid_cents = 100`,
  cancelled: `cancelled_at = ${AGO}`,
} as const;

const send = (what: string, attempt = 3) =>
  `SELECT billing_record_sent($1, 1, ${attempt}, '${what}', 'said', NULL) AS answer`;
const EVENTS = {
  claim: `SELECT count(*) = 1 AS answer FROM billing_claim_send(1, 1, '5 min') WHERE seq = $1`,
  begin: `SELECT count(*) = 1 AS answer FROM billing_begin_send(ARRAY[$1::bigint], '{1}', '{3}')`,
  'late begin': `SELECT count(*) = 1 AS answer FROM billing_begin_send(ARRAY[$1::bigint], '{1}', '{2}')`,
  250: send('enviada'),
  'late 250': send('enviada', 2),
  'not sent': send('depois'),
  'late not sent': send('depois', 2),
  refused: send('recusada'),
  'late refused': send('recusada', 2),
  lost: send('desconhecida'),
  'late lost': send('desconhecida', 2),
  sweep: 'SELECT billing_sweep(1, false) = 1 AS answer WHERE $1::bigint > 0',
  'sweep again': 'SELECT billing_sweep(1, true) = 1 AS answer WHERE $1::bigint > 0',
  pay: `SELECT billing_pay(1, gen_random_uuid()::text, debt_id, 'x', 100, now(), 'pix', NULL) = 'recorded' AS answer
          FROM billing_debts WHERE seq = $1`,
  'pay a part': `SELECT billing_pay(1, gen_random_uuid()::text, debt_id, 'x', 99, now(), 'pix', NULL) = 'recorded' AS answer
          FROM billing_debts WHERE seq = $1`,
  cancel: `SELECT billing_cancel(1, debt_id) = 'cancelled' AS answer FROM billing_debts WHERE seq = $1`,
  'said sent': `SELECT billing_resolve($1, 1, true, 'u', 'why') AS answer`,
  'said unsent': `SELECT billing_resolve($1, 1, false, 'u', 'why') AS answer`,
} as const;
type Event = keyof typeof EVENTS;

interface Row {
  answer: boolean;
  delivery: string;
  attempt: number;
  debt: string;
  /** Which of its times are set. */
  times: string;
}

/** What an event changes, by state; in all other states it changes nothing, and answers false. */
const CHANGES: Record<Event, Partial<Record<State, Partial<Row>>>> = {
  claim: {
    free: { attempt: 4, times: 'claimed' },
    expired: { attempt: 4 },
  },
  begin: {
    claimed: { delivery: 'tentando', times: 'claimed began' },
    expired: { delivery: 'tentando', times: 'claimed began' },
  },
  'late begin': {},
  250: {
    young: { delivery: 'enviada', debt: 'enviada', times: 'began outcome' },
    tentando: { delivery: 'enviada', debt: 'enviada', times: 'began outcome' },
    'young desconhecida': { delivery: 'enviada', debt: 'enviada', times: 'began held outcome' },
    desconhecida: { delivery: 'enviada', debt: 'enviada', times: 'began held outcome' },
  },
  'late 250': {},
  'not sent': {
    young: { delivery: 'pendente', times: '' },
    tentando: { delivery: 'pendente', times: '' },
  },
  'late not sent': {},
  refused: {
    young: { delivery: 'recusada', debt: 'falhou', times: 'began outcome' },
    tentando: { delivery: 'recusada', debt: 'falhou', times: 'began outcome' },
  },
  'late refused': {},
  lost: {
    young: { delivery: 'desconhecida', times: 'began held' },
    tentando: { delivery: 'desconhecida', times: 'began held' },
  },
  'late lost': {},
  sweep: { tentando: { delivery: 'desconhecida', times: 'began held' } },
  'sweep again': { tentando: { delivery: 'pendente', times: '' } },
  pay: {},
  'pay a part': {},
  cancel: {},
  'said sent': {
    'young desconhecida': { delivery: 'enviada', debt: 'enviada', times: 'began outcome' },
    desconhecida: { delivery: 'enviada', debt: 'enviada', times: 'began outcome' },
  },
  'said unsent': { desconhecida: { delivery: 'pendente', times: '' } },
};

let client: pg.Client;
let close: () => Promise<void> = async () => {};
beforeAll(async () => {
  const opened = await openConnections(1);
  close = opened.close;
  client = opened.clients[0] as pg.Client;
  await client.query(`
    INSERT INTO companies (id, name, document) VALUES ('a', 'A', '11222333000181');
    INSERT INTO billing_companies (company_id) VALUES ('a')`);
});
// Nothing is committed, which is faster.
beforeEach(() => client.query('BEGIN'));
afterEach(() => client.query('ROLLBACK'));
afterAll(() => close());

/** One debt with one delivery, and nothing else. */
async function make(state: State, debt: keyof typeof DEBTS): Promise<string> {
  for (const table of ['billing_deliveries', 'billing_attempts', 'billing_payments', 'billing_debts'])
    await client.query(`DELETE FROM ${table}`);
  const { rows } = await client.query<{ seq: string }>(
    `INSERT INTO billing_debts (company_no, debt_id, import_no, line, name, government_id, email, cents, due_on, asked_at, issued_at)
     VALUES (1, $1, 1, 2, 'Fulana', '0123', 'a@x.com', 100, '2026-12-31', now(), now()) RETURNING seq`,
    [randomUUID()],
  );
  const seq = rows[0]?.seq ?? '';
  await client.query('INSERT INTO billing_deliveries (seq, number, company_no, attempt) VALUES ($1, 1, 1, 3)', [seq]);
  if (STATES[state]) await client.query(`UPDATE billing_deliveries SET ${STATES[state]}`);
  if (DEBTS[debt]) await client.query(`UPDATE billing_debts SET ${DEBTS[debt]}`);
  if (state === 'enviada') await client.query('UPDATE billing_debts SET sent_at = now()');
  if (state === 'recusada') await client.query('UPDATE billing_debts SET failed_at = now()');
  // All attempts that have begun.
  const begun = ['waiting', 'claimed', 'expired', 'dispensada'].includes(state) ? 2 : 3;
  await client.query(
    'INSERT INTO billing_attempts (seq, number, attempt, began_at) SELECT $1, 1, no, now() FROM generate_series(1, $2) AS no',
    [seq, begun],
  );
  return seq;
}

async function now(answer: boolean): Promise<Row> {
  const { rows } = await client.query<Row>(
    `SELECT v.status AS delivery, v.attempt, d.status AS debt,
            concat_ws(' ', CASE WHEN claimed_until IS NOT NULL THEN 'claimed' END, CASE WHEN began_at IS NOT NULL THEN 'began' END,
                      CASE WHEN held_at IS NOT NULL THEN 'held' END, CASE WHEN outcome_at IS NOT NULL THEN 'outcome' END) AS times
       FROM billing_deliveries v JOIN billing_debts d USING (seq)`,
  );
  return { ...(rows[0] as Row), answer };
}

/** Before and after the event. */
async function play(event: Event, state: State, debt: keyof typeof DEBTS = 'open'): Promise<[Row, Row]> {
  const seq = await make(state, debt);
  const before = await now(false);
  const { rows } = await client.query<{ answer: boolean }>(EVENTS[event], [seq]);
  return [before, await now(rows[0]?.answer ?? false)];
}

const states = Object.keys(STATES) as State[];

describe.each(Object.keys(CHANGES).filter((each) => !/^pay|cancel/.test(each)) as Event[])('%s', (event) => {
  test.each(states)('of %s changes what the rules say, and nothing else', async (state) => {
    const [before, after] = await play(event, state);
    const change = CHANGES[event][state];
    expect(after).toEqual(change ? { ...before, answer: true, ...change } : before);
  });
});

describe.each(['pay', 'cancel'] as const)('%s', (event) => {
  const status = event === 'pay' ? 'paga' : 'cancelada';

  test.each(states)('of a debt whose mail is %s drops what has not begun', async (state) => {
    const [before, after] = await play(event, state);
    const isDropped = before.delivery === 'pendente';
    const dropped = isDropped ? { delivery: 'dispensada', times: 'outcome' } : {};
    expect(after).toEqual({ ...before, ...dropped, answer: true, debt: status });
  });

  test('drops what would begin after it', async () => {
    const debt = event === 'pay' ? 'paid' : 'cancelled';
    for (const state of ['claimed', 'expired'] as const) {
      const [before, after] = await play('begin', state, debt);
      expect(after).toEqual({ ...before, delivery: 'dispensada', times: 'outcome' });
    }
  });

  test('drops what was not sent, whoever finds that', async () => {
    const debt = event === 'pay' ? 'paid' : 'cancelled';
    for (const found of ['not sent', 'sweep again'] as const) {
      const [before, after] = await play(found, 'tentando', debt);
      expect(after).toEqual({ ...before, answer: true, delivery: 'dispensada', times: 'outcome' });
    }
    const [before, after] = await play('said unsent', 'desconhecida', debt);
    expect(after).toEqual({ ...before, answer: true, delivery: 'dispensada', times: 'outcome' });
  });
});

test.each(states)('a part of the money leaves a mail that is %s as it is', async (state) => {
  const [before, after] = await play('pay a part', state);
  expect(after).toEqual({ ...before, answer: true });
});

test.each(OVER)('a late answer about a mail that is %s is kept with its attempt', async (state) => {
  await play(250, state === 'dispensada' ? 'enviada' : state);
  const { rows } = await client.query(
    'SELECT attempt, result, response FROM billing_attempts WHERE ended_at IS NOT NULL',
  );
  expect(rows).toEqual([{ attempt: 3, result: 'enviada', response: 'said' }]);
});

test('a refusal after a mail that was sent leaves the debt sent', async () => {
  const seq = await make('tentando', 'open');
  await client.query('UPDATE billing_debts SET sent_at = now()');
  await client.query(EVENTS.refused, [seq]);
  expect(await now(true)).toMatchObject({ delivery: 'recusada', debt: 'enviada' });
});

test('a paid debt is not cancelled', async () => {
  const [before, after] = await play('cancel', 'enviada', 'paid');
  expect(after).toEqual(before);
});

test('a payment after a cancel wins', async () => {
  const [before, after] = await play('pay', 'dispensada', 'cancelled');
  expect(after).toEqual({ ...before, answer: true, debt: 'paga' });
});

test('a boleto that the bank refused to one worker and registered for another is issued', async () => {
  const seq = await make('free', 'open');
  await client.query(`DELETE FROM billing_deliveries`);
  await client.query(`UPDATE billing_debts SET issued_at = NULL, failed_at = now(), failure = 'refused'`);
  await client.query(`SELECT billing_record_issued(ARRAY[$1::bigint], ARRAY[repeat('0', 44)], '{r}', 0)`, [seq]);
  expect(await now(true)).toMatchObject({ delivery: 'pendente', debt: 'gerada' });
});

test('a claim of debts takes those that are owed and nobody works on, and says since when the bank knows', async () => {
  const owed: Record<string, boolean> = {
    '': true,
    [`asked_at = now(), lease_until = ${AGO}`]: true,
    [`next_at = ${AGO}`]: true,
    [`asked_at = now(), lease_until = ${SOON}`]: false,
    [`next_at = ${SOON}`]: false,
    'issued_at = now()': false,
    'paid_at = now()': false,
    'cancelled_at = now()': false,
    'failed_at = now()': false,
  };
  for (const [set, isOwed] of Object.entries(owed)) {
    await make('free', 'open');
    await client.query('UPDATE billing_debts SET asked_at = NULL, issued_at = NULL');
    if (set) await client.query(`UPDATE billing_debts SET ${set}`);
    const { rows } = await client.query(
      `SELECT epoch, asked_at IS NOT NULL AS asked, lease_until > clock_timestamp() AS leased FROM billing_claim_issue(1, NULL, 10, '5 min')`,
    );
    expect([set, rows]).toEqual([set, isOwed ? [{ epoch: 1, asked: true, leased: true }] : []]);
  }
});
