import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Stage } from '../../../testing/stage.js';
import { EndStreams } from '../../pix/upkeep/end-streams.js';
import { PixGauges } from '../../pix/upkeep/pix-gauges.js';
import { COUNTED_AT_MOST, PixUpkeepRepository } from '../../pix/upkeep/upkeep.repository.js';
import type { Config } from '../../platform/config.js';
import { Postgres } from '../../platform/stores/postgres.js';
import { Metrics } from '../../platform/telemetry/metrics.js';

const ISPB = '32074986';
const GOING_ON = new AbortController().signal;

let stage: Stage;
/** Two processes: a pool each. */
let pools: Postgres[];
let repository: PixUpkeepRepository;
const sql = <T = Record<string, unknown>>(text: string, values?: unknown[]) => stage.sql<T>(text, values);

// No process of the API: its own duty would end and delete what the tests make.
beforeAll(async () => {
  stage = await Stage.open({ prefix: 'pix', declared: false });
  pools = [1, 2].map(() => new Postgres({ databaseUrl: stage.env.DATABASE_URL } as Config));
  repository = new PixUpkeepRepository(pools[0] as Postgres);
});
afterEach(() => sql('TRUNCATE pix_messages, pix_waiting, pix_streams, pix_deliveries, pix_returned'));
afterAll(async () => {
  for (const pool of pools ?? []) await pool.close();
  await stage?.close();
});

/** Closed streams, numbered from `from`, that ended so many days ago. */
function closed(count: number, days: number, { by = 'collector', returned = 0, from = 0 } = {}): Promise<unknown> {
  return sql(
    `INSERT INTO pix_streams (id, ispb, slot, current_read, expires_at, closed_at, closed_by, returned)
       SELECT lpad((n + $5)::text, 8, '0'), $1, 1, 'read', now(), now() - $3::interval, $4, $6
         FROM generate_series(1, $2) n`,
    [ISPB, count, `${days} days`, by, from, returned],
  );
}

/** Starts a stream that claims a batch of up to `limit`. */
async function stream(id: string, limit: number): Promise<void> {
  await sql(`SELECT pix_start($1, $2, 'aaaa', 'bbbb', $3, '68 s')`, [ISPB, id, limit]);
}

const overdue = () => sql(`UPDATE pix_streams SET expires_at = now() - interval '1 second'`);

/** Messages that wait, and streams that are open. */
async function left(): Promise<[waiting: number, open: number]> {
  const [found] = await sql<{ waiting: number; open: number }>(
    `SELECT (SELECT count(*)::int FROM pix_waiting) AS waiting,
            (SELECT count(*)::int FROM pix_streams WHERE closed_at IS NULL) AS open`,
  );
  return [found?.waiting ?? -1, found?.open ?? -1];
}

/** The plan of what a scrape asks. */
async function planOfStanding(): Promise<string> {
  let plan = '';
  const one = async (text: string) => {
    const rows = await sql<{ 'QUERY PLAN': string }>(`EXPLAIN (COSTS OFF) ${text}`);
    plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    return {};
  };
  await new PixUpkeepRepository({ one } as unknown as Postgres).standing();
  return plan;
}

const NOTHING = {
  ...{ empty: 0, holding: 0, waiting: 0, in_flight: 0 },
  returned: { collector: 0, expiry: 0, disconnect: 0 },
};

describe('streams that nobody follows', () => {
  test('end, their messages wait again, and the others go on', async () => {
    await sql('SELECT pix_generate($1, 12)', [ISPB]);
    await stream('aaaaaaaa', 10);
    await overdue();
    await stream('bbbbbbbb', 1);
    // The start has ended what was overdue, and claimed a message of it.
    await stream('cccccccc', 3);
    await sql(`UPDATE pix_streams SET expires_at = now() - interval '1 second' WHERE id = 'cccccccc'`);
    const end = new EndStreams(repository);
    expect(await end.end(GOING_ON)).toEqual({ streams_expired: 1, streams_deleted: 0 });
    expect(await left()).toEqual([11, 1]);
    expect(await end.end(GOING_ON)).toEqual({ streams_expired: 0, streams_deleted: 0 });
  });

  test('end once when two processes end them at once', async () => {
    await sql('SELECT pix_generate($1, 60)', [ISPB]);
    for (let n = 0; n < 6; n++) await stream(`${n}aaaaaaa`, 10);
    await overdue();
    const ended = await Promise.all(pools.map((pool) => new EndStreams(new PixUpkeepRepository(pool)).end(GOING_ON)));
    expect(ended.reduce((sum, { streams_expired = 0 }) => sum + streams_expired, 0)).toBe(6);
    expect(await left()).toEqual([60, 0]);
    expect(await repository.standing()).toEqual({
      ...NOTHING,
      waiting: 60,
      returned: { collector: 0, expiry: 60, disconnect: 0 },
    });
  });
});

