import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openConnections, untilWaiting } from '../simulation/connections.js';
import { storeFile } from './files.js';

let monitor: pg.Client;
let one: pg.Client;
let other: pg.Client;
let third: pg.Client;
let close: () => Promise<void> = async () => {};
let seq: string;

beforeAll(async () => {
  const opened = await openConnections(4);
  close = opened.close;
  [monitor, one, other, third] = opened.clients as [pg.Client, pg.Client, pg.Client, pg.Client];
  await monitor.query(`
    INSERT INTO companies (id, name, document) VALUES ('a', 'A', '11222333000181');
    INSERT INTO billing_companies (company_id) VALUES ('a')`);
});
beforeEach(async () => {
  // Of a test that failed a transaction may be open.
  for (const client of [one, other, third]) await client.query('ROLLBACK');
  await monitor.query(`TRUNCATE uploads, billing_imports, billing_import_chunks, billing_rejects, billing_debts, billing_invoices,
    billing_deliveries, billing_attempts, billing_payments`);
  const { rows } = await monitor.query(
    `INSERT INTO billing_debts (company_no, debt_id, import_no, line, name, government_id, email, cents, due_on, asked_at)
     VALUES (1, $1, 1, 2, 'Fulana', '0123', 'a@x.com', 100, '2026-12-31', now()) RETURNING seq`,
    [randomUUID()],
  );
  seq = rows[0].seq;
});
afterAll(() => close());

const issued = `SELECT billing_record_issued(ARRAY[$1::bigint], ARRAY[repeat('0', 44)], '{r}', 0) AS answer`;
const claimed = `SELECT count(*)::int AS answer FROM billing_claim_send(1, 1, '5 min') WHERE seq = $1`;
const EVENTS = {
  pay: `SELECT billing_pay(1, 'e', debt_id, 'x', 100, now(), 'pix', NULL) AS answer FROM billing_debts WHERE seq = $1`,
  'pay the same event with other content': `SELECT billing_pay(1, 'e', debt_id, 'y', 100, now(), 'pix', NULL) AS answer FROM billing_debts WHERE seq = $1`,
  'pay another event': `SELECT billing_pay(1, 'f', debt_id, 'x', 50, now(), 'pix', NULL) AS answer FROM billing_debts WHERE seq = $1`,
  cancel: 'SELECT billing_cancel(1, debt_id) AS answer FROM billing_debts WHERE seq = $1',
  'record the boleto': issued,
  begin: `SELECT count(*)::int AS answer FROM billing_begin_send(ARRAY[$1::bigint], '{1}', '{1}')`,
  'not sent': `SELECT billing_record_sent($1, 1, 1, 'depois', '450', NULL) AS answer`,
  'said unsent': `SELECT billing_resolve($1, 1, false, 'u', 'why') AS answer`,
} as const;
type Event = keyof typeof EVENTS;

async function run(client: pg.Client, event: Event): Promise<unknown> {
  return (await client.query(EVENTS[event], [seq])).rows[0]?.answer;
}

/** The second comes while the first, which is done, is not committed. Returns what both answered, and what is left. */
async function race(
  first: Event,
  second: Event,
): Promise<{ answers: unknown[]; debt: string; mail: string | null; paid: number }> {
  await one.query('BEGIN');
  const answer = await run(one, first);
  const waits = run(other, second);
  await untilWaiting(monitor, [other]);
  await one.query('COMMIT');
  const answers = [answer, await waits];
  const { rows } = await monitor.query(
    `SELECT d.status AS debt, v.status AS mail, paid_cents::int AS paid FROM billing_debts d LEFT JOIN billing_deliveries v USING (seq)`,
  );
  expect(rows).toHaveLength(1);
  return { answers, ...rows[0] };
}

