import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import type { Process } from '../../../testing/process.js';
import {
  accepted,
  create,
  FIVE,
  fieldsOf,
  form,
  ID,
  MESSAGE,
  PATIENCE_MS,
  refusal,
  rowsStored,
  someNumbers,
  storedNumbers,
  TIME,
  untilStatus,
  upload,
} from './fixtures.js';

const FIVE_STORED = ['+5511987654321', '+5521998765432', '+5531987651234', '+5541988887777', '+5585991234567'];

let stage: ApiStage;
let consumer: Process;
let ana: TestUser;
let company: TestCompany;

beforeAll(async () => {
  stage = await ApiStage.open({ env: { UPLOAD_LIMIT_MIB: '1' } });
  consumer = stage.consumer();
  ana = await stage.user();
  company = await stage.company(ana);
});

afterAll(async () => {
  await consumer?.kill();
  await stage?.close();
});

const fields = () => fieldsOf(company);

function post(body: FormData | object | string, headers: Record<string, string> = {}) {
  return create(stage, ana, body, headers);
}

describe('a file of numbers', () => {
  test('of five is answered with the campaign and its counts, and becomes five documents in order', async () => {
    const answer = await post(form([...fields(), ['file', FIVE.join('\r\n')]]));
    const { id } = answer.body;
    const campaign = {
      id: ID,
      name: 'Black Friday',
      message: MESSAGE,
      company_id: company.id,
      user_id: ana.id,
      total: 5,
      created_at: TIME,
      updated_at: TIME,
      deleted: false,
    };
    expect([answer.status, answer.headers.get('location'), answer.body]).toEqual([
      201,
      `/api/campaigns/${id}`,
      {
        ...campaign,
        status: expect.stringMatching(/^(enfileirado|enviando|enviado)$/),
        published: 5,
        stored: expect.any(Number),
        percent: expect.any(Number),
        file: {
          lines: 5,
          accepted: 5,
          duplicate: 0,
          invalid: 0,
          blank: 0,
          phone_column: 1,
          rejects_kept: 0,
          rejects: [],
        },
      },
    ]);
    expect(await untilStatus(stage, ana, id, 'enviado')).toEqual({
      ...campaign,
      status: 'enviado',
      published: 5,
      stored: 5,
      percent: 100,
    });
    const documents = await stage.mongo.collection('messages').find({ campaign_id: id }).sort({ _id: 1 }).toArray();
    expect(documents).toEqual(
      FIVE_STORED.map((phone_number, index) => ({
        _id: `${id}:00000000${index + 1}`,
        identifier: ID,
        phone_number,
        message: MESSAGE,
        campaign_id: id,
        company_id: company.id,
        sequence: index + 1,
        created_at: expect.any(Date),
        updated_at: expect.any(Date),
        deleted: false,
      })),
    );
    expect(new Set(documents.map(({ identifier }) => identifier)).size).toBe(5);
  });

  test('may come before the fields, between them, and before allow_duplicates', async () => {
    const file: [string, string] = ['file', '11987654321\n11987654321\n'];
    const [name, message, companyId] = fields() as [[string, string], [string, string], [string, string]];
    const orders = [
      [file, companyId, message, name],
      [message, file, name, companyId],
      [file, name, message, companyId, ['allow_duplicates', 'true']],
      [['allow_duplicates', 'true'], companyId, name, message, file],
      [name, message, companyId, file, ['allow_duplicates', 'false']],
    ] as [string, string][][];
    const answers = await Promise.all(orders.map((parts) => post(form(parts))));
    const file1 = {
      lines: 2,
      accepted: 1,
      duplicate: 1,
      invalid: 0,
      blank: 0,
      phone_column: 1,
      rejects_kept: 0,
      rejects: [],
    };
    const file2 = {
      lines: 2,
      accepted: 2,
      duplicate: 0,
      invalid: 0,
      blank: 0,
      phone_column: 1,
      rejects_kept: 0,
      rejects: [],
    };
    expect(answers.map(({ status, body }) => [status, body.total, body.file])).toEqual([
      [201, 1, file1],
      [201, 1, file1],
      [201, 2, file2],
      [201, 2, file2],
      [201, 1, file1],
    ]);
  });

  test('names its column in phone_column, wherever that stands in the form', async () => {
    const file: [string, string] = ['file', 'cpf;nome;celular\n11987654321;Ana;21998765432\n'];
    const column = (value: string): [string, string] => ['phone_column', value];
    const answers = await Promise.all(
      [
        [...fields(), file],
        [...fields(), column('CPF'), file],
        [file, ...fields(), column('cpf')],
        [...fields(), column('1'), file],
        [file, column('1'), ...fields()],
        [file, column('3'), ...fields()],
      ].map((parts) => post(form(parts))),
    );
    expect(answers.map(({ body }) => [body.total, body.file.phone_column])).toEqual([
      [1, 'celular'],
      ...[1, 2, 3, 4].map(() => [1, 'cpf']),
      [1, 'celular'],
    ]);
    const stored = await Promise.all(
      answers.map(
        async ({ body }) =>
          (await stage.sql('SELECT phone_numbers FROM campaign_chunks WHERE campaign_id = $1', [body.id]))[0],
      ),
    );
    const [celular, cpf] = ['+5521998765432', '+5511987654321'].map((phone_numbers) => ({ phone_numbers }));
    expect(stored).toEqual([celular, cpf, cpf, cpf, cpf, celular]);
  });

  test('is refused for a column that it has not, with those that it has, and nothing is stored', async () => {
    const before = await rowsStored(stage);
    const file: [string, string] = ['file', 'cpf;nome\n11987654321;Ana\n'];
    const lone: [string, string] = ['file', '11987654321\n'];
    const answers = await Promise.all([
      post(form([...fields(), file])),
      post(form([...fields(), ['phone_column', 'celular'], file])),
      post(form([file, ...fields(), ['phone_column', 'celular']])),
      post(form([lone, ...fields(), ['phone_column', '2']])),
      post({ ...Object.fromEntries(fields()), phone_numbers: FIVE, phone_column: 2 }),
    ]);
    expect(answers.map((answer) => [...refusal(answer), (answer.body as { columns?: unknown }).columns])).toEqual([
      ...[1, 2, 3].map(() => [400, 'CAMPAIGN.PHONE_COLUMN_UNKNOWN', ['cpf', 'nome']]),
      ...[1, 2].map(() => [400, 'CAMPAIGN.PHONE_COLUMN_UNKNOWN', [1]]),
    ]);
    const values = ['', ' ', '0', 'x'.repeat(201)];
    const wrong = await Promise.all(values.map((value) => post(form([...fields(), ['phone_column', value], file]))));
    const inJson = [0, 1.5, null, '', []].map((phone_column) =>
      post({ ...Object.fromEntries(fields()), phone_numbers: FIVE, phone_column }),
    );
    for (const answer of [...wrong, ...(await Promise.all(inJson))])
      expect(refusal(answer)).toEqual([400, 'VALIDATION']);
    expect(await rowsStored(stage)).toEqual(before);
  });

  test('of another column is other content for an Idempotency-Key', async () => {
    const file: [string, string] = ['file', 'celular;telefone\n11987654321;21998765432\n'];
    const key = { 'idempotency-key': 'another column' };
    const first = await post(form([...fields(), file]), key);
    const second = await post(form([...fields(), file, ['phone_column', 'telefone']]), key);
    expect([first.status, ...refusal(second)]).toEqual([201, 422, 'CAMPAIGN.IDEMPOTENCY_KEY_REUSED']);
  });

  test('has its lines counted by kind, and its rejects named, the first twenty in the answer', async () => {
    const kinds = [
      'telefone;nome',
      '11987654321;Ana',
      '',
      '+5511987654321',
      'abc1',
      '1133334444',
      '119876543',
      '10987654321',
      '+351 912 345 678',
    ];
    const { body } = await upload(stage, ana, company, kinds);
    expect(body.file).toEqual({
      lines: 9,
      accepted: 2,
      duplicate: 1,
      invalid: 4,
      blank: 2,
      phone_column: 'telefone',
      rejects_kept: 4,
      rejects: [
        { line: 5, value: 'abc1', reason: 'not_a_number' },
        { line: 6, value: '1133334444', reason: 'not_mobile' },
        { line: 7, value: '119876543', reason: 'wrong_length' },
        { line: 8, value: '10987654321', reason: 'unknown_ddd' },
      ],
    });
    await untilStatus(stage, ana, body.id, 'enviado');
    expect(await storedNumbers(stage, body.id)).toEqual(['+5511987654321', '+351912345678']);

    const many = await upload(stage, ana, company, [
      '11987654321',
      ...Array.from({ length: 25 }, (_, i) => `1${i + 10}`),
    ]);
    const rejects = Array.from({ length: 20 }, (_, i) => ({
      line: i + 2,
      value: `1${i + 10}`,
      reason: 'wrong_length',
    }));
    expect(many.body.file).toEqual({
      lines: 26,
      accepted: 1,
      duplicate: 0,
      invalid: 25,
      blank: 0,
      phone_column: 1,
      rejects_kept: 25,
      rejects,
    });
  });

  test('may hold Windows-1252 text in later columns', async () => {
    const file = new Uint8Array([...Buffer.from('11987654321;Jo'), 0xe3, ...Buffer.from('o\n')]);
    const { status, body } = await post(form([...fields(), ['file', file]]));
    expect([status, body.total]).toEqual([201, 1]);
  });

  test('of 1,203 numbers, which no number of queue messages divides, is stored whole and in order', async () => {
    const numbers = someNumbers(1_203);
    const { id } = await accepted(stage, ana, company, numbers);
    expect(await untilStatus(stage, ana, id, 'enviado')).toMatchObject({
      total: 1_203,
      published: 1_203,
      stored: 1_203,
    });
    expect(await storedNumbers(stage, id)).toEqual(numbers);
  });

  test(
    'of 20,000 numbers is stored whole and in order',
    async () => {
      const numbers = someNumbers(20_000);
      const { id } = await accepted(stage, ana, company, numbers);
      expect(await untilStatus(stage, ana, id, 'enviado')).toMatchObject({
        total: 20_000,
        published: 20_000,
        stored: 20_000,
      });
      expect(await storedNumbers(stage, id)).toEqual(numbers);
    },
    PATIENCE_MS * 2,
  );

  test('twenty of them at once all end as enviado with exact counts', async () => {
    const files = Array.from({ length: 20 }, (_, index) => someNumbers(40 + index, index * 1_000));
    const ids = await Promise.all(files.map(async (numbers) => (await accepted(stage, ana, company, numbers)).id));
    const ended = await Promise.all(ids.map((id) => untilStatus(stage, ana, id, 'enviado')));
    expect(ended.map(({ total, published, stored }) => [total, published, stored])).toEqual(
      files.map(({ length }) => [length, length, length]),
    );
    expect(await Promise.all(ids.map((id) => storedNumbers(stage, id)))).toEqual(files);
  });
});

