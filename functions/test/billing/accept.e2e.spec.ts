import { createHash } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import { RawClient } from '../../../testing/raw-client.js';
import { someDebt } from './fixtures.js';
import { fileOf, find, formOf, HEADER, imported, lineOf, rows, send } from './import-fixtures.js';

const MIB = 2 ** 20;
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

let stage: ApiStage;
let user: TestUser;
let company: TestCompany;
/** Another user, with a company of their own. */
let stranger: TestUser;
let strange: TestCompany;
beforeAll(async () => {
  stage = await ApiStage.open({ env: { UPLOAD_LIMIT_MIB: '1' } });
  user = await stage.user();
  company = await stage.company(user);
  stranger = await stage.user();
  strange = await stage.company(stranger);
});
afterAll(() => stage.close());

test('the valid lines of a file become debts, the others are its rejects', async () => {
  const [a, b] = [someDebt({ name: 'João', cents: 435 }), someDebt({ governmentId: '0123' })];
  const file = fileOf(lineOf(a), '', 'x,y', lineOf(b), lineOf(someDebt({ email: 'nobody' })));
  const { status, headers, body } = await send(stage, user, formOf(company, file, 'dívidas.csv'));
  expect([status, headers.get('location')]).toEqual([201, `/api/billing/imports/${body.id}`]);
  expect(body).toEqual({
    id: expect.any(String),
    company_id: company.id,
    file_name: 'dívidas.csv',
    sha256: createHash('sha256').update(file).digest('hex'),
    bytes: Buffer.byteLength(file),
    status: 'importado',
    lines: 5,
    blank: 1,
    accepted: 2,
    rejected: 2,
    waiting: 0,
    created: 2,
    repeated: 0,
    conflicting: 0,
    percent: 100,
    repeats_import: null,
    rejects: [
      { line: 4, column: '', value: 'x,y', reason: 'columns' },
      { line: 6, column: 'email', value: 'nobody', reason: 'email_invalid' },
    ],
    created_at: TIME,
    finished_at: TIME,
  });
  expect(await find(stage, user, company, body.id)).toEqual(body);
  const stored = await stage.sql(
    `SELECT line, name, government_id AS "governmentId", email, cents::int, due_on::text AS "dueOn", debt_id AS "debtId", status
       FROM billing_debts d JOIN billing_imports i USING (import_no) WHERE i.id = $1 ORDER BY line`,
    [body.id],
  );
  expect(stored).toEqual([
    { line: 2, ...a, status: 'importada' },
    { line: 5, ...b, status: 'importada' },
  ]);
});

test('a file whose every line is rejected is accepted: its rejects are the answer', async () => {
  const { status, body } = await send(stage, user, formOf(company, fileOf('x')));
  expect([status, body.status, body.accepted, body.rejected, body.percent, body.finished_at]).toEqual([
    201,
    'importado',
    0,
    1,
    100,
    body.created_at,
  ]);
});

