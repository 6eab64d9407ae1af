import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiStage, type TestUser } from '../../../testing/api-stage.js';
import { Sample } from './sample.js';

const LINES = 30_000;

/** What the API says of an import. */
type Import = Record<
  'lines' | 'blank' | 'accepted' | 'rejected' | 'created' | 'repeated' | 'conflicting' | 'bytes',
  number
> & { id: string; status: string };

let stage: ApiStage;
let owner: TestUser;
let company: string;
const sample = new Sample({ lines: LINES, seed: 7, plain: false });
const file = new Blob([...sample.pieces()].map((piece) => new Uint8Array(piece)));

beforeAll(async () => {
  stage = await ApiStage.open();
  owner = await stage.user();
  company = (await stage.company(owner)).id;
});

afterAll(() => stage?.close());

/** Imports the sample; returns the counts when it is merged. */
async function imported(): Promise<Record<string, number>> {
  const form = new FormData();
  form.append('company_id', company);
  form.append('file', file, 'sample.csv');
  const response = await fetch(`${stage.url}/api/billing/imports`, {
    method: 'POST',
    headers: { authorization: `Bearer ${owner.token}` },
    body: form,
  });
  expect(response.status).toBe(201);
  const made = (await response.json()) as Import;
  const path = `/api/billing/imports/${made.id}?company_id=${company}`;
  const merged = await stage.until(async () => {
    const { body } = await stage.api<Import>('GET', path, { token: owner.token });
    return body.status === 'importado' ? body : undefined;
  }, 'the sample is merged');
  const { lines, blank, accepted, rejected, created, repeated, conflicting, bytes } = merged;
  return { lines, blank, accepted, rejected, created, repeated, conflicting, bytes };
}

test('an import counts each line of a sample as the sample says', async () => {
  const { unverified, reasons, ...counts } = sample.counts;
  expect(await imported()).toEqual(counts);

  const rejects = await stage.sql<{ reason: string; count: number }>(
    'SELECT reason, count(*)::int FROM billing_rejects GROUP BY reason',
  );
  expect(Object.fromEntries(rejects.map(({ reason, count }) => [reason, count]))).toEqual({
    ...reasons,
    conflict: counts.conflicting,
  });
  const debts = await stage.sql<{ name: string }>('SELECT DISTINCT name FROM billing_debts ORDER BY name');
  // In whatever encoding a line was, and in quotes or not, its name is one of these.
  expect(debts.map(({ name }) => name).filter((name) => !/^[\p{L}’",.& ]+$/u.test(name))).toEqual([]);
  expect(debts.map(({ name }) => name)).toContain('Loja "Boa Vista" de Luís');

  const { created, repeated } = counts;
  expect(await imported()).toEqual({ ...counts, created: 0, repeated: created + repeated });
});
