import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, ApiStage } from '../../../testing/api-stage.js';
import { untilWaiting } from '../simulation/connections.js';

const ISPB = '32074986';
const STREAM = 'aaaaaaaa';
const OTHER = 'bbbbbbbb';

interface Row {
  outcome: string;
  read: string | null;
  size: number;
  body: string | null;
  retry_after?: number | null;
}

let stage: ApiStage;
/** Two processes, as PostgreSQL sees them, and one that looks on. */
let one: pg.PoolClient;
let other: pg.PoolClient;
let monitor: pg.PoolClient;

beforeAll(async () => {
  stage = await ApiStage.open();
  one = await stage.stores.pool.connect();
  other = await stage.stores.pool.connect();
  monitor = await stage.stores.pool.connect();
  // One that waits where it should pass over fails.
  await one.query(`SET lock_timeout = '10s'`);
  await other.query(`SET lock_timeout = '10s'`);
});
afterEach(async () => {
  // Of a test that failed a transaction may be open.
  await one.query('ROLLBACK');
  await monitor.query('TRUNCATE pix_messages, pix_waiting, pix_streams, pix_deliveries');
});
afterAll(async () => {
  for (const client of [one, other, monitor]) client?.release();
  await stage.close();
});

const make = (number: number) => monitor.query('SELECT pix_generate($1, $2)', [ISPB, number]);
const call = async (client: pg.PoolClient, name: string, values: unknown[]): Promise<Row> => {
  const parameters = values.map((_, i) => `$${i + 1}`).join(', ');
  return (await client.query<Row>(`SELECT * FROM ${name}(${parameters}, '68 s'::interval)`, values)).rows[0] as Row;
};
const start = (client: pg.PoolClient, stream: string, limit = 1) =>
  call(client, 'pix_start', [ISPB, stream, 'r000', 'r001', limit]);
const read = (client: pg.PoolClient, token: string, next: string, limit = 1, stream = STREAM) =>
  call(client, 'pix_read', [ISPB, stream, token, next, limit]);
const close = async (client: pg.PoolClient, token: string, by = 'collector'): Promise<string> =>
  (await client.query('SELECT pix_close($1, $2, $3, $4) AS outcome', [ISPB, STREAM, token, by])).rows[0].outcome;
const expire = async (client: pg.PoolClient): Promise<number> =>
  (await client.query('SELECT pix_expire(NULL) AS ended')).rows[0].ended;
const overdue = () =>
  monitor.query(`UPDATE pix_streams SET expires_at = clock_timestamp() - interval '1 s' WHERE closed_at IS NULL`);
const ids = async (sql: string): Promise<string[]> => (await monitor.query(sql)).rows.map(({ id }) => id);
const waiting = () => ids('SELECT message_id AS id FROM pix_waiting ORDER BY 1');
const delivered = () => ids('SELECT message_id AS id FROM pix_deliveries ORDER BY 1');
const messages = () => ids('SELECT id FROM pix_messages ORDER BY 1');

/** Runs the second while the first, which is done, is not committed; it waits for the row's lock. */
async function behind<T>(first: () => Promise<unknown>, second: () => Promise<T>): Promise<T> {
  await one.query('BEGIN');
  await first();
  const waits = second();
  await untilWaiting(monitor, [other]);
  await one.query('COMMIT');
  return waits;
}

