import type { Answer, ApiStage, TestCompany, TestUser } from '../../../testing/api-stage.js';
import type { TestDebt } from './fixtures.js';

export const HEADER = 'name,governmentId,email,debtAmount,debtDueDate,debtId';

/** What an answer says of an import. */
export interface TestImport {
  [field: string]: unknown;
  id: string;
  status: string;
  rejects: { line: number; column: string; value: string; reason: string }[];
}

/** A debt as a line of a file. */
export function lineOf({ name, governmentId, email, cents, dueOn, debtId }: TestDebt): string {
  const digits = String(cents).padStart(3, '0');
  return [name, governmentId, email, `${digits.slice(0, -2)}.${digits.slice(-2)}`, dueOn, debtId].join(',');
}

/** A file with these lines under the usual header. */
export function fileOf(...lines: string[]): string {
  return [HEADER, ...lines, ''].join('\n');
}

/** A form with a file of debts. */
export function formOf(company: TestCompany, file: string | Uint8Array, name = 'debts.csv'): FormData {
  const form = new FormData();
  form.set('company_id', company.id);
  form.set('file', new Blob([typeof file === 'string' ? file : Uint8Array.from(file)], { type: 'text/csv' }), name);
  return form;
}

/** Sends a form to the route of imports. */
export function send(stage: ApiStage, { token }: TestUser, body: unknown): Promise<Answer<TestImport>> {
  return stage.api<TestImport>('POST', '/api/billing/imports', { token, body });
}

/** Imports a file, waits until it is merged, and returns the import. */
export async function imported(
  stage: ApiStage,
  user: TestUser,
  company: TestCompany,
  file: string | Uint8Array,
): Promise<TestImport> {
  const { status, body } = await send(stage, user, formOf(company, file));
  if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
  return stage.until(async () => {
    const found = await find(stage, user, company, body.id);
    return found.status === 'importado' ? found : undefined;
  }, 'the import is merged');
}

/** An import as it is now. */
export async function find(
  stage: ApiStage,
  { token }: TestUser,
  { id }: TestCompany,
  importId: string,
): Promise<TestImport> {
  const { body } = await stage.api<TestImport>('GET', `/api/billing/imports/${importId}?company_id=${id}`, { token });
  return body;
}

/** How many rows there are of imports, chunks, rejects and debts. */
export async function rows(stage: ApiStage): Promise<number[]> {
  const tables = ['billing_imports', 'billing_import_chunks', 'billing_rejects', 'billing_debts'];
  const found = await stage.sql<{ count: number }>(
    tables.map((table) => `SELECT count(*)::int AS count FROM ${table}`).join(' UNION ALL '),
  );
  return found.map(({ count }) => count);
}
