import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { someCnpj } from '../../../testing/cnpj.js';
import { Stage } from '../../../testing/stage.js';
import type { Config } from '../../platform/config.js';
import { Postgres } from '../../platform/stores/postgres.js';
import { Metrics } from '../../platform/telemetry/metrics.js';
import { COUNTED_AT_MOST, WebhooksUpkeepRepository } from '../../webhooks/upkeep/upkeep.repository.js';
import { WebhooksGauges } from '../../webhooks/upkeep/webhooks-gauges.js';
import { WebhooksRetention } from '../../webhooks/upkeep/webhooks-retention.js';

let stage: Stage;
let postgres: Postgres;
let repository: WebhooksUpkeepRepository;
const sql = <T = Record<string, unknown>>(text: string, values?: unknown[]) => stage.sql<T>(text, values);

// No process: a sender would take what is due.
beforeAll(async () => {
  stage = await Stage.open({ prefix: 'webhooks' });
  await sql(`INSERT INTO companies (id, name, document) VALUES ('acme', 'Acme', $1)`, [someCnpj()]);
  await sql(`INSERT INTO event_clients (client_id, company_id) VALUES ('client-1', 'acme')`);
  await sql(`INSERT INTO event_types (company_id, name, version) VALUES ('acme', 'user-app', 1)`);
  postgres = new Postgres({ databaseUrl: stage.env.DATABASE_URL } as Config);
  repository = new WebhooksUpkeepRepository(postgres);
});
afterEach(() => sql('TRUNCATE events, event_quarantine, event_deliveries, event_endpoints, event_attempts'));
afterAll(async () => {
  await postgres?.close();
  await stage?.close();
});

/** An endpoint with columns of its own. */
function endpoint(id: string, columns: Record<string, string | number | boolean> = {}): Promise<unknown> {
  const all = { id, company_id: 'acme', url: 'https://127.0.0.1:9', secret: 's', ...columns };
  const places = Object.keys(all).map((_, at) => `$${at + 1}`);
  return sql(`INSERT INTO event_endpoints (${Object.keys(all)}) VALUES (${places})`, Object.values(all));
}

/** New events whose deliveries are due, or died, at a time of PostgreSQL. */
function deliveries(to: string, at: { due: string } | { dead: string }, count = 1): Promise<unknown> {
  const [due, dead] = 'due' in at ? [at.due, null] : [null, at.dead];
  return sql(
    `WITH new AS (INSERT INTO events (company_id, client_id, type_id, dedupe_key, content, message)
       SELECT 'acme', 'client-1', t.id, gen_random_uuid(), '', '{}' FROM event_types t, generate_series(1, $4) RETURNING id)
     INSERT INTO event_deliveries (event_id, endpoint_id, due_at, dead_at)
       SELECT id, $1, now() + $2::interval, now() + $3::interval FROM new`,
    [to, due, dead, count],
  );
}

const MINUTE_S = 60;
/** PostgreSQL's clock has gone on a little since the rows were made. */
const about = (seconds: number) => expect.closeTo(seconds, -1);
const NOTHING = { due: 0, dead: 0, oldest_due_s: 0, oldest_dead_s: 0, open: 0, disabled: 0 };

describe('what a scrape asks', () => {
  const standing = () => repository.standing();

  test('is nothing where there is nothing', async () => {
    await endpoint('idle');
    expect(await standing()).toEqual(NOTHING);
  });

  test('has what is due and what is dead, not what waits for its next attempt', async () => {
    await endpoint('a');
    await endpoint('b');
    await deliveries('a', { due: '-20 minutes' });
    await deliveries('a', { due: '-1 minute' }, 2);
    await deliveries('b', { due: '5 hours' });
    await deliveries('b', { dead: '-2 hours' });
    await deliveries('b', { dead: '-1 hour' });
    expect(await standing()).toEqual({
      ...NOTHING,
      ...{ due: 3, oldest_due_s: about(20 * MINUTE_S), dead: 2, oldest_dead_s: about(120 * MINUTE_S) },
    });
  });

  test('counts from when rate and breaker would let it go: nobody is late before', async () => {
    const ago = async (minutes: number) =>
      (await sql<{ at: string }>(`SELECT (now() - $1 * interval '1 minute')::text AS at`, [minutes]))[0]?.at ?? '';
    await endpoint('limited', { next_slot_at: await ago(-1) });
    await endpoint('open', { failures: 6, open_until: await ago(-5) });
    await deliveries('limited', { due: '-3 hours' });
    await deliveries('open', { due: '-3 hours' });
    expect(await standing()).toEqual({ ...NOTHING, due: 2, open: 1 });

    await sql(`UPDATE event_endpoints SET open_until = $1, next_slot_at = $2`, [await ago(12), await ago(2)]);
    expect(await standing()).toEqual({ ...NOTHING, due: 2, open: 1, oldest_due_s: about(2 * MINUTE_S) });
  });

  test('leaves out deleted endpoints, and what waits for a disabled one', async () => {
    await endpoint('deleted', { deleted: true, failures: 9 });
    await endpoint('disabled', { disabled_at: '2026-01-01', failures: 9 });
    for (const to of ['deleted', 'disabled']) {
      await deliveries(to, { due: '-1 hour' });
      await deliveries(to, { dead: '-1 hour' });
    }
    expect(await standing()).toEqual({ ...NOTHING, disabled: 1, dead: 1, oldest_dead_s: about(60 * MINUTE_S) });
  });

  test('stops counting where a scrape would take long', async () => {
    const endpoints = 400;
    await sql(
      `INSERT INTO event_endpoints (id, company_id, url, secret) SELECT n, 'acme', '', '' FROM generate_series(1, ${endpoints}) AS n`,
    );
    await deliveries('1', { dead: '-1 hour' }, COUNTED_AT_MOST / endpoints + 2);
    await sql(
      `INSERT INTO event_deliveries (event_id, endpoint_id, due_at) SELECT e.id, p.id, now() - interval '1 minute'
         FROM events e, event_endpoints p WHERE p.id <> '1'`,
    );
    const [owed] = await sql<{ all: number }>('SELECT count(*)::int AS all FROM event_deliveries WHERE due_at < now()');
    expect(owed?.all).toBeGreaterThan(COUNTED_AT_MOST);
    expect((await standing())?.due).toBe(COUNTED_AT_MOST);
  });

  test('is three gauges, by state', async () => {
    const metrics = new Metrics();
    new WebhooksGauges(metrics, repository);
    await endpoint('a', { failures: 5 });
    await endpoint('b', { disabled_at: '2026-01-01' });
    await endpoint('c', { disabled_at: '2026-01-01' });
    await deliveries('a', { due: '-1 minute' }, 2);
    await deliveries('a', { dead: '-1 hour' });
    const samples = (await metrics.scrape()).split('\n').filter((line) => line.startsWith('disparo_webhooks_'));
    const values = Object.fromEntries(samples.map((line) => [line.split(' ')[0], Number(line.split(' ')[1])]));
    expect(values).toEqual({
      'disparo_webhooks_due{state="due"}': 2,
      'disparo_webhooks_due{state="dead"}': 1,
      'disparo_webhooks_oldest_due_seconds{state="due"}': about(MINUTE_S),
      'disparo_webhooks_oldest_due_seconds{state="dead"}': about(60 * MINUTE_S),
      'disparo_webhooks_open_endpoints{state="open"}': 1,
      'disparo_webhooks_open_endpoints{state="disabled"}': 2,
    });
  });
});

