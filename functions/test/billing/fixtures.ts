import { randomUUID } from 'node:crypto';
import type { ApiStage, TestCompany, TestUser } from '../../../testing/api-stage.js';

/** A debt as the tests store it, by plain SQL. */
export interface TestDebt {
  debtId: string;
  name: string;
  governmentId: string;
  email: string;
  cents: number;
  /** `YYYY-MM-DD`. */
  dueOn: string;
}

/** A company that bills: its owner, its id, its number in the tables of billing. */
export interface TestBiller {
  owner: TestUser;
  company: TestCompany;
  companyNo: number;
}

/** A debt with values of its own, unless they are given. */
export function someDebt(values: Partial<TestDebt> = {}): TestDebt {
  return {
    debtId: randomUUID(),
    name: 'Fulana de Tal',
    governmentId: '11144477735',
    email: 'fulana@example.com',
    cents: 10_000,
    dueOn: '2026-12-31',
    ...values,
  };
}

/** Makes a company, its row in billing, and a user who owns it, unless one is given: a login takes a second. */
export async function someBiller(stage: ApiStage, user?: TestUser): Promise<TestBiller> {
  const owner = user ?? (await stage.user());
  const company = await stage.company(owner);
  const sql = 'INSERT INTO billing_companies (company_id) VALUES ($1) RETURNING company_no';
  const [row] = await stage.sql<{ company_no: number }>(sql, [company.id]);
  if (!row) throw new Error('the company has no row in billing');
  return { owner, company, companyNo: row.company_no };
}

/** No boleto is issued for the company, however often the server looks: what a test stores stays as it is. */
export async function withoutIssuing(stage: ApiStage, { companyNo, owner }: TestBiller): Promise<void> {
  await stage.sql(
    `INSERT INTO billing_settings (company_no, version, user_id, beneficiary, city, pix_key, agreement, sender_name, issue_days_before)
     VALUES ($1, 1, $2, 'EMPRESA FICTICIA', 'SAO PAULO', '12345678000195', 1, 'Acme', -1000000)`,
    [companyNo, owner.id],
  );
}

/** Stores debts as those of one merged import, in this order. Returns their seq, the nosso número. */
export async function store(stage: ApiStage, { companyNo, owner }: TestBiller, debts: TestDebt[]): Promise<string[]> {
  const count = debts.length;
  const [made] = await stage.sql<{ import_no: number }>(
    `INSERT INTO billing_imports (id, company_no, user_id, file_name, bytes, sha256, lines, blank, accepted, rejected)
     VALUES ($1, $2, $3, 'debts.csv', 1, sha256('a'), $4, 0, $4, 0) RETURNING import_no`,
    [`i${randomUUID().replaceAll('-', '').slice(0, 23)}`, companyNo, owner.id, count],
  );
  const importNo = made?.import_no;
  await stage.sql(
    `INSERT INTO billing_import_chunks (import_no, first_line, rows, created, repeated, conflicting, merged_at)
     SELECT $1, 2, $2, $2, 0, 0, clock_timestamp() WHERE $2 > 0`,
    [importNo, count],
  );
  const rows = await stage.sql<{ seq: string }>(
    `INSERT INTO billing_debts (company_no, debt_id, import_no, line, name, government_id, email, cents, due_on)
     SELECT $1, d.id, $2, d.line + 1, d.name, d.document, d.email, d.cents, d.due
       FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::date[]) WITH ORDINALITY
         AS d(id, name, document, email, cents, due, line)
      ORDER BY d.line RETURNING seq`,
    [
      companyNo,
      importNo,
      debts.map(({ debtId }) => debtId),
      debts.map(({ name }) => name),
      debts.map(({ governmentId }) => governmentId),
      debts.map(({ email }) => email),
      debts.map(({ cents }) => cents),
      debts.map(({ dueOn }) => dueOn),
    ],
  );
  return rows.map(({ seq }) => seq);
}

/** Gives each of these debts a boleto with this bar code, as billing_record_issued does, and an open delivery. */
export async function issue(stage: ApiStage, seqs: readonly string[], barcodes: readonly string[]): Promise<void> {
  await stage.sql('SELECT billing_record_issued($1, $2, $2, 0)', [seqs, barcodes]);
  await stage.sql('UPDATE billing_debts SET asked_at = clock_timestamp() WHERE seq = ANY ($1)', [seqs]);
}
