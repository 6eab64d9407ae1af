import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import { as, create, FIVE, fieldsOf, form, refusal, rowsStored, upload } from './fixtures.js';

let stage: ApiStage;
let ana: TestUser;
let company: TestCompany;

beforeAll(async () => {
  stage = await ApiStage.open({ env: { UPLOAD_LIMIT_MIB: '1' } });
  ana = await stage.user();
  company = await stage.company(ana);
});

afterAll(async () => {
  await stage?.close();
});

const fields = () => fieldsOf(company);

function post(body: FormData | object | string, headers: Record<string, string> = {}) {
  return create(stage, ana, body, headers);
}

describe('refused whole, with nothing stored', () => {
  const file: [string, string] = ['file', '11987654321\n'];
  /** The fields with one of them changed. */
  const changed = (name: string, value: string): [string, string][] =>
    fields().map(([key, old]) => [key, key === name ? value : old]);
  const without = (name: string): [string, string][] => fields().filter(([key]) => key !== name);

  const REFUSED: [why: string, body: () => FormData | object | string, status: number, code: string, rest?: object][] =
    [
      ['no file', () => form(fields()), 400, 'CAMPAIGN.FILE_MISSING'],
      [
        'a file that is a plain field',
        () => {
          const body = form(fields());
          body.append('file', '11987654321');
          return body;
        },
        400,
        'CAMPAIGN.FILE_MISSING',
      ],
      [
        'an empty file',
        () => form([...fields(), ['file', '']]),
        400,
        'CAMPAIGN.FILE_EMPTY',
        {
          file: {
            lines: 0,
            accepted: 0,
            duplicate: 0,
            invalid: 0,
            blank: 0,
            phone_column: 1,
            rejects_kept: 0,
            rejects: [],
          },
        },
      ],
      [
        'a file of newlines',
        () => form([...fields(), ['file', '\n\r\n\r']]),
        400,
        'CAMPAIGN.FILE_EMPTY',
        {
          file: {
            lines: 3,
            accepted: 0,
            duplicate: 0,
            invalid: 0,
            blank: 3,
            phone_column: 1,
            rejects_kept: 0,
            rejects: [],
          },
        },
      ],
      [
        'a file without an acceptable number',
        () => form([...fields(), ['file', 'numbers\n\n123']]),
        400,
        'CAMPAIGN.FILE_EMPTY',
        {
          file: {
            lines: 3,
            accepted: 0,
            duplicate: 0,
            invalid: 1,
            blank: 2,
            phone_column: 'numbers',
            rejects_kept: 0,
            rejects: [{ line: 3, value: '123', reason: 'wrong_length' }],
          },
        },
      ],
      [
        'a list without an entry',
        () => ({ ...Object.fromEntries(fields()), phone_numbers: [] }),
        400,
        'CAMPAIGN.FILE_EMPTY',
      ],
      ['NUL in the file', () => form([...fields(), ['file', '11987654321\n\0\n2']]), 400, 'CAMPAIGN.FILE_NOT_TEXT'],
      [
        'a control character in a later column',
        () => form([...fields(), ['file', '11987654321;a\u0007\n']]),
        400,
        'CAMPAIGN.FILE_NOT_TEXT',
      ],
      [
        'a control character in a list',
        () => ({ ...Object.fromEntries(fields()), phone_numbers: ['11987654321', '\u0001'] }),
        400,
        'CAMPAIGN.FILE_NOT_TEXT',
      ],
      [
        'a file over the limit, which it names',
        () => form([...fields(), ['file', '11987654321\n'.repeat(90_000)]]),
        413,
        'CAMPAIGN.FILE_TOO_LARGE',
        { detail: expect.stringContaining('1 MiB') },
      ],
      [
        'a form far over the limit',
        () => form([...fields(), ['file', '11987654321\n'.repeat(400_000)]]),
        413,
        'CAMPAIGN.FILE_TOO_LARGE',
        { detail: expect.stringContaining('1 MiB') },
      ],
      ['no name', () => form([...without('name'), file]), 400, 'VALIDATION'],
      ['a blank name', () => form([...changed('name', ' \t '), file]), 400, 'VALIDATION'],
      ['a name of 201 code points', () => form([...changed('name', '😀'.repeat(201)), file]), 400, 'VALIDATION'],
      ['a control character in the name', () => form([...changed('name', 'a\u0007b'), file]), 400, 'VALIDATION'],
      ['no message', () => form([...without('message'), file]), 400, 'VALIDATION'],
      ['a blank message', () => form([...changed('message', '  '), file]), 400, 'VALIDATION'],
      [
        'a message of 1,601 code points',
        () => form([...changed('message', '😀'.repeat(1_601)), file]),
        400,
        'VALIDATION',
      ],
      ['NUL in the message', () => form([...changed('message', 'a\0b'), file]), 400, 'VALIDATION'],
      ['C1 control in the message', () => form([...changed('message', 'a\u0085b'), file]), 400, 'VALIDATION'],
      [
        'a carriage return in a JSON message',
        () => ({ ...Object.fromEntries(changed('message', 'a\rb')), phone_numbers: ['11987654321'] }),
        400,
        'VALIDATION',
      ],
      [
        'half a surrogate in a JSON message',
        () => `{"name":"n","message":"\\ud83d","company_id":"${company.id}","phone_numbers":["11987654321"]}`,
        400,
        'VALIDATION',
      ],
      ['no company', () => form([...without('company_id'), file]), 400, 'VALIDATION'],
      [
        'a company that is nobody’s',
        () => form([...changed('company_id', 'zzzzzzzzzzzzzzzzzzzzzzzz'), file]),
        404,
        'COMPANY.NOT_FOUND',
      ],
      [
        'a company that cannot be',
        () => form([...changed('company_id', "'; DROP TABLE campaigns"), file]),
        404,
        'COMPANY.NOT_FOUND',
      ],
      ['NUL in the company', () => form([...changed('company_id', 'a\0b'), file]), 404, 'COMPANY.NOT_FOUND'],
      ['an unknown field', () => form([...fields(), ['user_id', 'x'], file]), 400, 'VALIDATION'],
      [
        'an unknown field in JSON',
        () => ({ ...Object.fromEntries(fields()), phone_numbers: ['11987654321'], status: 'enviado' }),
        400,
        'VALIDATION',
      ],
      ['a field twice', () => form([...fields(), ['name', 'again'], file]), 400, 'VALIDATION'],
      ['a file twice', () => form([...fields(), file, file]), 400, 'VALIDATION'],
      [
        'a file of another name',
        () => {
          const body = form([...fields(), file]);
          body.append('other', new Blob(['11987654321']), 'other.txt');
          return body;
        },
        400,
        'VALIDATION',
      ],
      [
        'allow_duplicates that is neither true nor false',
        () => form([...fields(), ['allow_duplicates', 'yes'], file]),
        400,
        'VALIDATION',
      ],
      [
        'numbers that are not text',
        () => ({ ...Object.fromEntries(fields()), phone_numbers: [11_987_654_321] }),
        400,
        'VALIDATION',
      ],
      [
        'seventeen unknown fields',
        () => form([...fields(), ...Array.from({ length: 17 }, (_, n): [string, string] => [`x${n}`, 'x']), file]),
        400,
        'VALIDATION',
      ],
      ['no body', () => ({}), 400, 'VALIDATION'],
      ['a body that is no object', () => '[]', 400, 'VALIDATION'],
      ['what is not JSON', () => '{"name":', 400, 'VALIDATION'],
      ['a JSON body over 10 MiB', () => `{"name":"${'x'.repeat(10 * 1_048_576)}"}`, 413, 'CAMPAIGN.FILE_TOO_LARGE'],
    ];

  test.each(REFUSED)('%s', async (_why, body, status, code, rest = {}) => {
    const before = await rowsStored(stage);
    const answer = await post(body());
    expect([refusal(answer), answer.body]).toEqual([[status, code], expect.objectContaining(rest)]);
    expect(await rowsStored(stage)).toEqual(before);
  });

  test('a query, since the form alone says what is wanted', async () => {
    const before = await rowsStored(stage);
    const body = form([...fields(), file]);
    const answer = await stage.api('POST', '/api/campaigns?allow_duplicates=true', { token: ana.token, body });
    expect(refusal(answer)).toEqual([400, 'VALIDATION']);
    expect(await rowsStored(stage)).toEqual(before);
  });

  test('a company of somebody else, and one that is deleted', async () => {
    const stranger = await stage.user();
    const deleted = await stage.company(ana);
    await as(stage, ana)('DELETE', `/api/companies/${deleted.id}`);
    const before = await rowsStored(stage);
    const answers = [await upload(stage, stranger, company, FIVE), await upload(stage, ana, deleted, FIVE)];
    expect(answers.map(refusal)).toEqual([
      [404, 'COMPANY.NOT_FOUND'],
      [404, 'COMPANY.NOT_FOUND'],
    ]);
    expect(await rowsStored(stage)).toEqual(before);
  });

  test('a caller without a token', async () => {
    const answer = await stage.api('POST', '/api/campaigns', { body: form([...fields(), file]) });
    expect(refusal(answer)).toEqual([401, 'AUTH.TOKEN_MISSING']);
  });

  test('a form that breaks off, and one whose boundary is missing', async () => {
    const before = await rowsStored(stage);
    const type = { 'content-type': 'multipart/form-data; boundary=x' };
    const answers = [
      await post('--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nBla', type),
      await post('--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n11987654321\n', type),
      await post('--x--\r\n', { 'content-type': 'multipart/form-data' }),
    ];
    expect(answers.map(refusal)).toEqual([
      [400, 'VALIDATION'],
      [400, 'VALIDATION'],
      [400, 'VALIDATION'],
    ]);
    expect(await rowsStored(stage)).toEqual(before);
  });
});

describe('limits that are just kept', () => {
  test('a name of 200 and a message of 1,600 code points, the name trimmed and the message not', async () => {
    const name = '😀'.repeat(200);
    const message = ` ${'🎉'.repeat(1_598)}\n`;
    const { status, body } = await upload(stage, ana, company, FIVE, { fields: { name: `  ${name} `, message } });
    // FormData sends the newline as CRLF, as a browser does.
    expect([status, body.name, body.message]).toEqual([201, name, message]);
  });

  test('a file of exactly the limit', async () => {
    const mib = `${'11987654321;a\n'.padEnd(1_048_576 - 12, ' ')}11987654322\n`;
    const { status, body } = await upload(stage, ana, company, mib);
    expect([mib.length, status, body.file]).toMatchObject([1_048_576, 201, { accepted: 2 }]);
  });
});