const sweep = (stop = new AbortController().signal) => new WebhooksRetention(repository).sweep(stop);
const NOTHING_SWEPT = { attempts_swept: 0, secrets_swept: 0 };

describe('secrets before a rotation', () => {
  const rotated = (id: string, until: string) =>
    endpoint(id, { secret: 'new', old_secret: 'old', old_secret_until: until });
  const kept = () => sql('SELECT id, secret, old_secret, old_secret_until FROM event_endpoints ORDER BY id');

  test('go when they sign no longer, and no others', async () => {
    await rotated('over', '2026-01-01');
    await rotated('signs', '9999-01-01');
    const [, signs] = await kept();
    expect(await sweep(AbortSignal.abort())).toEqual(NOTHING_SWEPT);
    expect(await sweep()).toEqual({ attempts_swept: 0, secrets_swept: 1 });
    expect(await kept()).toEqual([{ id: 'over', secret: 'new', old_secret: null, old_secret_until: null }, signs]);
    expect(await sweep()).toEqual(NOTHING_SWEPT);
  });

  test('of an endpoint that is locked stay until the next sweep', async () => {
    await rotated('locked', '2026-01-01');
    await rotated('over', '2026-01-01');
    const client = await stage.pool.connect();
    try {
      await client.query('BEGIN');
      await client.query("SELECT FROM event_endpoints WHERE id = 'locked' FOR NO KEY UPDATE");
      expect(await sweep()).toEqual({ attempts_swept: 0, secrets_swept: 1 });
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
    expect(await sweep()).toEqual({ attempts_swept: 0, secrets_swept: 1 });
  });
});

describe('the log of attempts', () => {
  /** Attempts of events that need not exist any more. */
  const attempts = (from: number, to: number, days: number) =>
    sql(
      `INSERT INTO event_attempts (event_id, endpoint_id, attempt, at, took_ms)
         SELECT n, 'a', 1, now() - $3 * interval '1 day', 7 FROM generate_series($1::int, $2::int) AS n`,
      [from, to, days],
    );
  const left = async () =>
    (await sql<{ id: number }>('SELECT event_id::int AS id FROM event_attempts ORDER BY 1')).map(({ id }) => id);

  test('goes after 15 days, over all pages', async () => {
    await attempts(1, 2_300, 15.01);
    await attempts(3_000, 3_001, 14.99);
    expect(await sweep()).toEqual({ attempts_swept: 2_300, secrets_swept: 0 });
    expect(await left()).toEqual([3_000, 3_001]);
  });

  test('waits for nobody: of two who sweep each takes what the other has not', async () => {
    await attempts(1, 3, 16);
    const client = await stage.pool.connect();
    try {
      await client.query('BEGIN');
      await client.query('SELECT FROM event_attempts WHERE event_id = 2 FOR UPDATE');
      expect(await sweep()).toEqual({ attempts_swept: 2, secrets_swept: 0 });
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
    expect(await left()).toEqual([2]);
  });

  test('stays where the sweep is told to stop', async () => {
    await attempts(1, 3, 16);
    expect(await sweep(AbortSignal.abort())).toEqual(NOTHING_SWEPT);
    expect(await left()).toEqual([1, 2, 3]);
  });
});
