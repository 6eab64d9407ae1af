import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import { fileOf, find, HEADER, imported, rows, type TestImport } from '../billing/import-fixtures.js';
import {
  accepted,
  as,
  ID,
  PATIENCE_MS,
  refusal,
  someNumbers,
  storedNumbers,
  TIME,
  untilStatus,
} from '../campaigns/fixtures.js';
import {
  campaignInRows,
  KINDS,
  put,
  sent,
  TestBucket,
  type UploadBody,
  type UploadState,
  uploadOf,
  uploadState,
} from './fixtures.js';

const MIXED = [
  'telefone;nome',
  '11987654321;Ana',
  '',
  '+5511987654321',
  'abc1',
  '1133334444',
  '119876543',
  '10987654321',
  '+351 912 345 678',
].join('\r\n');
const DECIDED = /^(aceito|recusado)$/;

const bucket = new TestBucket();
let stage: ApiStage;
let ana: TestUser;
let company: TestCompany;

beforeAll(async () => {
  await bucket.open();
  stage = await ApiStage.open({ env: { ...bucket.env, UPLOAD_LIMIT_MIB: '16' } });
  ana = await stage.user();
  company = await stage.company(ana);
});

afterAll(async () => {
  await stage?.close();
  await bucket.close();
});

const post = (body: object | string) => as(stage, ana)<UploadBody>('POST', '/api/uploads', { body });

function untilDecided(id: string): Promise<UploadState> {
  return stage.until(
    async () => {
      const state = await uploadState(stage, ana, id);
      return DECIDED.test(state.status) ? state : undefined;
    },
    `upload ${id} is decided`,
    PATIENCE_MS,
  );
}

