import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Sql } from '../../platform/stores/postgres.js';
import { openConnections } from '../simulation/connections.js';
import { storeFile } from './files.js';

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
  'enviada, late': `began_at = ${AGO}, held_at = ${AGO}, outcome = 'enviada', outcome_at = ${AGO}`,
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
    INSERT INTO companies (id, name, document) VALUES ('a', 'A', '11222333000181'), ('b', 'B', '11444777000161');
    INSERT INTO billing_companies (company_id) VALUES ('a'), ('b')`);
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
  if (state.startsWith('enviada')) await client.query('UPDATE billing_debts SET sent_at = now()');
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

  test('leaves the time of a mail that was dropped before', async () => {
    const seq = await make('dispensada', 'open');
    const dropped = () => client.query('SELECT outcome_at FROM billing_deliveries');
    const before = await dropped();
    await client.query(EVENTS[event], [seq]);
    expect((await dropped()).rows).toEqual(before.rows);
  });

  test('drops what would begin after it', async () => {
    const debt = event === 'pay' ? 'paid' : 'cancelled';
    for (const state of ['claimed', 'expired'] as const) {
      const [before, after] = await play('begin', state, debt);
      expect(after).toEqual({ ...before, delivery: 'dispensada', times: 'outcome' });
    }
  });

  test('leaves a mail that has begun to a begin that comes twice', async () => {
    for (const state of ['young', 'tentando', 'desconhecida'] as const) {
      const [before, after] = await play('begin', state, event === 'pay' ? 'paid' : 'cancelled');
      expect(after).toEqual(before);
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
  const { rows } = await client.query('SELECT failed_at, failure FROM billing_debts');
  expect(rows).toEqual([{ failed_at: null, failure: null }]);
});

test('a begin is noted as an attempt', async () => {
  await play('begin', 'claimed');
  const { rows } = await client.query(
    'SELECT attempt, a.began_at = v.began_at AS same FROM billing_attempts a JOIN billing_deliveries v USING (seq, number, attempt)',
  );
  expect(rows).toEqual([{ attempt: 3, same: true }]);
});

test('a mail after a failure takes the failure away, and the first one keeps its time', async () => {
  const seq = await make('tentando', 'open');
  await client.query(`UPDATE billing_debts SET failed_at = now(), failure = 'said', sent_at = ${AGO}`);
  await client.query(EVENTS[250], [seq]);
  const { rows } = await client.query(
    `SELECT failed_at, failure, sent_at < clock_timestamp() - interval '10 min' AS first FROM billing_debts`,
  );
  expect(rows).toEqual([{ failed_at: null, failure: null, first: true }]);
});

test('a mail that was not sent waits until it was said to', async () => {
  const seq = await make('tentando', 'open');
  await client.query(`SELECT billing_record_sent($1, 1, 3, 'depois', '450', '2099-01-01Z')`, [seq]);
  const { rows } = await client.query(`SELECT next_at = '2099-01-01Z' AS waits FROM billing_deliveries`);
  expect(rows).toEqual([{ waits: true }]);
});

test('a person decides about one mail, and is kept with the reason', async () => {
  const seq = await make('desconhecida', 'open');
  const other = await client.query(`SELECT billing_resolve($1, 2, true, 'u', 'why') AS answer`, [seq]);
  expect(other.rows).toEqual([{ answer: false }]);
  await client.query(EVENTS['said unsent'], [seq]);
  const { rows } = await client.query('SELECT status, resolved_by, note FROM billing_deliveries');
  expect(rows).toEqual([{ status: 'pendente', resolved_by: 'u', note: 'why' }]);
});

test('a debt has one open mail', async () => {
  const seq = await make('free', 'open');
  const second = client.query('INSERT INTO billing_deliveries (seq, number, company_no) VALUES ($1, 2, 1)', [seq]);
  await expect(second).rejects.toThrow('billing_deliveries_open');
});

test.each(['pay', 'cancel'] as const)('to %s once more keeps the time of the first', async (event) => {
  const seq = await make('free', event === 'pay' ? 'paid' : 'cancelled');
  const times = () => client.query('SELECT paid_at, cancelled_at FROM billing_debts');
  const before = await times();
  await client.query(EVENTS[event], [seq]);
  expect((await times()).rows).toEqual(before.rows);
});

test.each([
  ['pay', 'free', `billing_pay(2, 'e', debt_id, 'x', 100, now(), 'pix', NULL)`, 'unmatched'],
  ['cancel', 'free', 'billing_cancel(2, debt_id)', 'unknown'],
  ['claim', 'free', `(SELECT count(*)::int FROM billing_claim_issue(2, NULL, 10, '5 min'))`, 0],
  ['claim the mail of', 'free', `(SELECT count(*)::int FROM billing_claim_send(2, 10, '5 min'))`, 0],
  ['sweep the mail of', 'tentando', 'billing_sweep(2, true)', 0],
] as const)('another company does not %s a debt', async (_, state, call, expected) => {
  await make(state, 'open');
  await client.query('UPDATE billing_debts SET asked_at = NULL, issued_at = NULL');
  const all = () =>
    client.query(
      'SELECT (SELECT json_agg(d) FROM billing_debts d) AS debts, (SELECT json_agg(v) FROM billing_deliveries v) AS mails',
    );
  const before = await all();
  const { rows } = await client.query(`SELECT ${call} AS answer FROM billing_debts`);
  expect(rows).toEqual([{ answer: expected }]);
  expect((await all()).rows).toEqual(before.rows);
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

test('a boleto is what was recorded first', async () => {
  const seq = await make('free', 'open');
  await client.query('DELETE FROM billing_deliveries');
  await client.query('UPDATE billing_debts SET issued_at = NULL');
  const record = (digit: string) =>
    client.query(
      'SELECT billing_record_issued(ARRAY[$1::bigint], ARRAY[repeat($2, 44)], ARRAY[$2], $2::int) AS recorded',
      [seq, digit],
    );
  const recorded = () =>
    client.query(
      'SELECT issued_at, i.* FROM billing_debts JOIN billing_invoices i USING (seq) JOIN billing_deliveries USING (seq)',
    );
  expect((await record('1')).rows).toEqual([{ recorded: 1 }]);
  const first = await recorded();
  expect(first.rows).toMatchObject([{ settings_version: 1, bank_reference: '1' }]);
  expect((await record('2')).rows).toEqual([{ recorded: 0 }]);
  expect((await recorded()).rows).toEqual(first.rows);
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

test('a claim of debts takes those that are due so soon, and leaves since when the bank knows', async () => {
  await make('free', 'open');
  await client.query(`UPDATE billing_debts SET issued_at = NULL, asked_at = ${AGO}, due_on = current_date + 5`);
  const claim = (days: number) =>
    client.query(
      `SELECT asked_at < clock_timestamp() - interval '10 min' AS asked FROM billing_claim_issue(1, $1, 10, '5 min')`,
      [days],
    );
  expect((await claim(4)).rows).toEqual([]);
  expect((await claim(5)).rows).toEqual([{ asked: true }]);
});

describe('a merge', () => {
  const [known, fresh] = [randomUUID(), randomUUID()];
  const sql: Sql = {
    query: async (text, values) => (await client.query(text, values)).rows,
    one: async (text, values) => (await client.query(text, values)).rows[0],
  };
  const store = (...cents: number[]) =>
    storeFile(
      sql,
      { company: 1, chunks: [cents.map((each, i) => ({ line: i + 2, debtId: i < 3 ? known : fresh, cents: each }))] },
      'a file',
    );

  test('takes the first line of a debt, and knows no other company', async () => {
    await make('free', 'open');
    await client.query('UPDATE billing_debts SET company_no = 2, debt_id = $1, cents = 300', [known]);
    const importNo = await store(100, 200, 100, 300);
    await client.query('SELECT billing_merge_chunk($1)', [importNo]);
    const debts = await client.query(
      'SELECT debt_id, line, cents::int FROM billing_debts WHERE company_no = 1 ORDER BY line',
    );
    expect(debts.rows).toEqual([
      { debt_id: known, line: 2, cents: 100 },
      { debt_id: fresh, line: 5, cents: 300 },
    ]);
    const counts = await client.query('SELECT created, repeated, conflicting FROM billing_import_chunks');
    expect(counts.rows).toEqual([{ created: 2, repeated: 1, conflicting: 1 }]);
    const rejects = await client.query('SELECT * FROM billing_rejects');
    expect(rejects.rows).toEqual([
      { import_no: importNo, line: 3, column_name: 'debtId', reason: 'conflict', value: known },
    ]);
  });

  test('takes a line of a debt whose content is erased for a repeated one', async () => {
    await make('free', 'open');
    await client.query('UPDATE billing_debts SET debt_id = $1, erased_at = now()', [known]);
    await client.query('SELECT billing_merge_chunk($1)', [await store(200)]);
    const { rows } = await client.query('SELECT created, repeated, conflicting FROM billing_import_chunks');
    expect(rows).toEqual([{ created: 0, repeated: 1, conflicting: 0 }]);
  });

  test('that does not add up is none', async () => {
    const importNo = await store(100);
    await client.query('UPDATE billing_import_chunks SET rows = 2');
    await expect(client.query('SELECT billing_merge_chunk($1)', [importNo])).rejects.toThrow('does not add up');
  });
});