describe('refused, with nothing stored', () => {
  const line = lineOf(someDebt());
  test.each<[what: string, file: string | Uint8Array, status: number, code: string]>([
    ['an empty file', '', 400, 'BILLING.FILE_EMPTY'],
    ['a header alone', `${HEADER}\r\n`, 400, 'BILLING.FILE_EMPTY'],
    ['a header and blank lines', `${HEADER}\n\n  \n`, 400, 'BILLING.FILE_EMPTY'],
    ['a header without a column', `name,email\n${line}\n`, 400, 'BILLING.HEADER_INVALID'],
    ['a NUL after good lines', `${fileOf(line)}\0`, 400, 'BILLING.FILE_NOT_TEXT'],
    ['a spreadsheet', Uint8Array.of(0x50, 0x4b, 3, 4, 20), 400, 'BILLING.FILE_NOT_TEXT'],
    ['a file over the limit', fileOf(line).padEnd(MIB + 1, '\n'), 413, 'BILLING.FILE_TOO_LARGE'],
  ])('%s', async (_, file, status, code) => {
    const before = await rows(stage);
    const answer = await send(stage, user, formOf(company, file));
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(await rows(stage)).toEqual(before);
  });

  test('a form without a file, and a body that is none', async () => {
    const form = new FormData();
    form.set('company_id', company.id);
    for (const body of [form, { company_id: company.id }])
      expect(await send(stage, user, body)).toMatchObject({ status: 400, body: { code: 'BILLING.FILE_MISSING' } });
  });

  test.each<[what: string, change: (form: FormData) => void, path: string]>([
    ['a second file', (form) => form.append('other', new Blob(['x']), 'x.csv'), 'other'],
    ['a second file of the same name', (form) => form.append('file', new Blob(['x']), 'x.csv'), 'file'],
    ['an unknown field', (form) => form.set('colour', 'red'), 'colour'],
    ['no company', (form) => form.delete('company_id'), 'company_id'],
  ])('%s', async (_, change, path) => {
    const before = await rows(stage);
    const form = formOf(company, fileOf(line));
    change(form);
    const { status, body } = await send(stage, user, form);
    expect([status, body.code, body.errors]).toEqual([400, 'VALIDATION', [{ path, message: expect.any(String) }]]);
    expect(await rows(stage)).toEqual(before);
  });

  test("another one's company, a deleted one, a text that is no id", async () => {
    const before = await rows(stage);
    const gone = await stage.company(user);
    await stage.api('DELETE', `/api/companies/${gone.id}`, { token: user.token });
    for (const [who, whose] of [
      [stranger, company],
      [user, gone],
      [user, { id: '../x', document: '' }],
    ] as const)
      expect(await send(stage, who, formOf(whose, fileOf(line)))).toMatchObject({
        status: 404,
        body: { code: 'COMPANY.NOT_FOUND' },
      });
    expect(await stage.api('POST', '/api/billing/imports', { body: formOf(company, fileOf(line)) })).toMatchObject({
      status: 401,
    });
    expect(await rows(stage)).toEqual(before);
  });

  test('a form that breaks off', async () => {
    const before = await rows(stage);
    const client = RawClient.to(stage.url);
    const part = (head: string, body: string) => `--x\r\nContent-Disposition: form-data; ${head}\r\n\r\n${body}\r\n`;
    const body = part('name="company_id"', company.id) + part('name="file"; filename="a.csv"', fileOf(line));
    client.socket.write(
      `POST /api/billing/imports HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${user.token}\r\nConnection: close\r\n` +
        `Content-Type: multipart/form-data; boundary=x\r\nContent-Length: ${body.length + 7}\r\n\r\n${body}`,
    );
    await stage.until(() => client.socket.bytesWritten > body.length, 'all but the end is sent');
    client.socket.end();
    await client.closed;
    expect(await rows(stage)).toEqual(before);
  });

  test('a company that is deleted while its file is read', async () => {
    const before = await rows(stage);
    const doomed = await stage.company(user);
    const deleting = await lockOf('UPDATE companies SET deleted = true WHERE id = $1', doomed);
    const answer = send(stage, user, formOf(doomed, fileOf(line)));
    await stage.until(() => waitsForLock(1), 'the import waits for the company');
    await deleting.commit();
    expect(await answer).toMatchObject({ status: 404, body: { code: 'COMPANY.NOT_FOUND' } });
    expect(await rows(stage)).toEqual(before);
  });
});

test('the parts of a form come in any order, and the file under any name', async () => {
  const file = new Blob([fileOf(lineOf(someDebt()))]);
  const form = new FormData();
  form.append('whatever', file, 'a.csv');
  form.append('company_id', company.id);
  expect(await send(stage, user, form)).toMatchObject({ status: 201, body: { created: 1, file_name: 'a.csv' } });
});

test('any member imports, and finds the imports of the company', async () => {
  const whose = await stage.company(user);
  await stage.member(user, whose, stranger);
  const first = await imported(stage, stranger, whose, fileOf(lineOf(someDebt())));
  const second = await imported(stage, user, whose, fileOf(lineOf(someDebt())));
  const list = (query: string) =>
    stage.api('GET', `/api/billing/imports?company_id=${whose.id}${query}`, { token: stranger.token });
  expect((await list('')).body).toEqual({ data: [second, first], page: 1, page_size: 20, total: 2 });
  expect((await list('&page=2&page_size=1')).body).toEqual({ data: [first], page: 2, page_size: 1, total: 2 });
});

test('no stranger sees an import, its rejects or their export', async () => {
  const { id } = await imported(stage, user, company, fileOf('x'));
  for (const path of ['', '/rejects', '/rejects.csv']) {
    const ask = (whose: string) =>
      stage.api('GET', `/api/billing/imports/${id}${path}?company_id=${whose}`, { token: stranger.token });
    expect(await ask(company.id)).toMatchObject({ status: 404, body: { code: 'COMPANY.NOT_FOUND' } });
    expect(await ask(strange.id)).toMatchObject({ status: 404, body: { code: 'BILLING.IMPORT_NOT_FOUND' } });
  }
});

