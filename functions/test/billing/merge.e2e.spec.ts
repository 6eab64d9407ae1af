import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import { someBiller, someDebt, withoutIssuing } from './fixtures.js';
import { fileOf, find, formOf, imported, lineOf, send } from './import-fixtures.js';

let stage: ApiStage;
let user: TestUser;
let company: TestCompany;
beforeAll(async () => {
  stage = await ApiStage.open();
  const biller = await someBiller(stage);
  await withoutIssuing(stage, biller);
  user = biller.owner;
  company = biller.company;
});
afterAll(() => stage.close());

const COUNTED = ['lines', 'blank', 'accepted', 'rejected', 'waiting', 'created', 'repeated', 'conflicting'];

/** The counters of an import, as the API says and as SQL counts the rows themselves. */
async function counters(importId: string): Promise<{ said: unknown[]; counted: unknown[] }> {
  const said = await find(stage, user, company, importId);
  const [row] = await stage.sql<Record<string, number>>(
    `SELECT i.lines, i.blank, i.accepted,
            (SELECT count(*)::int FROM billing_rejects r WHERE r.import_no = i.import_no AND r.reason <> 'conflict') AS rejected,
            (SELECT coalesce(sum(cardinality(c.line_nos)), 0)::int FROM billing_import_chunks c
              WHERE c.import_no = i.import_no) AS waiting,
            (SELECT count(*)::int FROM billing_debts d WHERE d.import_no = i.import_no) AS created,
            (SELECT count(*)::int FROM billing_rejects r WHERE r.import_no = i.import_no AND r.reason = 'conflict') AS conflicting
       FROM billing_imports i WHERE i.id = $1`,
    [importId],
  );
  if (!row) throw new Error('the import is gone');
  const { accepted = 0, waiting = 0, created = 0, conflicting = 0 } = row;
  // The server may merge a chunk between the two reads: then they are of two moments.
  const after = await find(stage, user, company, importId);
  if (after.waiting !== said.waiting) return counters(importId);
  const counted = { ...row, repeated: accepted - waiting - created - conflicting } as Record<string, number>;
  return { said: COUNTED.map((name) => said[name]), counted: COUNTED.map((name) => counted[name]) };
}

/** Every debt of the company, as it is stored, times and all. */
function debts(): Promise<Record<string, unknown>[]> {
  return stage.sql(
    'SELECT d.* FROM billing_debts d JOIN billing_companies USING (company_no) WHERE company_id = $1 ORDER BY seq',
    [company.id],
  );
}

test('the same file again changes nothing, and says so', async () => {
  const file = fileOf(...Array.from({ length: 5 }, () => lineOf(someDebt())), 'x');
  const first = await imported(stage, user, company, file);
  const before = await debts();
  const again = await imported(stage, user, company, file);
  expect(again).toMatchObject({
    accepted: 5,
    created: 0,
    repeated: 5,
    conflicting: 0,
    rejected: 1,
    repeats_import: first.id,
    sha256: first.sha256,
  });
  expect(await debts()).toEqual(before);
});

test('the first content of a debtId wins, in another file and in the same one', async () => {
  const [a, b, c] = [someDebt(), someDebt(), someDebt()];
  await imported(stage, user, company, fileOf(lineOf(a), lineOf(b)));
  const before = await debts();
  const other = { ...b, cents: b.cents + 1 };
  const found = await imported(
    stage,
    user,
    company,
    fileOf(lineOf(c), lineOf(a), lineOf(other), lineOf({ ...c, name: 'Outra' }), lineOf(c)),
  );
  expect(found).toMatchObject({
    created: 1,
    repeated: 2,
    conflicting: 2,
    rejected: 0,
    rejects: [
      { line: 4, column: 'debtId', value: b.debtId, reason: 'conflict' },
      { line: 5, column: 'debtId', value: c.debtId, reason: 'conflict' },
    ],
  });
  const after = await debts();
  expect(after.slice(0, before.length)).toEqual(before);
  expect(after.slice(before.length)).toMatchObject([{ debt_id: c.debtId, name: c.name, line: 2 }]);
});

test('a debt that was cancelled, paid or erased stays so when its line comes again', async () => {
  const [a, b, c] = [someDebt(), someDebt(), someDebt()];
  const file = fileOf(lineOf(a), lineOf(b), lineOf(c));
  await imported(stage, user, company, file);
  const change = (what: string, { debtId }: typeof a) =>
    stage.sql(`UPDATE billing_debts SET ${what} WHERE debt_id = $1`, [debtId]);
  await change('cancelled_at = clock_timestamp()', a);
  await change('paid_at = clock_timestamp(), paid_cents = cents', b);
  await change("erased_at = clock_timestamp(), name = '', email = ''", c);
  const before = await debts();
  expect(await imported(stage, user, company, file)).toMatchObject({ created: 0, repeated: 3, conflicting: 0 });
  expect(await debts()).toEqual(before);
});

test('two companies may have a debtId each', async () => {
  const debt = someDebt();
  await imported(stage, user, company, fileOf(lineOf(debt)));
  const other = await stage.company(user);
  expect(await imported(stage, user, other, fileOf(lineOf({ ...debt, cents: 7 })))).toMatchObject({ created: 1 });
});