describe('streams that ended long ago', () => {
  test('are deleted after seven days, and not before', async () => {
    await closed(2_500, 7.01);
    await closed(3, 6.99, { from: 2_500 });
    expect(await new EndStreams(repository).end(GOING_ON)).toEqual({ streams_expired: 0, streams_deleted: 2_500 });
    expect(await sql('SELECT id FROM pix_streams ORDER BY id')).toEqual([
      { id: '00002501' },
      { id: '00002502' },
      { id: '00002503' },
    ]);
  });

  test('are deleted in pages, and a stop waits for one page', async () => {
    await closed(2_500, 8);
    const stop = new AbortController();
    const once = Object.assign(Object.create(repository) as PixUpkeepRepository, {
      deleteClosed: () => repository.deleteClosed().finally(() => stop.abort()),
    });
    expect(await new EndStreams(once).end(stop.signal)).toEqual({ streams_expired: 0, streams_deleted: 1_000 });
    expect(await new EndStreams(once).end(stop.signal)).toEqual({ streams_expired: 0, streams_deleted: 0 });
  });

  test('are deleted once, and their sums kept once, by two processes', async () => {
    for (const [n, by] of ['collector', 'expiry', 'disconnect'].entries())
      await closed(4_000, 8, { by, returned: n + 1, from: 4_000 * n });
    const before = await repository.standing();
    const ended = await Promise.all(pools.map((pool) => new EndStreams(new PixUpkeepRepository(pool)).end(GOING_ON)));
    expect(ended.reduce((sum, { streams_deleted = 0 }) => sum + streams_deleted, 0)).toBe(12_000);
    expect(before.returned).toEqual({ collector: 4_000, expiry: 8_000, disconnect: 12_000 });
    expect(await repository.standing()).toEqual(before);
  });
});

describe('what a scrape asks', () => {
  test('is nothing where there is nothing', async () => {
    expect(await repository.standing()).toEqual(NOTHING);
  });

  test('has each message where it is', async () => {
    await sql('SELECT pix_generate($1, 25)', [ISPB]);
    await stream('aaaaaaaa', 10);
    await stream('bbbbbbbb', 1);
    await sql(`SELECT pix_start('00000000', 'cccccccc', 'aaaa', 'bbbb', 1, '68 s')`);
    expect(await repository.standing()).toEqual({ ...NOTHING, empty: 1, holding: 2, waiting: 14, in_flight: 11 });
    // The token before, and then the current one: given back, and received.
    await sql(`SELECT pix_close($1, 'aaaaaaaa', 'aaaa', 'collector'), pix_close($1, 'bbbbbbbb', 'bbbb', 'collector')`, [
      ISPB,
    ]);
    expect(await repository.standing()).toEqual({
      ...NOTHING,
      ...{ empty: 1, waiting: 24 },
      returned: { collector: 10, expiry: 0, disconnect: 0 },
    });
  });

  test('never falls when streams are deleted', async () => {
    await closed(1_500, 8, { by: 'expiry', returned: 2 });
    await closed(1, 1, { by: 'disconnect', returned: 1, from: 1_500 });
    const asked: number[] = [];
    for (let gone = 1; gone > 0; ) {
      const { returned } = await repository.standing();
      asked.push(returned.expiry + returned.disconnect);
      gone = await repository.deleteClosed();
    }
    expect(asked).toEqual([3_001, 3_001, 3_001]);
  });

  test('is counted up to a number, so that a scrape stays short', async () => {
    await sql('INSERT INTO pix_waiting SELECT $1, n FROM generate_series(1, $2::int) n', [ISPB, COUNTED_AT_MOST + 1]);
    expect((await repository.standing()).waiting).toBe(COUNTED_AT_MOST);
  });

  test('reads none of a hundred thousand streams that returned nothing', async () => {
    await closed(100_000, 1);
    await sql('VACUUM ANALYZE pix_streams');
    const plan = await planOfStanding();
    expect(plan).toContain('pix_streams_returned');
    expect(plan).not.toContain('Seq Scan on pix_streams');
  });

  test('is scraped, the sum of what returned as a counter', async () => {
    await closed(1, 1, { by: 'expiry', returned: 7 });
    const metrics = new Metrics();
    new PixGauges(metrics, repository);
    const lines = (await metrics.scrape()).split('\n').filter((line) => /disparo_pix.*/.test(line));
    expect(lines.filter((line) => !line.startsWith('# HELP'))).toEqual([
      '# TYPE disparo_pix_streams gauge',
      'disparo_pix_streams{state="empty"} 0',
      'disparo_pix_streams{state="holding"} 0',
      '# TYPE disparo_pix_messages gauge',
      'disparo_pix_messages{state="waiting"} 0',
      'disparo_pix_messages{state="in_flight"} 0',
      '# TYPE disparo_pix_returned_total counter',
      'disparo_pix_returned_total{by="collector"} 0',
      'disparo_pix_returned_total{by="expiry"} 7',
      'disparo_pix_returned_total{by="disconnect"} 0',
    ]);
  });
});
