import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { someCnpj } from '../../../testing/cnpj.js';
import { Stage } from '../../../testing/stage.js';
import type { Config } from '../../platform/config.js';
import { Postgres, type Transaction } from '../../platform/stores/postgres.js';
import { EndpointsRepository } from '../../webhooks/endpoints/endpoints.repository.js';
import { ReplayRepository } from '../../webhooks/endpoints/replay.repository.js';

const TARGET = { endpointId: 'one', companyId: 'acme' };
const OLD = 30_000;
const FEW = 300;

let stage: Stage;
let postgres: Postgres;
const replays = new ReplayRepository();
const sql = <T = Record<string, unknown>>(text: string, values?: unknown[]) => stage.sql<T>(text, values);

// No process: a sender would take what is due.
beforeAll(async () => {
  stage = await Stage.open({ prefix: 'webhooks' });
  for (const company of ['acme', 'bolt']) {
    await sql('INSERT INTO companies (id, name, document) VALUES ($1, $1, $2)', [company, someCnpj()]);
    await sql('INSERT INTO event_clients (client_id, company_id) VALUES ($1, $1)', [company]);
    await sql("INSERT INTO event_types (company_id, name, version) VALUES ($1, 'note', 1)", [company]);
  }
  postgres = new Postgres({ databaseUrl: stage.env.DATABASE_URL } as Config);
});
beforeEach(async () => {
  await sql('TRUNCATE events, event_quarantine, event_deliveries, event_endpoints');
  await sql("INSERT INTO event_endpoints (id, company_id, url, secret) VALUES ('one', 'acme', '', '')");
});
afterAll(async () => {
  await postgres?.close();
  await stage?.close();
});

/** Makes events of two companies by turns; `received` is SQL with their number n. Those of Acme died at the endpoint. */
async function events(count: number, received: string): Promise<void> {
  await sql(
    `WITH put AS (INSERT INTO events (company_id, client_id, type_id, dedupe_key, content, message, received_at)
       SELECT t.company_id, t.company_id, t.id, gen_random_uuid(), '', '{}', ${received}
         FROM generate_series(1, $1) n JOIN event_types t ON t.company_id = CASE WHEN n % 2 = 0 THEN 'acme' ELSE 'bolt' END
        ORDER BY n RETURNING id, company_id)
     INSERT INTO event_deliveries (event_id, endpoint_id, attempts, dead_at)
       SELECT id, 'one', 8, now() FROM put WHERE company_id = 'acme'`,
    [count],
  );
}

/** What `work` returns, and how many rows of events and deliveries it read. */
async function reading<T>(work: (sql: Transaction) => Promise<T>): Promise<[T, number]> {
  return postgres.transaction(async (sql) => {
    const result = await work(sql);
    const [read] = await sql.query<{ rows: number }>(
      `SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int AS rows FROM pg_stat_xact_user_tables
        WHERE relname IN ('events', 'event_deliveries')`,
    );
    return [result, read?.rows ?? Number.POSITIVE_INFINITY];
  });
}

describe('with many old events', () => {
  beforeEach(async () => {
    await events(OLD, "now() - interval '20 days' + n * interval '1 s'");
    await events(10, "now() - interval '1 minute'");
    await sql('ANALYZE events, event_deliveries');
  });

  test.each(['dead', 'all'] as const)('a replay of %s of the last hour reads none of them', async (only) => {
    const [slice, rows] = await reading(async (sql) => {
      const span = await replays.span(sql, 'acme', { since: new Date(Date.now() - 3_600_000), until: null });
      return replays[only](sql, TARGET, span, 1_000);
    });
    expect(slice).toMatchObject({ count: 5, lookedAt: 5 });
    expect(rows).toBeLessThan(FEW);
  });

  test.each(['dead', 'all'] as const)('a slice of a replay of %s reads no more than it may', async (only) => {
    const span = { since: new Date(), until: null, after: 0, before: null };
    const [slice, rows] = await reading((sql) => replays[only](sql, TARGET, span, 10));
    expect(slice).toEqual({ count: 0, lookedAt: 10, last: expect.any(String) });
    expect(rows).toBeLessThan(FEW);
  });

  test('a list of what was given up reads no more than it shows', async () => {
    const [found, rows] = await reading((sql) => new EndpointsRepository().dead(sql, 'one', 0, 10));
    expect(found).toHaveLength(11);
    expect(rows).toBeLessThan(FEW);
  });
});

test('the span of a time has all of its events, though some were received up to an hour late', async () => {
  const START = Date.parse('2026-06-01T00:00:00Z');
  await events(4_000, `timestamptz '2026-06-01T00:00:00Z' + n * interval '10 s' + (n * 7919 % 3600) * interval '1 s'`);
  for (let minute = -60; minute < 800; minute += 20) {
    const since = new Date(START + minute * 60_000);
    const until = new Date(since.getTime() + 1_800_000);
    const { after, before } = await replays.span(postgres, 'acme', { since, until });
    const [outside] = await sql<{ missed: number; more: number }>(
      `SELECT count(*) FILTER (WHERE in_time AND NOT within)::int AS missed, count(*) FILTER (WHERE within AND NOT in_time)::int AS more
         FROM (SELECT received_at >= $1 AND received_at < $2 AS in_time, id > $3 AND id < $4 AS within
                 FROM events WHERE company_id = 'acme') AS e`,
      [since, until, after, before],
    );
    // Of Acme an event comes each 20 s: those of an hour before and two behind are within, as far as they are not of the time.
    expect([minute, outside?.missed, Number(outside?.more) < 800]).toEqual([minute, 0, true]);
  }
});

test('the span of a company without events has none', async () => {
  const time = { since: new Date(0), until: new Date() };
  expect(await replays.span(postgres, 'acme', time)).toEqual({ ...time, after: 0, before: '1' });
});