describe('a JSON body', () => {
  test('makes the same campaign, each entry a line', async () => {
    const [name, message, company_id] = fields().map(([, value]) => value);
    const { status, headers, body } = await post({ name, message, company_id, phone_numbers: [...FIVE, FIVE[0], 'x'] });
    expect([status, headers.get('location'), body.total, body.file]).toEqual([
      201,
      `/api/campaigns/${body.id}`,
      5,
      {
        lines: 7,
        accepted: 5,
        duplicate: 1,
        invalid: 1,
        blank: 0,
        phone_column: 1,
        rejects_kept: 1,
        rejects: [{ line: 7, value: 'x', reason: 'not_a_number' }],
      },
    ]);
    await untilStatus(stage, ana, body.id, 'enviado');
    expect(await storedNumbers(stage, body.id)).toEqual(FIVE_STORED);
  });

  test('keeps repeated numbers when told so', async () => {
    const [name, message, company_id] = fields().map(([, value]) => value);
    const { body } = await post({
      name,
      message,
      company_id,
      allow_duplicates: true,
      phone_numbers: [FIVE[0], FIVE[0]],
    });
    expect(body.file).toEqual({
      lines: 2,
      accepted: 2,
      duplicate: 0,
      invalid: 0,
      blank: 0,
      phone_column: 1,
      rejects_kept: 0,
      rejects: [],
    });
  });
});