describe('a debt that the bank is asked about', () => {
  test.each([
    ['pay', 'record the boleto', { answers: ['recorded', 1], debt: 'paga', mail: 'dispensada', paid: 100 }],
    ['record the boleto', 'pay', { answers: [1, 'recorded'], debt: 'paga', mail: 'dispensada', paid: 100 }],
    ['cancel', 'record the boleto', { answers: ['cancelled', 1], debt: 'cancelada', mail: 'dispensada', paid: 0 }],
    ['record the boleto', 'cancel', { answers: [1, 'cancelled'], debt: 'cancelada', mail: 'dispensada', paid: 0 }],
    ['record the boleto', 'record the boleto', { answers: [1, 0], debt: 'gerada', mail: 'pendente', paid: 0 }],
    ['pay', 'cancel', { answers: ['recorded', 'paid'], debt: 'paga', mail: null, paid: 100 }],
    ['cancel', 'pay', { answers: ['cancelled', 'recorded'], debt: 'paga', mail: null, paid: 100 }],
    ['cancel', 'cancel', { answers: ['cancelled', 'cancelled'], debt: 'cancelada', mail: null, paid: 0 }],
    ['pay', 'pay', { answers: ['recorded', 'repeated'], debt: 'paga', mail: null, paid: 100 }],
    [
      'pay',
      'pay the same event with other content',
      { answers: ['recorded', 'reused'], debt: 'paga', mail: null, paid: 100 },
    ],
    ['pay', 'pay another event', { answers: ['recorded', 'recorded'], debt: 'paga', mail: null, paid: 150 }],
    ['pay another event', 'pay', { answers: ['recorded', 'recorded'], debt: 'paga', mail: null, paid: 150 }],
  ] as const)('%s, then %s', async (first, second, expected) => {
    expect(await race(first, second)).toEqual(expected);
  });

  test.each([
    ['pay', ['recorded', 'repeated']],
    ['record the boleto', [1, 0]],
  ] as const)('is locked before anything else of it, so that no deadlock comes of: %s', async (event, expected) => {
    await one.query('BEGIN');
    await one.query('SELECT FROM billing_debts WHERE seq = $1 FOR UPDATE', [seq]);
    const waits = run(other, event);
    await untilWaiting(monitor, [other]);
    const answer = await run(one, event);
    await one.query('COMMIT');
    expect([answer, await waits]).toEqual(expected);
  });
});

