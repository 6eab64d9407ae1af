import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { randomFrom } from '../../../testing/random.js';
import type { Sql } from '../../platform/stores/postgres.js';
import { checkImport, type File, type Line, storeFile } from './files.js';
import { someBiller, someDebt, type TestBiller } from './fixtures.js';
import { fileOf, find, formOf, lineOf, send, type TestImport } from './import-fixtures.js';
import { Invariants, readTables } from './invariants.js';

const DEBTS = 3_000;
const CHUNK = 75;
/** Servers are killed, or the connections of those that merge broken, when so many chunks are merged: twenty times. */
const MOMENTS = 20;
/** A server takes seconds to start, so most of the moments break the connections. */
const KILLED = new Set([3, 9, 15]);

const seed = Date.now() % 1_000_000_000;
const random = randomFrom(seed);
let stage: ApiStage;
let servers: ApiStage[] = [];
let biller: TestBiller;

beforeAll(async () => {
  console.log(`seed ${seed}`);
  stage = await ApiStage.open();
  servers = [stage, ...(await Promise.all([stage.beside(), stage.beside()]))];
  biller = await someBiller(stage);
});
afterAll(async () => {
  for (const each of servers.toReversed()) await each.close();
});

/** Runs this in one transaction of the stage. */
async function inTransaction<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
  const client = await stage.stores.pool.connect();
  try {
    await client.query('BEGIN');
    const query = async <R>(text: string, values?: unknown[]) => (await client.query(text, values)).rows as R[];
    const result = await work({
      query,
      one: async <R>(text: string, values?: unknown[]) => (await query<R>(text, values))[0],
    });
    await client.query('COMMIT');
    return result;
  } finally {
    client.release();
  }
}

/** Some lines have another amount than the debt has in other files; some debts come twice. */
function fileFrom(ids: readonly string[]): File {
  const lines: Line[] = [];
  for (const debtId of ids) {
    const times = random() < 0.03 ? 2 : 1;
    for (let i = 0; i < times; i++) lines.push({ line: lines.length + 2, debtId, cents: random() < 0.2 ? 200 : 100 });
  }
  const chunks: Line[][] = [];
  while (lines.length > 0) chunks.push(lines.splice(0, CHUNK));
  return { company: biller.companyNo, chunks };
}

const merged = async (): Promise<number> =>
  (
    await stage.sql<{ n: number }>('SELECT count(*)::int AS n FROM billing_import_chunks WHERE merged_at IS NOT NULL')
  )[0]?.n ?? 0;

/** Breaks the connection of everybody who merges now. Returns how many there were. */
async function breakMerges(): Promise<number> {
  const broken = await stage.sql(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND state = 'active' AND query LIKE 'SELECT billing_merge_chunk(%'`,
  );
  return broken.length;
}

test('two imports that overlap count each line once, whoever dies while they are merged', async () => {
  // A chunk takes long enough to be hit.
  await stage.sql(`
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.05); RETURN NULL; END $$;
    CREATE TRIGGER slow AFTER INSERT ON billing_debts FOR EACH STATEMENT EXECUTE FUNCTION slow()`);
  const ids = Array.from({ length: DEBTS }, () => randomUUID());
  const files = new Map<number, File>();
  for (const [label, each] of [ids, ids.toReversed()].entries()) {
    const file = fileFrom(each);
    files.set(await inTransaction((sql) => storeFile(sql, file, String(label))), file);
  }
  const chunks = [...files.values()].reduce((sum, file) => sum + file.chunks.length, 0);
  const invariants = new Invariants();
  const monitor = await stage.stores.pool.connect();
  const restarts: Promise<void>[] = [];
  let broken = 0;
  try {
    for (let moment = 1; moment <= MOMENTS; moment++) {
      await stage.until(async () => (await merged()) >= (moment * chunks) / (MOMENTS + 1), `moment ${moment}`);
      const victim = servers[moment % servers.length] as ApiStage;
      if (KILLED.has(moment)) {
        await victim.kill();
        restarts.push(victim.start());
      } else broken += await breakMerges();
      invariants.check(await readTables(monitor as never));
    }
    await stage.until(async () => (await merged()) === chunks, 'all is merged');
    const tables = await readTables(monitor as never);
    invariants.check(tables);
    for (const each of tables.imports) checkImport(each, files.get(each.import_no) as File, tables.debts);
    expect(tables.debts.map(({ debt_id }) => debt_id).sort()).toEqual(ids.toSorted());
    expect(broken).toBeGreaterThan(0);
  } finally {
    monitor.release();
    await Promise.all(restarts);
    await stage.sql('DROP TRIGGER slow ON billing_debts');
  }
}, 120_000);

test('two files that come over HTTP at once, in opposite orders, make each debt once', async () => {
  const { owner, company, companyNo } = biller;
  const debts = Array.from({ length: 1_000 }, () => someDebt());
  const file = fileOf(...debts.map((debt) => lineOf(debt)));
  // Every tenth debt has another amount there.
  const other = fileOf(
    ...debts.map((debt, i) => lineOf(i % 10 === 0 ? { ...debt, cents: 20_000 } : debt)).toReversed(),
  );
  const answers = await Promise.all(
    [file, other].map((each, i) => send(servers[i] as ApiStage, owner, formOf(company, each))),
  );
  expect(answers.map(({ status }) => status)).toEqual([201, 201]);
  const imports: TestImport[] = [];
  for (const { body } of answers)
    imports.push(
      await stage.until(async () => {
        const found = await find(stage, owner, company, body.id);
        return found.status === 'importado' ? found : undefined;
      }, 'the import is merged'),
    );
  // Either came first, for each of the chunks; there is one of each file.
  const [created, repeated, conflicting] = (['created', 'repeated', 'conflicting'] as const).map((key) =>
    imports.map((each) => each[key]).sort(),
  );
  expect([created, repeated, conflicting]).toEqual([
    [0, 1_000],
    [0, 900],
    [0, 100],
  ]);
  const stored = await stage.sql<{ debt_id: string }>(
    'SELECT debt_id FROM billing_debts WHERE company_no = $1 AND debt_id = ANY ($2) ORDER BY 1',
    [companyNo, debts.map(({ debtId }) => debtId)],
  );
  expect(stored.map(({ debt_id }) => debt_id)).toEqual(debts.map(({ debtId }) => debtId).sort());
});
