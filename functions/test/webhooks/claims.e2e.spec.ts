import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebhooksStage } from './fixtures.js';

const CLAIM = `SELECT endpoint_id, event_id, attempt, at, claimed::text AS claimed FROM claim_deliveries($1, $2, '30 s', $3)`;
const SETTLE = `SELECT settle_delivery($1, $2, $3, $4, false, '5 s', 500, NULL, 1, '', $5::timestamptz) AS settled`;

interface ClaimedRow {
  endpoint_id: string;
  event_id: string;
  attempt: number;
  at: Date;
  claimed: string;
}

let stage: WebhooksStage;
/** Two senders. */
let one: pg.PoolClient;
let other: pg.PoolClient;

beforeAll(async () => {
  stage = await WebhooksStage.open();
  one = await stage.events.stores.pool.connect();
  other = await stage.events.stores.pool.connect();
  // One that waits where it should pass over fails at once.
  await other.query(`SET lock_timeout = '2s'`);
});
afterEach(async () => {
  // Of a test that failed a transaction may be open.
  await one.query('ROLLBACK');
  await stage.clear();
});
afterAll(async () => {
  one.release();
  other.release();
  await stage.close();
});

const URL = 'http://127.0.0.1:9/';
const claim = async (client: pg.ClientBase, busy: string[] = [], endpoints = 20, per = 16) =>
  (await client.query<ClaimedRow>(CLAIM, [endpoints, per, busy])).rows;
const settle = async (client: pg.ClientBase, row: ClaimedRow, ok: boolean, claimed = row.claimed) =>
  (await client.query(SETTLE, [row.endpoint_id, row.event_id, row.attempt, ok, claimed])).rows[0].settled as boolean;

describe('a claim', () => {
  test('passes over an endpoint that another one has locked, and takes others', async () => {
    const [first, second] = [await stage.endpoint(URL), await stage.endpoint(URL)];
    await stage.store(5);
    await one.query('BEGIN');
    const [firstOne = '', ...more] = new Set((await claim(one, [], 1)).map(({ endpoint_id }) => endpoint_id));
    expect(more).toEqual([]);
    const theirs = new Set((await claim(other)).map(({ endpoint_id }) => endpoint_id));
    await one.query('COMMIT');
    expect(new Set([firstOne, ...theirs])).toEqual(new Set([first, second]));
    expect(theirs.size).toBe(1);
  });

  test('never waits for the intake, nor the intake for it', async () => {
    const id = await stage.endpoint(URL);
    await stage.store(1);
    await one.query('BEGIN');
    expect(await claim(one)).toHaveLength(1);
    await stage.store(1);
    await one.query('COMMIT');
    expect(await stage.deliveries(id)).toHaveLength(2);
  });

  test('passes over endpoints that are busy, disabled, deleted or behind their breaker', async () => {
    const [busy, disabled, deleted, open, free] = await Promise.all(
      Array.from({ length: 5 }, () => stage.endpoint(URL)),
    );
    await stage.store(1);
    await stage.sql('UPDATE event_endpoints SET disabled_at = clock_timestamp() WHERE id = $1', [disabled]);
    await stage.sql('UPDATE event_endpoints SET deleted = true WHERE id = $1', [deleted]);
    await stage.sql(
      `UPDATE event_endpoints SET failures = 5, open_until = clock_timestamp() + interval '1 minute' WHERE id = $1`,
      [open],
    );
    expect((await claim(one, [busy ?? ''])).map(({ endpoint_id }) => endpoint_id)).toEqual([free]);
  });

  test('gives slots at the rate of the endpoint, a second ahead at most, whoever claims', async () => {
    await stage.endpoint(URL, { ratePerS: 10 });
    await stage.store(30);
    const began = Date.now();
    const slots: number[] = [];
    for (let n = 0; n < 10; n++) slots.push(...(await claim(n % 2 ? one : other)).map(({ at }) => at.getTime()));
    const ended = Date.now();
    slots.sort((a, b) => a - b);
    expect(slots.length).toBeGreaterThanOrEqual(10);
    // 10 in the first second, one more for each tenth of one that passed meanwhile, and the one that a claim always gets.
    expect(slots.length).toBeLessThanOrEqual(12 + (ended - began) / 100);
    for (const [n, at] of slots.entries()) if (n > 0) expect(at - (slots[n - 1] ?? 0)).toBeGreaterThanOrEqual(99);
  });

  test('comes again only when its lease is over', async () => {
    const id = await stage.endpoint(URL);
    await stage.store(1);
    expect(await claim(one)).toMatchObject([{ attempt: 1 }]);
    expect(await claim(other)).toEqual([]);
    await stage.passes(id, '31 s');
    expect(await claim(other)).toMatchObject([{ attempt: 2 }]);
  });
});