describe('a file sent to the URL of an upload', () => {
  test('is read in the column that the upload names, or refused with those that there are', async () => {
    const file = 'cpf;nome;celular\n11987654321;Ana;21998765432\n';
    const wanted = [undefined, 'CPF', 1, 'fone'];
    const uploads = await Promise.all(
      wanted.map((phone_column) => sent(stage, ana, company, file, phone_column === undefined ? {} : { phone_column })),
    );
    const states = await Promise.all(uploads.map(({ id }) => untilDecided(id)));
    expect(states.map(({ file: read, problem }) => read?.phone_column ?? problem)).toEqual([
      'celular',
      'cpf',
      'cpf',
      expect.objectContaining({ code: 'CAMPAIGN.PHONE_COLUMN_UNKNOWN', columns: ['cpf', 'nome', 'celular'] }),
    ]);
    const wrong = await post(uploadOf(company, 10, { phone_column: 0 }));
    expect(refusal(wrong)).toEqual([400, 'VALIDATION']);
  });

  test('is found without an event, and becomes what the same file becomes by multipart', async () => {
    const byForm = await accepted(stage, ana, company, MIXED);
    const size = Buffer.byteLength(MIXED);
    const asked = await post(uploadOf(company, size));
    expect([asked.status, asked.body]).toEqual([201, { id: ID, url: expect.any(String), expires_at: TIME }]);
    const { id, url } = asked.body;
    expect(await uploadState(stage, ana, id)).toEqual({
      status: 'esperando',
      campaign_id: null,
      import_id: null,
      file: null,
      problem: null,
    });
    expect(await put(url, MIXED)).toEqual([200, undefined]);
    const state = await untilDecided(id);
    expect(state).toEqual({ status: 'aceito', campaign_id: ID, import_id: null, file: byForm.file, problem: null });
    const campaignId = state.campaign_id ?? '';
    expect(await campaignInRows(stage, campaignId)).toEqual(await campaignInRows(stage, byForm.id));
    await stage.until(() => !existsSync(bucket.fileOf(id)), 'the object is removed');

    const rejects = (of: string) => stage.api('GET', `/api/campaigns/${of}/rejects`, { token: ana.token });
    expect((await rejects(campaignId)).body).toEqual((await rejects(byForm.id)).body);
  });

  test('ends as documents in order, repeated numbers kept where told so', async () => {
    const consumer = stage.consumer();
    try {
      const numbers = someNumbers(1_203);
      const file = [...numbers, ...numbers.slice(0, 2)].join('\n');
      const { id } = await sent(stage, ana, company, file, { allow_duplicates: true });
      const { campaign_id, file: counts } = await untilDecided(id);
      expect(counts).toEqual({
        lines: 1_205,
        accepted: 1_205,
        duplicate: 0,
        invalid: 0,
        blank: 0,
        phone_column: 1,
        rejects_kept: 0,
        rejects: [],
      });
      await untilStatus(stage, ana, campaign_id ?? '', 'enviado');
      expect(await storedNumbers(stage, campaign_id ?? '')).toEqual([...numbers, ...numbers.slice(0, 2)]);
    } finally {
      await consumer.kill();
    }
  });

  test('of a million numbers is accepted whole', { timeout: PATIENCE_MS * 3 }, async () => {
    const { id } = await sent(stage, ana, company, someNumbers(1_000_000).join('\n'));
    const { campaign_id, file } = await untilDecided(id);
    expect(file).toEqual({
      lines: 1e6,
      accepted: 1e6,
      duplicate: 0,
      invalid: 0,
      blank: 0,
      phone_column: 1,
      rejects_kept: 0,
      rejects: [],
    });
    expect(await campaignInRows(stage, campaign_id ?? '')).toMatchObject({
      campaign: [{ total: 1e6 }],
      chunks: [{ chunks: 500, numbers: 1e6 }],
      rejects: [],
    });
  });

  test('is refused for what a small file is refused for, and stays so', async () => {
    const REFUSED: [file: string, code: string, file?: unknown][] = [
      [
        'numbers\n\n123',
        'CAMPAIGN.FILE_EMPTY',
        {
          lines: 3,
          accepted: 0,
          duplicate: 0,
          invalid: 1,
          blank: 2,
          phone_column: 'numbers',
          rejects_kept: 0,
          rejects: [{ line: 3, value: '123', reason: 'wrong_length' }],
        },
      ],
      ['11987654321\n\0\n2', 'CAMPAIGN.FILE_NOT_TEXT'],
    ];
    for (const [content, code, file = null] of REFUSED) {
      const { id, url } = await sent(stage, ana, company, content);
      const problem = { type: 'about:blank', title: 'Bad Request', status: 400, detail: expect.any(String), code };
      const refused = {
        status: 'recusado',
        campaign_id: null,
        import_id: null,
        file,
        problem: expect.objectContaining(problem),
      };
      expect(await untilDecided(id)).toEqual(refused);
      await put(url, '11987654321\n'.padEnd(content.length, '\n').slice(0, content.length));
      await stage.until(() => !existsSync(bucket.fileOf(id)), 'what came later is removed', PATIENCE_MS);
      expect(await uploadState(stage, ana, id)).toEqual(refused);
    }
  });

  test('of another size, to another path or by another method is refused by the store', async () => {
    const { body } = await post(uploadOf(company, 12));
    expect(await put(body.url, '11987654321\n1')).toEqual([403, 'SignatureDoesNotMatch']);
    expect(await put(body.url.replace(body.id, 'another'), '11987654321\n')).toEqual([403, 'SignatureDoesNotMatch']);
    expect((await fetch(body.url)).status).toBe(403);
    expect(existsSync(bucket.fileOf(body.id))).toBe(false);
    expect((await uploadState(stage, ana, body.id)).status).toBe('esperando');
  });
});