describe('a debt whose mail is claimed', () => {
  beforeEach(async () => {
    await monitor.query(issued, [seq]);
    await monitor.query(claimed, [seq]);
  });

  test.each([
    ['pay', 'begin', { answers: ['recorded', 0], debt: 'paga', mail: 'dispensada', paid: 100 }],
    ['cancel', 'begin', { answers: ['cancelled', 0], debt: 'cancelada', mail: 'dispensada', paid: 0 }],
    ['begin', 'pay', { answers: [1, 'recorded'], debt: 'paga', mail: 'tentando', paid: 100 }],
    ['begin', 'cancel', { answers: [1, 'cancelled'], debt: 'cancelada', mail: 'tentando', paid: 0 }],
    ['begin', 'begin', { answers: [1, 0], debt: 'gerada', mail: 'tentando', paid: 0 }],
    ['pay another event', 'begin', { answers: ['recorded', 1], debt: 'gerada', mail: 'tentando', paid: 50 }],
  ] as const)('%s, then %s', async (first, second, expected) => {
    expect(await race(first, second)).toEqual(expected);
  });

  test.each([
    ['pay', 'not sent', { answers: ['recorded', true], debt: 'paga', mail: 'dispensada', paid: 100 }],
    ['not sent', 'pay', { answers: [true, 'recorded'], debt: 'paga', mail: 'dispensada', paid: 100 }],
    ['cancel', 'said unsent', { answers: ['cancelled', true], debt: 'cancelada', mail: 'dispensada', paid: 0 }],
    ['said unsent', 'cancel', { answers: [true, 'cancelled'], debt: 'cancelada', mail: 'dispensada', paid: 0 }],
  ] as const)('and has begun: %s, then %s', async (first, second, expected) => {
    await run(monitor, 'begin');
    const isHeld = [first, second].some((each) => each === 'said unsent');
    await monitor.query(
      `UPDATE billing_deliveries SET began_at = clock_timestamp() - interval '11 min', held_at = CASE WHEN $1 THEN now() END`,
      [isHeld],
    );
    expect(await race(first, second)).toEqual(expected);
  });

  test.each([
    ['a late 250', 'enviada', false],
    ['a late 250', 'enviada', true],
    ['a late loss', 'desconhecida', false],
    ['a late loss', 'desconhecida', true],
    ['another begin', 'tentando', false],
    ['another begin', 'tentando', true],
  ])('a sweep that waits for %s leaves it %s, again: %s', async (_, status, again) => {
    await run(monitor, 'begin');
    await monitor.query(`UPDATE billing_deliveries SET began_at = clock_timestamp() - interval '11 min'`);
    await one.query('BEGIN');
    const result = status === 'tentando' ? 'depois' : status;
    await one.query('SELECT billing_record_sent($1, 1, 1, $2, NULL, NULL)', [seq, result]);
    if (status === 'tentando') {
      await one.query(claimed, [seq]);
      await one.query(`SELECT FROM billing_begin_send(ARRAY[$1::bigint], '{1}', '{2}')`, [seq]);
    }
    const swept = other.query('SELECT billing_sweep(1, $1) AS n', [again]);
    await untilWaiting(monitor, [other]);
    await one.query('COMMIT');
    expect((await swept).rows).toEqual([{ n: 0 }]);
    const found = await monitor.query('SELECT status, held_at IS NOT NULL AS held FROM billing_deliveries');
    expect(found.rows).toEqual([{ status, held: status === 'desconhecida' }]);
  });

  test('a sweep that waits for one debt leaves alone those that it has not locked', async () => {
    const ago = `clock_timestamp() - interval '11 min'`;
    const { rows } = await monitor.query(
      `INSERT INTO billing_debts (company_no, debt_id, import_no, line, name, government_id, email, cents, due_on, issued_at)
       VALUES (1, $1, 1, 3, 'Fulana', '0123', 'a@x.com', 100, '2026-12-31', now()) RETURNING seq`,
      [randomUUID()],
    );
    const young = rows[0].seq;
    await monitor.query(
      'INSERT INTO billing_deliveries (seq, number, company_no, attempt, began_at) VALUES ($1, 1, 1, 1, clock_timestamp())',
      [young],
    );
    await monitor.query(`UPDATE billing_deliveries SET began_at = ${ago} WHERE seq = $1`, [seq]);
    await one.query('BEGIN');
    await one.query('SELECT FROM billing_debts WHERE seq = $1 FOR UPDATE', [seq]);
    const swept = other.query('SELECT billing_sweep(1, true) AS n');
    await untilWaiting(monitor, [other]);
    // Ten minutes of the young one are over, and it is just being paid.
    await monitor.query(`UPDATE billing_deliveries SET began_at = ${ago} WHERE seq = $1`, [young]);
    await third.query('BEGIN');
    await third.query(
      `SELECT billing_pay(1, 'e', debt_id, 'x', 100, now(), 'pix', NULL) FROM billing_debts WHERE seq = $1`,
      [young],
    );
    await one.query('COMMIT');
    expect((await swept).rows).toEqual([{ n: 1 }]);
    await third.query('COMMIT');
    const found = await monitor.query('SELECT status FROM billing_deliveries ORDER BY seq');
    expect(found.rows).toEqual([{ status: 'pendente' }, { status: 'tentando' }]);
  });
});