describe('forty starts at once', () => {
  test('on two processes open exactly six streams, in the six slots', async () => {
    await make(60);
    const beside = await stage.beside();
    const starts = Array.from({ length: 40 }, (_, i) =>
      (i % 2 ? stage : beside).api<string | { code: string }>('GET', `/api/pix/${ISPB}/stream/start`),
    );
    const answers: Answer<unknown>[] = await Promise.all(starts);
    await beside.close();
    const of = (status: number) => answers.filter((answer) => answer.status === status);
    expect([of(200).length, of(429).length]).toEqual([6, 34]);
    for (const { headers, body } of of(429)) {
      expect(body).toMatchObject({ code: 'PIX.TOO_MANY_STREAMS' });
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(60);
      expect(headers.get('pull-next')).toBeNull();
    }
    const slots = await monitor.query('SELECT slot FROM pix_streams WHERE closed_at IS NULL ORDER BY slot');
    expect(slots.rows.map(({ slot }) => slot)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('the second of two waits for the first, and takes the next slot', async () => {
    const outcome = await behind(
      () => start(one, STREAM),
      () => start(other, OTHER),
    );
    expect(outcome).toMatchObject({ outcome: 'empty', read: 'r000' });
    expect(await ids('SELECT slot AS id FROM pix_streams ORDER BY slot')).toEqual([1, 2]);
  });
});

describe('a start', () => {
  test('takes the slot of a stream that is overdue, and gives its batch to the new one', async () => {
    await make(6);
    for (let i = 0; i < 6; i++) await start(one, `${i}aaaaaaa`);
    const full = await start(one, OTHER);
    expect(full).toEqual({ outcome: 'full', read: null, size: null, body: null, retry_after: expect.any(Number) });
    // Until the first one would expire, which has 68 s from its start.
    expect(full.retry_after).toBeGreaterThanOrEqual(60);
    expect(full.retry_after).toBeLessThanOrEqual(68);
    await monitor.query(`UPDATE pix_streams SET expires_at = clock_timestamp() - interval '1 s' WHERE slot = 3`);
    expect(await start(one, OTHER)).toMatchObject({ outcome: 'batch', size: 1 });
    const rows = await monitor.query('SELECT id, closed_by, batch FROM pix_streams WHERE slot = 3 ORDER BY opened_at');
    expect(rows.rows).toEqual([
      { id: '2aaaaaaa', closed_by: 'expiry', batch: [] },
      { id: OTHER, closed_by: null, batch: [(await messages())[2]] },
    ]);
  });

  test('of an id that exists fails, and changes nothing', async () => {
    await make(2);
    await start(one, STREAM);
    await expect(start(other, STREAM)).rejects.toThrow('pix_streams_pkey');
    expect(await waiting()).toHaveLength(1);
  });
});

describe('a token', () => {
  test('never rotates to itself, nor to the one before, by chance', async () => {
    await make(3);
    await start(one, STREAM);
    const [second, third] = [await read(one, 'r001', 'r001'), await read(one, 'r001', 'r000')];
    // The second read has acknowledged the first batch, and the third one repeats the second one's.
    expect(second.read).not.toBe('r001');
    expect(third).toEqual(second);
    const fourth = await read(one, second.read ?? '', 'r001');
    expect([fourth.outcome, fourth.read === 'r001', fourth.read === second.read]).toEqual(['batch', false, false]);
    expect(await delivered()).toEqual((await messages()).slice(0, 2));
  });

  test('repeats its batch until the next one is followed, and then no more', async () => {
    await make(1);
    const first = await start(one, STREAM);
    expect(await read(one, 'r000', 'r002')).toMatchObject({ outcome: 'batch', read: 'r001', body: first.body });
    expect(await read(one, 'r001', 'r002')).toMatchObject({ outcome: 'empty', read: 'r001' });
    expect(await read(one, 'r000', 'r002')).toMatchObject({ outcome: 'superseded', body: null });
    expect([await delivered(), await waiting()]).toEqual([await messages(), []]);
  });

  test('acknowledges nothing by a second DELETE of its stream', async () => {
    await make(1);
    await start(one, STREAM);
    // The answer with r001 was late; the client has ended the stream with the token that it knew.
    expect([await close(one, 'r000'), await close(one, 'r000'), await close(one, 'r001')]).toEqual(
      Array(3).fill('closed'),
    );
    expect([await delivered(), await waiting()]).toEqual([[], await messages()]);
  });
});

describe('two reads at once', () => {
  test('of two streams claim different messages, and none waits for the other', async () => {
    await start(one, STREAM, 10);
    await start(one, OTHER, 10);
    await make(3);
    const [first, second, third] = await messages();
    await one.query('BEGIN');
    await read(one, 'r000', 'r001', 1);
    await read(other, 'r000', 'r001', 10, OTHER);
    await one.query('COMMIT');
    expect(await ids('SELECT batch::text AS id FROM pix_streams ORDER BY id')).toEqual([
      `{${first}}`,
      `{${second},${third}}`,
    ]);
  });

  test('with one token bring the same batch and the same next token', async () => {
    await start(one, STREAM);
    await make(2);
    let first: Row | undefined;
    const second = await behind(
      async () => {
        first = await read(one, 'r000', 'r001');
      },
      () => read(other, 'r000', 'r002'),
    );
    expect(second).toEqual(first);
    expect(second).toMatchObject({ outcome: 'batch', read: 'r001', size: 1 });
    expect(await waiting()).toHaveLength(1);
  });
});

describe('a read and the end of its stream at once', () => {
  test('an overdue stream that is read now does not end', async () => {
    await make(2);
    await start(one, STREAM);
    await overdue();
    await one.query('BEGIN');
    await read(one, 'r001', 'r002');
    // Passed over, and not waited for.
    expect(await expire(other)).toBe(0);
    await one.query('COMMIT');
    expect(await expire(other)).toBe(0);
    expect([await delivered(), await waiting()]).toEqual([[(await messages())[0]], []]);
  });

  test('a read that comes second finds the stream expired, and acknowledges nothing', async () => {
    await make(1);
    await start(one, STREAM);
    await overdue();
    const late = await behind(
      () => expire(one),
      () => read(other, 'r001', 'r002'),
    );
    expect(late).toMatchObject({ outcome: 'expired', read: null, body: null });
    expect([await close(other, 'r001'), await close(other, 'r000')]).toEqual(['expired', 'expired']);
    expect([await delivered(), await waiting()]).toEqual([[], await messages()]);
  });

  test('DELETE with the token of a read that has just claimed gives its batch back', async () => {
    await start(one, STREAM);
    await make(1);
    const outcome = await behind(
      () => read(one, 'r000', 'r001'),
      () => close(other, 'r000'),
    );
    expect(outcome).toBe('closed');
    expect([await delivered(), await waiting()]).toEqual([[], await messages()]);
  });

  test('a read behind a DELETE finds the stream closed, and claims nothing', async () => {
    await make(2);
    await start(one, STREAM);
    const late = await behind(
      () => close(one, 'r001'),
      () => read(other, 'r001', 'r002'),
    );
    expect(late).toMatchObject({ outcome: 'closed', read: null, body: null });
    const [first, second] = await messages();
    expect([await delivered(), await waiting()]).toEqual([[first], [second]]);
  });
});

describe('the end of a stream', () => {
  const ends: Record<string, () => Promise<unknown>> = {
    'DELETE with the current token': () => close(one, 'r001'),
    'DELETE with the token before': () => close(one, 'r000'),
    'a start that is abandoned': () => close(one, 'r000', 'disconnect'),
    expiry: () => expire(one),
  };

  test.each(Object.entries(ends))('by %s is one notification, for whoever waits', async (_, end) => {
    await make(1);
    await start(one, STREAM);
    await overdue();
    const notices: unknown[] = [];
    const listen = ({ channel, payload }: pg.Notification) => notices.push([channel, payload]);
    other.on('notification', listen);
    await other.query('LISTEN pix_waiting');
    await end();
    // What was notified before this statement's answer has arrived with it.
    await other.query('UNLISTEN pix_waiting');
    other.off('notification', listen);
    expect(notices).toEqual([['pix_waiting', ISPB]]);
  });
});

describe('a read that claims', () => {
  test.each([
    ['begins at the front once a second', '-2 s', 0],
    ['begins behind the last message of its stream at other times', '1 minute', 2],
  ])('%s', async (_, swept, wanted) => {
    await make(3);
    await start(one, STREAM);
    await start(one, OTHER);
    await close(one, 'r000', 'disconnect');
    const [first, second, third] = await messages();
    expect(await waiting()).toEqual([first, third]);
    // OTHER holds the second message.
    await monitor.query('UPDATE pix_streams SET swept_at = clock_timestamp() + $1::interval', [swept]);
    await read(one, 'r001', 'r002', 1, OTHER);
    expect(await ids('SELECT unnest(batch) AS id FROM pix_streams')).toEqual([[first, second, third][wanted]]);
    // Whichever is left comes next.
    await read(one, 'r002', 'r003', 1, OTHER);
    expect(await waiting()).toEqual([]);
  });
});