describe('a file of debts sent to the URL of an upload', () => {
  const KEPT = ['file_name', 'sha256', 'bytes', 'lines', 'blank', 'accepted', 'rejected', 'created', 'rejects'];
  const debtsOf = (of: TestCompany, file: string, fields: Record<string, unknown> = {}) =>
    sent(stage, ana, of, file, fields, KINDS.import);

  test('becomes what the same file becomes by multipart, and is merged', async () => {
    const [file] = KINDS.import.files;
    const other = await stage.company(ana);
    const byForm = await imported(stage, ana, other, file);
    const { id } = await debtsOf(company, file, { file_name: 'debts.csv' });
    const { import_id } = await untilDecided(id);
    const byUrl = await stage.until(
      async () => {
        const found = await find(stage, ana, company, import_id ?? '');
        return found.status === 'importado' ? found : undefined;
      },
      'it is merged',
      PATIENCE_MS,
    );
    const kept = (of: TestImport) => Object.fromEntries(KEPT.map((field) => [field, of[field]]));
    expect(kept(byUrl)).toEqual(kept(byForm));
    expect([byUrl.created, byUrl.rejected]).toEqual([1, 1]);
  });

  test('has no name where it is sent without one, and one cut as that of a form', async () => {
    const [file] = KINDS.import.files;
    const uploads = await Promise.all([
      debtsOf(company, file, { file_name: undefined }),
      debtsOf(company, file, { file_name: `\u200b${'x'.repeat(300)}` }),
    ]);
    const states = await Promise.all(uploads.map(({ id }) => untilDecided(id)));
    const found = await Promise.all(states.map(({ import_id }) => find(stage, ana, company, import_id ?? '')));
    expect(found.map(({ file_name }) => file_name)).toEqual([null, `\\u200b${'x'.repeat(249)}`]);
    const named = await stage.sql('SELECT id FROM uploads WHERE file_name IS NOT NULL AND id = ANY ($1)', [
      uploads.map(({ id }) => id),
    ]);
    // Its import alone has it from then on, and erases it.
    expect(named).toEqual([]);
  });

  test.each([
    ['has a header alone', HEADER, 'BILLING.FILE_EMPTY'],
    ['lacks a column', 'name,email\nAna,ana@example.com\n', 'BILLING.HEADER_INVALID'],
    ['is no text', fileOf('a\0b'), 'BILLING.FILE_NOT_TEXT'],
  ])('is refused when it %s, and nothing of it is stored', async (_, file, code) => {
    const before = await rows(stage);
    const { id } = await debtsOf(company, file);
    const { status, import_id, file: counts, problem } = await untilDecided(id);
    expect([status, import_id, counts, problem]).toEqual([
      'recusado',
      null,
      null,
      expect.objectContaining({ status: 400, code, detail: expect.any(String) }),
    ]);
    expect(await rows(stage)).toEqual(before);
    await stage.until(() => !existsSync(bucket.fileOf(id)), 'the object is removed');
  });
});

describe('POST /api/uploads is refused', () => {
  const without = (field: string): object => ({ ...uploadOf(company, 12), [field]: undefined });

  test.each<[string, () => object | string, number, string]>([
    ['without a name', () => without('name'), 400, 'VALIDATION'],
    ['without a message', () => without('message'), 400, 'VALIDATION'],
    ['without a company', () => without('company_id'), 400, 'VALIDATION'],
    ['without a size', () => without('size'), 400, 'VALIDATION'],
    ['with a blank name', () => uploadOf(company, 12, { name: ' ' }), 400, 'VALIDATION'],
    [
      'with a message of 1,601 characters',
      () => uploadOf(company, 12, { message: 'x'.repeat(1_601) }),
      400,
      'VALIDATION',
    ],
    ['with a size below zero', () => uploadOf(company, -1), 400, 'VALIDATION'],
    ['with half a byte', () => uploadOf(company, 1.5), 400, 'VALIDATION'],
    ['with a field that is not known', () => uploadOf(company, 12, { phone_numbers: [] }), 400, 'VALIDATION'],
    ['for an empty file', () => uploadOf(company, 0), 400, 'CAMPAIGN.FILE_EMPTY'],
    ['for a file over the limit', () => uploadOf(company, 16 * 1_048_576 + 1), 413, 'CAMPAIGN.FILE_TOO_LARGE'],
    ['for a company that is none', () => uploadOf({ ...company, id: '\0' }, 12), 404, 'COMPANY.NOT_FOUND'],
  ])('%s', async (_, body, status, code) => {
    expect(refusal(await post(body()))).toEqual([status, code]);
  });

  const debts = (size: unknown, fields: object = {}) => ({ company_id: company.id, size, ...fields });
  test.each<[string, () => object | string, number, string]>([
    ['without a company', () => ({ size: 12 }), 400, 'VALIDATION'],
    ['without a size', () => debts(undefined), 400, 'VALIDATION'],
    ['with a size below zero', () => debts(-1), 400, 'VALIDATION'],
    ['with a file name that is no text', () => debts(12, { file_name: 1 }), 400, 'VALIDATION'],
    ['with a field of a campaign', () => debts(12, { name: 'Black Friday' }), 400, 'VALIDATION'],
    ['for an empty file', () => debts(0), 400, 'BILLING.FILE_EMPTY'],
    ['for a file over the limit', () => debts(16 * 1_048_576 + 1), 413, 'BILLING.FILE_TOO_LARGE'],
    ['for a company that is none', () => debts(12, { company_id: '\0' }), 404, 'COMPANY.NOT_FOUND'],
  ])('for debts %s', async (_, body, status, code) => {
    expect(refusal(await as(stage, ana)('POST', '/api/billing/uploads', { body: body() }))).toEqual([status, code]);
  });

  test("for another's company, whose uploads are not found either", async () => {
    const eva = await stage.user();
    for (const { route, body } of Object.values(KINDS))
      expect(refusal(await as(stage, eva)('POST', route, { body: body(company, 12) }))).toEqual([
        404,
        'COMPANY.NOT_FOUND',
      ]);
    const { body } = await post(uploadOf(company, 12));
    for (const id of [body.id, 'abcdefghijklmnopqrstuvwx', 'no%20id'])
      expect(refusal(await as(stage, eva)('GET', `/api/uploads/${id}`))).toEqual([404, 'UPLOAD.NOT_FOUND']);
    expect(refusal(await stage.api('GET', `/api/uploads/${body.id}`))).toEqual([401, 'AUTH.TOKEN_MISSING']);
  });
});