describe('a claim', () => {
  test.each([
    ['debts', `billing_claim_issue(1, NULL, 10, '5 min')`],
    ['mails', `billing_claim_send(1, 10, '5 min')`],
  ])('of %s passes over what another claims', async (what, from) => {
    if (what === 'mails') await monitor.query(issued, [seq]);
    await one.query('BEGIN');
    const claim = `SELECT count(*)::int AS n FROM ${from}`;
    expect((await one.query(claim)).rows).toEqual([{ n: 1 }]);
    await other.query(`SET lock_timeout = '10s'`);
    expect((await other.query(claim)).rows).toEqual([{ n: 0 }]);
  });

  test('that waits behind nothing says that a debt was asked for before a cancel looks', async () => {
    await monitor.query('UPDATE billing_debts SET asked_at = NULL');
    await one.query('BEGIN');
    await one.query(`SELECT FROM billing_claim_issue(1, NULL, 10, '5 min')`);
    const cancelled = run(other, 'cancel');
    await untilWaiting(monitor, [other]);
    await one.query('COMMIT');
    await cancelled;
    const { rows } = await monitor.query(
      'SELECT asked_at IS NOT NULL AND cancelled_at > asked_at AS known FROM billing_debts',
    );
    expect(rows).toEqual([{ known: true }]);
  });
});

describe('two mergers', () => {
  const ids = ['a', 'b', 'c'].map((letter) => `${letter}0000000-0000-4000-8000-000000000000`);
  const file = (order: string[], rows: number) => {
    const lines = order.map((debtId, i) => ({ line: i + 2, debtId, cents: 100 }));
    const chunks = [];
    while (lines.length > 0) chunks.push(lines.splice(0, rows));
    return { company: 1, chunks };
  };
  const store = (order: string[], label: string, rows = 3) =>
    storeFile(
      {
        query: async (text, values) => (await one.query(text, values)).rows,
        one: async (text, values) => (await one.query(text, values)).rows[0],
      },
      file(order, rows),
      label,
    );
  const merge = (client: pg.Client, importNo: number) =>
    client.query('SELECT billing_merge_chunk($1) AS more', [importNo]);

  test('of files in opposite orders wait for one another, and neither is a victim of a deadlock', async () => {
    await one.query('BEGIN');
    const first = await store(ids, 'first');
    const second = await store(ids.toReversed(), 'second');
    await one.query('COMMIT');
    // A third one has the debt in the middle, and gives it up.
    await third.query('BEGIN');
    await third.query(
      `INSERT INTO billing_debts (company_no, debt_id, import_no, line, name, government_id, email, cents, due_on)
       VALUES (1, $1, 1, 2, 'Fulana', '0123', 'a@x.com', 100, '2026-12-31')`,
      [ids[1]],
    );
    const merges = [merge(one, first), merge(other, second)];
    await untilWaiting(monitor, [one, other]);
    await third.query('ROLLBACK');
    await Promise.all(merges);
    const { rows } = await monitor.query('SELECT created, repeated FROM billing_import_chunks ORDER BY created');
    expect(rows).toEqual([
      { created: 0, repeated: 3 },
      { created: 3, repeated: 0 },
    ]);
  });

  test('of one import take one chunk after the other', async () => {
    await one.query('BEGIN');
    const importNo = await store([...ids, ...ids], 'same');
    await one.query('COMMIT');
    await one.query('BEGIN');
    await merge(one, importNo);
    const waits = merge(other, importNo);
    await untilWaiting(monitor, [other]);
    await one.query('COMMIT');
    expect((await waits).rows).toEqual([{ more: true }]);
    const { rows } = await monitor.query('SELECT created, repeated FROM billing_import_chunks ORDER BY first_line');
    expect(rows).toEqual([
      { created: 3, repeated: 0 },
      { created: 0, repeated: 3 },
    ]);
  });

  test('of a company that is deleted merge nothing', async () => {
    await one.query('BEGIN');
    const importNo = await store(ids, 'gone');
    await one.query('UPDATE billing_companies SET deleted = true');
    await one.query('COMMIT');
    const merged = await merge(one, importNo);
    await monitor.query('UPDATE billing_companies SET deleted = false');
    expect(merged.rows).toEqual([{ more: false }]);
  });
});
