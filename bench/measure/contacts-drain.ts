import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import copy from 'pg-copy-streams';
import type { Stage } from '../../testing/stage.js';
import { untilTrue } from '../../testing/until.js';
import { secondsSince, slices } from '../campaign.js';
import { userAt } from '../load/users.js';
import { requireRows, SEED, startedServer } from './contacts.js';

/** Waiting users brought to their end by one loop, and a COPY of the same rows. */
export interface ContactsDrain {
  users: number;
  /** In the four tables. */
  rows: number;
  /** From the first `started_at` to the last `done_at`. */
  drainS: number;
  /** One transaction: into four tables of the same shape, with their keys. */
  copyS: number;
}

/** Users of a batch: as many as the API puts into one. */
const GROUP = 500;
const FIRST_BATCH = 1_000;
const PIECE_BYTES = 65_536;
/** The slowest that is waited for: two minutes, then 500 users a second. */
const PATIENCE_MS = 120_000;
const PATIENCE_PER_USER_MS = 2;
const EVERY_MS = 100;
const TABLES = ['contacts', 'contact_teams', 'contact_projects', 'contact_logs'] as const;

/** Drains users that were waiting before the loop started, then copies their rows. Throws unless all is stored. */
export async function measureContactsDrain(stage: Stage, users: number): Promise<ContactsDrain> {
  await seed(stage, users);
  const { process } = await startedServer(stage, 'process');
  const done = async () => {
    process.throwIfEnded();
    const [found] = await stage.sql<{ owed: boolean }>(
      'SELECT EXISTS (SELECT FROM contact_batches WHERE done_at IS NULL) AS owed',
    );
    return found?.owed === false;
  };
  const withinMs = PATIENCE_MS + users * PATIENCE_PER_USER_MS;
  await untilTrue(done, `${users} waiting users are done`, { withinMs, everyMs: EVERY_MS });
  await process.stop();
  await requireRows(stage, users);
  const [drained] = await stage.sql<{ seconds: number }>(
    'SELECT extract(epoch FROM max(done_at) - min(started_at))::float8 AS seconds FROM contact_batches',
  );
  return { users, drainS: drained?.seconds ?? Number.NaN, ...(await copied(stage)) };
}

/** Batches as the API stores them: the users of the loader are written as a canonical line is. */
async function seed(stage: Stage, users: number): Promise<void> {
  let batch = FIRST_BATCH;
  for (const slice of slices(Array(users).keys(), GROUP)) {
    const payload = slice.map((index) => JSON.stringify(userAt(SEED, index))).join('\n');
    const values = [batch++, slice.length, payload];
    await stage.sql('INSERT INTO contact_batches (id, size, payload) VALUES ($1, $2, $3)', values);
  }
}

async function copied({ pool }: Stage): Promise<Pick<ContactsDrain, 'rows' | 'copyS'>> {
  const client = await pool.connect();
  try {
    const read: Buffer[] = [];
    for (const table of TABLES) read.push(await rowsOf(client, table));
    // Made in transactions of their own: rows that are copied into a table of the same transaction could do without WAL.
    for (const table of TABLES) await client.query(`CREATE TABLE copied_${table} (LIKE ${table} INCLUDING ALL)`);
    const begun = performance.now();
    await client.query('BEGIN');
    let rows = 0;
    for (const [at, table] of TABLES.entries()) {
      const into = client.query(copy.from(`COPY copied_${table} FROM STDIN`));
      await pipeline(Readable.from(piecesOf(read[at] as Buffer)), into);
      rows += into.rowCount;
    }
    await client.query('COMMIT');
    const copyS = secondsSince(begun);
    await requireCopied(client);
    return { rows, copyS };
  } finally {
    client.release();
  }
}

async function rowsOf(client: pg.PoolClient, table: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of client.query(copy.to(`COPY ${table} TO STDOUT`))) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

function* piecesOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

async function requireCopied(client: pg.PoolClient): Promise<void> {
  for (const table of TABLES) {
    const [rows, copies] = [`TABLE ${table}`, `TABLE copied_${table}`];
    const differing = `(${rows} EXCEPT ALL ${copies}) UNION ALL (${copies} EXCEPT ALL ${rows}) LIMIT 1`;
    if ((await client.query(differing)).rows.length > 0) throw new Error(`the COPY of ${table} differs`);
  }
}
