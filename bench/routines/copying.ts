import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import copy from 'pg-copy-streams';
import { phoneNumber } from '../../testing/seeds.js';
import type { Stage } from '../../testing/stage.js';
import { secondsSince } from '../campaign.js';
import { type Routine, requireAll } from './routine.js';

const ROWS = 10_000;
const TABLE = 'CREATE TABLE bench_rows (sequence int PRIMARY KEY, phone_number text NOT NULL)';

type Work = (client: pg.PoolClient, numbers: readonly string[]) => Promise<unknown>;

/** Ways of writing rows to PostgreSQL, one number a row. */
export const copying: readonly Routine[] = [
  {
    name: 'rows into PostgreSQL',
    ways: [
      { name: 'COPY', clock: 'wall', usual: ROWS, run: (stage, items) => rows(stage, items, copied) },
      {
        name: 'one INSERT of all by unnest',
        clock: 'wall',
        usual: ROWS,
        run: (stage, items) => rows(stage, items, unnested),
      },
      {
        name: 'an INSERT a row, one COMMIT',
        clock: 'wall',
        usual: ROWS,
        run: (stage, items) => rows(stage, items, inOne),
      },
      {
        name: 'an INSERT and a COMMIT a row',
        clock: 'wall',
        usual: ROWS,
        run: (stage, items) => rows(stage, items, each),
      },
    ],
  },
];

async function rows({ pool }: Stage, items: number, work: Work): Promise<number> {
  const numbers = Array.from({ length: items }, (_, at) => phoneNumber(at + 1));
  const client = await pool.connect();
  try {
    await client.query(TABLE);
    const begun = performance.now();
    await work(client, numbers);
    const seconds = secondsSince(begun);
    const { rows } = await client.query<{ found: number }>('SELECT count(*)::int AS found FROM bench_rows');
    requireAll(rows[0]?.found ?? 0, items);
    return seconds;
  } finally {
    client.release();
  }
}

async function copied(client: pg.PoolClient, numbers: readonly string[]): Promise<void> {
  const lines = Buffer.from(numbers.map((number, at) => `${at + 1}\t${number}\n`).join(''));
  await pipeline(
    Readable.from([lines]),
    client.query(copy.from('COPY bench_rows (sequence, phone_number) FROM STDIN')),
  );
}

function unnested(client: pg.PoolClient, numbers: readonly string[]): Promise<unknown> {
  const text = `INSERT INTO bench_rows (sequence, phone_number)
                SELECT sequence, phone_number FROM unnest($1::text[]) WITH ORDINALITY AS given (phone_number, sequence)`;
  return client.query(text, [numbers]);
}

async function inOne(client: pg.PoolClient, numbers: readonly string[]): Promise<void> {
  await client.query('BEGIN');
  await each(client, numbers);
  await client.query('COMMIT');
}

async function each(client: pg.PoolClient, numbers: readonly string[]): Promise<void> {
  for (const [at, number] of numbers.entries())
    await client.query({
      name: 'row',
      text: 'INSERT INTO bench_rows (sequence, phone_number) VALUES ($1, $2)',
      values: [at + 1, number],
    });
}