test('the counters add up while chunks wait, and after each', async () => {
  const [twice, apart] = [someDebt(), someDebt()];
  await imported(stage, user, company, fileOf(lineOf(apart)));
  const importId = `t${randomUUID().replaceAll('-', '').slice(0, 23)}`;
  await stage.sql(
    `INSERT INTO billing_imports (id, company_no, user_id, bytes, sha256, lines, blank, accepted, rejected)
     SELECT $1, company_no, $2, 1, sha256('x'), 7, 1, 5, 1 FROM billing_companies WHERE company_id = $3`,
    [importId, user.id, company.id],
  );
  const chunks = [
    [
      [2, twice],
      [3, twice],
    ],
    [
      [4, twice],
      [5, { ...apart, name: 'Outra' }],
      [6, someDebt()],
    ],
  ] as const;
  // In one transaction: else the running server would merge the first before the second is there.
  await stage.sql(
    `WITH of AS (SELECT import_no FROM billing_imports WHERE id = $1),
     bad AS (INSERT INTO billing_rejects (import_no, line, reason) SELECT import_no, 7, 'columns' FROM of),
     lines AS (SELECT * FROM unnest($2::int[], $3::int[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::date[], $9::uuid[])
                 AS l(chunk, line, name, document, email, cents, due, debt))
     INSERT INTO billing_import_chunks (import_no, first_line, rows, line_nos, names, government_ids, emails, cents, dues, debt_ids)
     SELECT import_no, min(line), count(*), array_agg(line ORDER BY line), array_agg(name ORDER BY line),
            array_agg(document ORDER BY line), array_agg(email ORDER BY line), array_agg(l.cents ORDER BY line),
            array_agg(due ORDER BY line), array_agg(debt ORDER BY line)
       FROM of, lines l GROUP BY import_no, chunk`,
    [
      importId,
      ...[
        chunks.flatMap((lines, at) => lines.map(() => at)),
        chunks.flatMap((lines) => lines.map(([line]) => line)),
        ...(['name', 'governmentId', 'email', 'cents', 'dueOn', 'debtId'] as const).map((field) =>
          chunks.flatMap((lines) => lines.map(([, debt]) => debt[field])),
        ),
      ],
    ],
  );
  for (;;) {
    const { said, counted } = await counters(importId);
    expect(said).toEqual(counted);
    const [row] = await stage.sql<{ merged: boolean }>(
      'SELECT billing_merge_chunk(import_no) AS merged FROM billing_imports WHERE id = $1',
      [importId],
    );
    if (!row?.merged) break;
  }
  expect(await find(stage, user, company, importId)).toMatchObject({
    status: 'importado',
    percent: 100,
    created: 2,
    repeated: 2,
    conflicting: 1,
  });
});

test('four uploads of overlapping files at once lose and double nothing', async () => {
  const shared = Array.from({ length: 300 }, () => someDebt());
  const files = Array.from({ length: 4 }, (_, at) =>
    fileOf(
      ...shared.slice(at * 50, at * 50 + 150).map(lineOf),
      lineOf({ ...(shared[149] as (typeof shared)[0]), cents: at + 1 }),
    ),
  );
  const answers = await Promise.all(files.map((file) => send(stage, user, formOf(company, file))));
  expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
  const found = await Promise.all(
    answers.map(({ body }) =>
      stage.until(async () => {
        const now = await find(stage, user, company, body.id);
        return now.status === 'importado' ? now : undefined;
      }, 'each is merged'),
    ),
  );
  for (const { id } of found) {
    const { said, counted } = await counters(id);
    expect(said).toEqual(counted);
  }
  const sum = (field: string) => found.reduce((total, each) => total + Number(each[field]), 0);
  expect([sum('created'), sum('accepted')]).toEqual([300, 4 * 151]);
});

test('a file of more lines than a chunk has is merged chunk by chunk', async () => {
  const whose = await stage.company(user);
  const LINES = 100_700;
  const lines = Array.from({ length: LINES }, (_, at) => lineOf(someDebt({ name: `Pessoa ${at}` })));
  const found = await imported(stage, user, whose, fileOf(...lines));
  expect(found).toMatchObject({ lines: LINES, accepted: LINES, created: LINES, rejected: 0, conflicting: 0 });
  const chunks = await stage.sql<{ first_line: number; rows: number; debts: number }>(
    `SELECT c.first_line, c.rows, (SELECT count(*)::int FROM billing_debts d
        WHERE d.import_no = i.import_no AND d.line >= c.first_line AND d.line < c.first_line + c.rows
          AND d.name = 'Pessoa ' || d.line - 2) AS debts
       FROM billing_import_chunks c JOIN billing_imports i USING (import_no) WHERE i.id = $1 ORDER BY 1`,
    [found.id],
  );
  expect(chunks.map(({ rows, debts }) => rows - debts)).toEqual([0, 0]);
  expect(chunks.map(({ first_line }) => first_line)).toEqual([2, 2 + (chunks[0]?.rows ?? 0)]);
});
