import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiStage, type TestUser } from '../../../testing/api-stage.js';
import { TestBucket } from '../uploads/fixtures.js';
import { someBiller, someDebt, store, type TestBiller, withoutIssuing } from './fixtures.js';

interface Operation {
  security?: object[];
  parameters: { name: string; in: string }[];
  requestBody?: {
    content: Record<string, { schema: { properties?: Record<string, { example?: unknown }> } }>;
  };
}

/** One route: what it is, and what is in its path. */
interface Route {
  name: string;
  method: string;
  path: string;
  operation: Operation;
}

const FILE =
  'name,governmentId,email,debtAmount,debtDueDate,debtId\nA,1,a@b.co,1,2026-12-31,00000000-0000-4000-8000-000000000000\n';

const bucket = new TestBucket();
let stage: ApiStage;
let biller: TestBiller;
/** Owns a company of his own, and is in no other. */
let stranger: TestUser;
let theirs: TestBiller;
let ids: Record<string, string>;
/** Every route of billing that needs a login, as the API itself lists them. */
let routes: Route[];

beforeAll(async () => {
  await bucket.open();
  stage = await ApiStage.open({ env: bucket.env });
  biller = await someBiller(stage);
  stranger = await stage.user();
  theirs = await someBiller(stage, stranger);
  for (const each of [biller, theirs]) await withoutIssuing(stage, each);
  const debt = someDebt();
  await store(stage, biller, [debt]);
  const [made] = await stage.sql<{ id: string }>('SELECT id FROM billing_imports');
  ids = { debt_id: debt.debtId, id: made?.id ?? '', number: '1' };
  const { paths } = (await stage.api<{ paths: Record<string, Record<string, Operation>> }>('GET', '/api/openapi.json'))
    .body;
  routes = Object.entries(paths)
    .filter(([path]) => path.startsWith('/api/billing/'))
    .flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({
        name: `${method} ${path}`,
        method: method.toUpperCase(),
        path,
        operation,
      })),
    )
    .filter(({ operation: { security } }) => !security?.some((each) => Object.keys(each).length === 0));
});
afterAll(async () => {
  await stage?.close();
  await bucket.close();
});

/** Sends a request that its route takes, with the ids of `biller`'s debt and import in its path. */
async function send({ method, path, operation }: Route, companyId: string, token?: string) {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? `no value for ${name}`);
  const ofCompany = operation.parameters.some(({ name, in: where }) => name === 'company_id' && where === 'query');
  const body = bodyOf(operation, companyId);
  const url = ofCompany ? `${filled}?company_id=${companyId}` : filled;
  return stage.api(method, url, { token, ...(body && { body }) });
}

function bodyOf({ requestBody }: Operation, companyId: string): FormData | Record<string, unknown> | undefined {
  const content = requestBody?.content;
  if (!content) return undefined;
  if (content['multipart/form-data']) {
    const form = new FormData();
    form.set('company_id', companyId);
    form.set('file', new Blob([FILE]), 'debts.csv');
    return form;
  }
  const properties = content['application/json']?.schema.properties ?? {};
  const examples = Object.entries(properties).map(([name, { example }]) => [name, example]);
  return { ...Object.fromEntries(examples), ...('company_id' in properties && { company_id: companyId }) };
}

/** What each table of billing has, as one text. */
async function everything(): Promise<Record<string, string>> {
  const tables = await stage.sql<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = current_schema() AND table_name LIKE 'billing%'`,
  );
  const found: Record<string, string> = {};
  for (const { name } of tables) {
    const [all] = await stage.sql<{ rows: string }>(
      `SELECT coalesce(json_agg(t ORDER BY t::text), '[]')::text AS rows FROM ${name} t`,
    );
    found[name] = all?.rows ?? '';
  }
  return found;
}

/** The status and the code of each route's answer, by the route. */
async function answersOf(some: Route[], companyId: string, token?: string): Promise<Record<string, unknown>> {
  const answers: Record<string, unknown> = {};
  for (const route of some) {
    const { status, body } = await send(route, companyId, token);
    answers[route.name] = [status, (body as { code?: string } | undefined)?.code];
  }
  return answers;
}

const all = (some: Route[], answer: unknown) => Object.fromEntries(some.map(({ name }) => [name, answer]));

test('the routes are those of billing, and none is left out', () => {
  const names = routes.map(({ name }) => name);
  expect(names).toEqual(
    expect.arrayContaining([
      'post /api/billing/imports',
      'get /api/billing/imports/{id}/rejects.csv',
      'get /api/billing/debts.csv',
      'post /api/billing/debts/{debt_id}/cancel',
      'get /api/billing/report',
    ]),
  );
  expect(routes.filter(({ path }) => path.replace(/\{(debt_id|id|number)\}/g, '').includes('{'))).toEqual([]);
});

test('without a token each is refused', async () => {
  expect(await answersOf(routes, biller.company.id)).toEqual(all(routes, [401, 'AUTH.TOKEN_MISSING']));
});

test('to a stranger the company is not there, and nothing changes', async () => {
  const before = await everything();
  expect(Object.keys(before).length).toBeGreaterThan(8);
  expect(await answersOf(routes, biller.company.id, stranger.token)).toEqual(all(routes, [404, 'COMPANY.NOT_FOUND']));
  expect(await everything()).toEqual(before);
});

test('under another company, a debt and an import of this one are not there, and nothing changes', async () => {
  const before = await everything();
  const withDebt = routes.filter(({ path }) => path.includes('{debt_id}'));
  const withImport = routes.filter(({ path }) => path.includes('{id}'));
  expect(await answersOf([...withDebt, ...withImport], theirs.company.id, stranger.token)).toEqual({
    ...all(withDebt, [404, 'BILLING.DEBT_NOT_FOUND']),
    ...all(withImport, [404, 'BILLING.IMPORT_NOT_FOUND']),
  });
  expect(await everything()).toEqual(before);
});

test('under another company, lists and the report have nothing of this one', async () => {
  const get = async <T>(path: string) =>
    (await stage.api<T>('GET', `/api/billing/${path}?company_id=${theirs.company.id}`, { token: stranger.token })).body;
  expect(await get('debts')).toEqual({ data: [], next: null });
  expect(await get('imports')).toMatchObject({ data: [], total: 0 });
  expect(await get('report')).toMatchObject({ imported: 0, amounts_cents: { imported: 0 } });
  expect((await get<string>('debts.csv')).split('\r\n').length).toBe(2);
});

test('two companies may have the same debt, and each sees its own', async () => {
  const { debt_id: debtId = '' } = ids;
  await store(stage, theirs, [someDebt({ debtId, name: 'Outra' })]);
  const names = [];
  for (const { company, owner } of [biller, theirs]) {
    const url = `/api/billing/debts/${debtId}?company_id=${company.id}`;
    names.push((await stage.api('GET', url, { token: owner.token })).body.name);
  }
  expect(names).toEqual(['Fulana de Tal', 'Outra']);
});

test('of a deleted company nothing is there, not even for its owner, and nothing changes', async () => {
  const { owner, company } = biller;
  await stage.api('DELETE', `/api/companies/${company.id}`, { token: owner.token });
  const before = await everything();
  expect(await answersOf(routes, company.id, owner.token)).toEqual(all(routes, [404, 'COMPANY.NOT_FOUND']));
  expect(await everything()).toEqual(before);
});
