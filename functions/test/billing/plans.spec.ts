import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openConnections } from '../simulation/connections.js';

/** A debt compared with each of so many would take minutes. */
const LINES = 50_000;

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
afterAll(() => close());

/** The same lines, whichever import it is. */
async function upload(): Promise<number> {
  const { rows } = await client.query<{ import_no: number }>(
    `INSERT INTO billing_imports (id, company_no, user_id, bytes, sha256, lines, blank, accepted, rejected)
     VALUES (gen_random_uuid(), 1, 'u', 1, 'a', $1, 0, $1, 0) RETURNING import_no`,
    [LINES],
  );
  await client.query(
    `INSERT INTO billing_import_chunks (import_no, first_line, rows, line_nos, names, government_ids, emails, cents, dues, debt_ids)
     SELECT $1, 2, $2, array_agg(n::int), array_agg('Fulana'::text), array_agg('0123'::text), array_agg('a@x.com'::text),
            array_agg(n), array_agg('2026-12-31'::date), array_agg(md5(n::text)::uuid) FROM generate_series(2, 1 + $2::bigint) AS n`,
    [rows[0]?.import_no, LINES],
  );
  return rows[0]?.import_no ?? 0;
}

test('a file that comes again before auto-analyze is merged by the key of each debt', async () => {
  // As in the minute before auto-analyze: the planner believes that all debts are those of another company.
  await client.query(`
    ALTER TABLE billing_debts SET (autovacuum_enabled = off);
    INSERT INTO billing_debts (company_no, debt_id, import_no, line, name, government_id, email, cents, due_on)
      SELECT 2, gen_random_uuid(), 1, n, 'Fulana', '0123', 'a@x.com', 1, '2026-12-31' FROM generate_series(1, 1000) AS n;
    ANALYZE billing_debts;
    LOAD 'auto_explain';
    SET auto_explain.log_min_duration = 0;
    SET auto_explain.log_nested_statements = on;
    SET auto_explain.log_level = notice;
    SET client_min_messages = notice;
    SET statement_timeout = '30s'`);
  const first = await upload();
  const again = await upload();
  const plans: string[] = [];
  client.on('notice', ({ message }) => plans.push(message ?? ''));
  await client.query('SELECT billing_merge_chunk($1)', [first]);
  await client.query('SELECT billing_merge_chunk($1)', [again]);
  const { rows } = await client.query(
    'SELECT import_no, created, repeated, conflicting FROM billing_import_chunks ORDER BY import_no',
  );
  expect(rows).toEqual([
    { import_no: first, created: LINES, repeated: 0, conflicting: 0 },
    { import_no: again, created: 0, repeated: LINES, conflicting: 0 },
  ]);
  const compared = plans.filter((plan) => plan.includes('WITH o AS'));
  expect(compared).toHaveLength(1);
  expect(compared[0]).toMatch(/Index Scan using billing_debts_pkey[^\n]*\n\s*Index Cond:[^\n]*debt_id = s\.debt_id/);
}, 120_000);

test('a claim walks what is owed, though statistics are of when all was owed', async () => {
  await client.query('ANALYZE billing_debts');
  await client.query(
    `UPDATE billing_debts SET issued_at = now()
      WHERE company_no = 1 AND seq NOT IN (SELECT seq FROM billing_debts WHERE company_no = 1 ORDER BY seq DESC LIMIT 10)`,
  );
  const plans: string[] = [];
  client.on('notice', ({ message }) => plans.push(message ?? ''));
  expect((await client.query(`SELECT seq FROM billing_claim_issue(1, NULL, 7, '5 min')`)).rowCount).toBe(7);
  const claims = plans.filter((plan) => plan.includes('LIMIT how_many') && plan.includes('LockRows'));
  expect(claims).toHaveLength(1);
  expect(claims[0]).toMatch(/LockRows[^\n]*\n\s*->\s+Index Scan using billing_debts_owed on billing_debts/);
});

test('mails are begun by their keys, though statistics are of when there were none', async () => {
  await client.query(`
    ALTER TABLE billing_deliveries SET (autovacuum_enabled = off);
    ANALYZE billing_deliveries;
    INSERT INTO billing_deliveries (seq, number, company_no) SELECT seq, 1, company_no FROM billing_debts`);
  const claim = `SELECT array_agg(seq) AS seqs, array_agg(number) AS numbers, array_agg(attempt) AS attempts
                   FROM billing_claim_send(1, 5, '5 min')`;
  const [claimed] = (await client.query(claim)).rows;
  const plans: string[] = [];
  client.on('notice', ({ message }) => plans.push(message ?? ''));
  const begin = 'SELECT * FROM billing_begin_send($1, $2, $3)';
  expect((await client.query(begin, [claimed.seqs, claimed.numbers, claimed.attempts])).rowCount).toBe(5);
  const begun = plans.filter((plan) => plan.includes('UPDATE billing_deliveries'));
  expect(begun).toHaveLength(5);
  for (const plan of begun) expect(plan).toMatch(/Index Scan using \w+[^\n]*\n\s*Index Cond: \(\(?(v\.)?seq = /);
});
