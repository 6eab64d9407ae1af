import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { StreamsRepository } from '../../pix/collect/streams.repository.js';
import type { Postgres } from '../../platform/stores/postgres.js';
import { openConnections } from '../simulation/connections.js';

const [DRAINED, BUSY] = ['32074986', '00000000'];

let client: pg.Client;
let close: () => Promise<void> = async () => {};

beforeAll(async () => {
  const opened = await openConnections(1);
  close = opened.close;
  client = opened.clients[0] as pg.Client;
});
afterAll(() => close());

/** The plan of what a poll asks each second. */
async function planOfLook(ispb: string): Promise<string> {
  let plan = '';
  const one = async (text: string, values: unknown[]) => {
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN (COSTS OFF) ${text}`, values);
    plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    return { worth: false };
  };
  const unlessSilent = <T>(work: () => Promise<T>): Promise<T> => work();
  await new StreamsRepository({ one, unlessSilent } as unknown as Postgres).look(ispb, {
    stream: 'aaaaaaaa',
    read: 'r000',
  });
  return plan;
}

test('a look of a drained ISPB never reads the messages that wait for another one', async () => {
  await client.query('INSERT INTO pix_waiting SELECT $1, n FROM generate_series(1, 20000) n', [DRAINED]);
  await client.query('INSERT INTO pix_waiting SELECT $1, n FROM generate_series(20001, 40000) n', [BUSY]);
  // What PostgreSQL counts now, it goes by until it counts again.
  await client.query('ANALYZE pix_waiting');
  await client.query('DELETE FROM pix_waiting WHERE ispb = $1', [DRAINED]);
  const plan = await planOfLook(DRAINED);
  expect(plan).toContain('pix_waiting_pkey');
  expect(plan).not.toContain('Seq Scan on pix_waiting');
});