test('rejects are read slice by slice, and exported as they are', async () => {
  const long = 'é'.repeat(100);
  const lines = [...Array.from({ length: 24 }, (_, at) => `x${at}`), `=1+1,"${long}""\u200b`, `"${long}`];
  const { id, rejects } = await imported(stage, user, company, fileOf(...lines));
  const ask = (path: string) =>
    stage.api(`GET`, `/api/billing/imports/${id}/${path}company_id=${company.id}`, { token: user.token });
  const all = lines.map((line, at) => ({
    line: at + 2,
    column: '',
    value: line.replace('\u200b', '\\u200b').slice(0, 64),
    reason: line.includes('"') ? 'quotes' : 'columns',
  }));
  expect(rejects).toEqual(all.slice(0, 20));
  expect((await ask('rejects?after=3&limit=2&')).body).toEqual({ data: all.slice(2, 4), next: 5 });
  expect((await ask('rejects?after=25&')).body).toEqual({ data: all.slice(24), next: null });
  const quoted = (value: string) => (/[",]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const csv = all.map(({ line, column, value, reason }) => [line, column, quoted(value), reason].join(','));
  expect((await ask('rejects.csv?')).body).toBe(['line,column,value,reason', ...csv, ''].join('\r\n'));
});

test('a strict company takes documents with right check digits only', async () => {
  const strict = await stage.company(user);
  await stage.sql('INSERT INTO billing_companies (company_id) VALUES ($1)', [strict.id]);
  await stage.sql(
    `INSERT INTO billing_settings (company_no, version, user_id, beneficiary, city, pix_key, agreement, sender_name, documents)
     SELECT company_no, 1, $2, 'A', 'B', 'C', 1, 'D', 'strict' FROM billing_companies WHERE company_id = $1`,
    [strict.id, user.id],
  );
  const documents = ['52998224725', '11111111111', '0123'];
  const file = fileOf(...documents.map((governmentId) => lineOf(someDebt({ governmentId }))));
  expect(await imported(stage, user, strict, file)).toMatchObject({
    created: 1,
    rejects: documents.slice(1).map((value, at) => ({
      line: at + 3,
      column: 'governmentId',
      value,
      reason: 'government_id_invalid',
    })),
  });
});

test('the answer does not wait for a merge that takes over two seconds', async () => {
  const whose = await stage.company(user);
  const debt = someDebt();
  await stage.sql('INSERT INTO billing_companies (company_id) VALUES ($1)', [whose.id]);
  const held = await lockOf(
    `INSERT INTO billing_debts (company_no, debt_id, import_no, line, name, government_id, email, cents, due_on)
     SELECT company_no, '${debt.debtId}', 0, 1, 'a', '1', 'a@b.co', 1, '2026-01-01' FROM billing_companies WHERE company_id = $1`,
    whose,
  );
  const { status, body } = await send(stage, user, formOf(whose, fileOf(lineOf(debt))));
  expect([status, body]).toMatchObject([201, { status: 'importando', waiting: 1, percent: 0, finished_at: null }]);
  await held.rollback();
  await stage.until(
    async () => (await find(stage, user, whose, body.id)).status === 'importado',
    'the merge goes on behind the answer',
  );
});

test('a fourth file waits for a place, and is refused after five seconds', async () => {
  const whose = await stage.company(user);
  const held = await lockOf('SELECT FROM companies WHERE id = $1 FOR UPDATE', whose);
  const files = Array.from({ length: 3 }, () => send(stage, user, formOf(whose, fileOf(lineOf(someDebt())))));
  await stage.until(() => waitsForLock(3), 'three files are accepted');
  expect(await send(stage, user, formOf(whose, fileOf(lineOf(someDebt()))))).toMatchObject({
    status: 503,
    body: { code: 'SERVICE_UNAVAILABLE' },
  });
  await held.rollback();
  expect((await Promise.all(files)).map(({ status }) => status)).toEqual([201, 201, 201]);
});

/** Runs a statement for a company in a transaction that stays open. */
async function lockOf(statement: string, { id }: TestCompany) {
  const client = new pg.Client({ connectionString: stage.env.DATABASE_URL });
  await client.connect();
  await client.query('BEGIN');
  await client.query(statement, [id]);
  const end = async (command: string) => {
    await client.query(command);
    await client.end();
  };
  return { commit: () => end('COMMIT'), rollback: () => end('ROLLBACK') };
}

async function waitsForLock(wanted: number): Promise<boolean> {
  const waiting = await stage.sql(
    "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
  );
  return waiting.length === wanted;
}