describe.each(Object.entries(KINDS))('an upload that becomes a %s', (_kind, kind) => {
  const [FILE, OTHER] = kind.files;
  const ask = (of = company) =>
    as(stage, ana)<UploadBody>('POST', kind.route, { body: kind.body(of, Buffer.byteLength(FILE)) });

  test('that nobody has sent a file to is refused once its URL is over, and not before', async () => {
    const { body } = await ask();
    await stage.sql("UPDATE uploads SET expires_at = now() - interval '50 minutes', look_at = now() WHERE id = $1", [
      body.id,
    ]);
    await stage.until(
      async () => (await stage.sql('SELECT FROM uploads WHERE id = $1 AND look_at > now()', [body.id])).length > 0,
      'it was looked for',
    );
    expect((await uploadState(stage, ana, body.id)).status).toBe('esperando');
    await stage.sql("UPDATE uploads SET expires_at = now() - interval '61 minutes', look_at = now() WHERE id = $1", [
      body.id,
    ]);
    const { status, problem } = await untilDecided(body.id);
    expect([status, problem?.code]).toEqual(['recusado', 'UPLOAD.EXPIRED']);
  });

  test('tells when its URL was used twice, and stays what it was', async () => {
    const { id, url } = await sent(stage, ana, company, FILE, {}, kind);
    const { campaign_id, import_id } = await untilDecided(id);
    await stage.until(() => !existsSync(bucket.fileOf(id)), 'the object is removed');
    expect(await put(url, OTHER)).toEqual([200, undefined]);
    const state = await stage.until(
      async () => {
        const now = await uploadState(stage, ana, id);
        return now.problem && now;
      },
      'it tells',
      PATIENCE_MS,
    );
    expect([
      state.status,
      state.campaign_id,
      state.import_id,
      state.problem?.code,
      await kind.which(stage, id),
    ]).toEqual(['aceito', campaign_id, import_id, 'UPLOAD.USED_TWICE', 0]);
    await stage.until(() => !existsSync(bucket.fileOf(id)), 'what came later is removed');
  });

  test('goes with its company, and so does its object', async () => {
    const gone = await stage.company(ana);
    const { body } = await ask(gone);
    expect((await as(stage, ana)('DELETE', `/api/companies/${gone.id}`)).status).toBe(204);
    expect(refusal(await as(stage, ana)('GET', `/api/uploads/${body.id}`))).toEqual([404, 'UPLOAD.NOT_FOUND']);
    expect(await put(body.url, FILE)).toEqual([200, undefined]);
    await stage.until(() => !existsSync(bucket.fileOf(body.id)), 'the object is removed', PATIENCE_MS);
    expect(await kind.made(stage, gone)).toEqual([]);
  });
});

describe('an upload', () => {
  // The SDK warns of Node 20 by its first client, on standard error.
  test('needs nothing of the SDK that is said on the terminal', async () => {
    expect((await post({ name: 'a', message: 'a', company_id: company.id, size: 10 })).status).toBe(201);
    expect(stage.output.filter((line) => !line.startsWith('{'))).toEqual([]);
  });

  test('is in the OpenAPI document', async () => {
    const { body } = await stage.api<{ paths: Record<string, object> }>('GET', '/api/openapi.json');
    expect([Object.keys(body.paths['/api/uploads'] ?? {}), Object.keys(body.paths['/api/uploads/{id}'] ?? {})]).toEqual(
      [['post'], ['get']],
    );
  });
});