describe('the wait of the breaker doubles', () => {
  test('by a probe that says when it was claimed, to the microsecond', async () => {
    const id = await stage.endpoint(URL);
    await stage.store(1);
    await stage.sql('UPDATE event_endpoints SET failures = 5 WHERE id = $1', [id]);
    const [probe] = await claim(one);
    if (!probe) throw new Error('no probe');
    await settle(one, probe, false);
    expect(await stage.sql('SELECT failures FROM event_endpoints WHERE id = $1', [id])).toEqual([{ failures: 6 }]);
  });

  test('and not by what was claimed before the probe', async () => {
    const id = await stage.endpoint(URL);
    await stage.store(2);
    const [early, ...rest] = await claim(one, [], 1, 1);
    expect(rest).toEqual([]);
    await stage.sql('UPDATE event_endpoints SET failures = 5 WHERE id = $1', [id]);
    expect(await claim(one)).toHaveLength(1);
    if (!early) throw new Error('not claimed');
    expect(await settle(one, early, false)).toBe(true);
    expect(await stage.sql('SELECT failures FROM event_endpoints WHERE id = $1', [id])).toEqual([{ failures: 5 }]);
  });
});

test('no plan of a sender reads a whole table, whatever the tables were when it was made', async () => {
  await stage.endpoint(URL);
  await stage.store(20);
  await one.query('BEGIN');
  // A session keeps a plan from its sixth call on.
  for (let call = 0; call < 10; call++) {
    const [row] = await claim(one, [], 20, 1);
    if (!row) throw new Error('not claimed');
    await settle(one, row, call % 2 === 0);
  }
  const { rows } = await one.query(
    `SELECT relname, seq_scan::int FROM pg_stat_xact_user_tables
      WHERE relname IN ('event_endpoints', 'event_deliveries', 'event_attempts') ORDER BY relname`,
  );
  await one.query('ROLLBACK');
  expect(rows).toEqual([
    { relname: 'event_attempts', seq_scan: 0 },
    { relname: 'event_deliveries', seq_scan: 0 },
    { relname: 'event_endpoints', seq_scan: 0 },
  ]);
});

test('what an endpoint owes later is not read by a claim', async () => {
  await stage.endpoint(URL);
  await stage.endpoint(URL);
  await stage.store(2_000);
  await stage.sql(`UPDATE event_deliveries SET due_at = due_at + interval '1 hour'`);
  // What was due before is gone from the index.
  await stage.sql('VACUUM ANALYZE event_deliveries');
  await one.query('BEGIN');
  for (let call = 0; call < 10; call++) expect(await claim(one)).toEqual([]);
  const { rows } = await one.query(
    `SELECT sum(idx_tup_read)::int AS read FROM pg_stat_xact_user_tables t
       JOIN LATERAL (SELECT pg_stat_get_xact_tuples_returned(indexrelid)::int AS idx_tup_read FROM pg_index WHERE indrelid = t.relid) i ON true
      WHERE relname = 'event_deliveries'`,
  );
  await one.query('ROLLBACK');
  // A row for each endpoint and claim, and what planning looks up; a scan of one endpoint alone would read 2,000 each time.
  expect(rows[0].read).toBeLessThan(1_000);
});
