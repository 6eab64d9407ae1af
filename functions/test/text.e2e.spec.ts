import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Edge, ENTRIES, FILE, part } from './edge-fixtures.js';

const LATIN_1 = '\xe9';
const REFUSED = [400, 'BODY.NOT_UTF8'];
const FOREIGN = [415, 'VALIDATION'];

describe.each(ENTRIES)('texts, by %s', (entry) => {
  let edge: Edge;

  beforeAll(async () => {
    edge = await Edge.open(entry);
  }, 180_000);

  afterAll(() => edge?.close());

  /** Asks each route that takes a text; nothing may be stored by any of them. */
  async function refusals(text: string, encoding: 'latin1' | 'utf8'): Promise<unknown[]> {
    const before = await edge.rows();
    const answers: unknown[] = [];
    for (const [method, path, body] of edge.texts(text)) {
      const answer = await edge.send(method, path, Buffer.from(body, encoding));
      answers.push([answer.status, answer.body.code]);
    }
    expect(await edge.rows()).toEqual(before);
    return answers;
  }

  const everywhere = (refusal: unknown[]) => edge.texts('').map(() => refusal);

  test.each([
    ['Latin-1', LATIN_1],
    ['an overlong slash', '\xc0\xaf'],
    ['half a surrogate pair in three bytes', '\xed\xa0\xbd'],
    ['a character that breaks off', '\xf0\x9f\x98'],
    ['a code point behind the last', '\xf4\x90\x80\x80'],
  ])('of bytes that are no UTF-8 are refused on every route: %s', async (_, bytes) => {
    expect(await refusals(bytes, 'latin1')).toEqual(everywhere(REFUSED));
  });

  test('that hold U+FFFD are refused, as it is and escaped, in a value and in a key', async () => {
    expect(await refusals('\ufffd', 'utf8')).toEqual(everywhere(REFUSED));
    expect(await refusals('\\ufffd', 'utf8')).toEqual(everywhere(REFUSED));
    for (const body of ['{"a":[{"\\uFFFD":1}]}', '{"\\ufffd":1}', '{}\ufffd', '"\\ufffd"']) {
      const answer = await edge.send('POST', '/api/users', body);
      expect([body, answer.status, answer.body.code]).toEqual([body, ...REFUSED]);
    }
  });

  test('that hold half of a surrogate pair are refused', async () => {
    for (const half of ['\\ud83d', '\\uDE00'])
      expect(await refusals(half, 'utf8')).toEqual(everywhere([400, 'VALIDATION']));
  });

  test('in a form are refused where the bytes of a field, its name or a file name are not UTF-8', async () => {
    const latin = (text: string) => Buffer.from(text, 'latin1');
    const company = part('company_id', edge.company.id);
    const [name, message] = [part('name', 'n'), part('message', 'm')];
    const before = await edge.rows();
    const disposed = (words: string) => latin(`Content-Disposition: form-data; ${words}\r\n\r\n11987654321`);
    for (const parts of [
      [part('name', latin(`Jo${LATIN_1}`)), message, company, FILE],
      [name, part('message', latin(LATIN_1)), company, FILE],
      [name, part('message', '\ufffd'), company, FILE],
      [name, message, company, FILE, disposed(`name="${LATIN_1}"`)],
      [name, message, company, disposed(`name="file"; filename="n${LATIN_1}.txt"`)],
      [name, message, company, Buffer.concat([latin(`X-Any: ${LATIN_1}\r\n`), FILE])],
    ])
      expect([parts.length, await edge.form(parts)]).toEqual([parts.length, REFUSED]);
    expect(await edge.rows()).toEqual(before);
  });

  test('in a form are refused by another charset, coding or type of a part, and the file is not', async () => {
    const company = part('company_id', edge.company.id);
    const [name, message] = [part('name', 'n'), part('message', 'm')];
    const whole = [name, message, company, FILE];
    const before = await edge.rows();
    const types = ['iso-8859-1', 'windows-1252', 'utf-16', '"UTF-16LE"', 'base64', 'shift_jis', 'utf-7'];
    for (const charset of types) {
      const spoken = part('message', 'm', `content-type: text/plain;format=flowed; Charset=${charset}`);
      expect([charset, await edge.form([name, spoken, company, FILE])]).toEqual([charset, FOREIGN]);
      const type = `multipart/form-data; charset=${charset}; boundary=x`;
      expect([charset, await edge.form(whole, type)]).toEqual([charset, FOREIGN]);
    }
    expect(
      await edge.form([name, part('message', 'bQ==', 'Content-Transfer-Encoding: base64'), company, FILE]),
    ).toEqual(FOREIGN);
    expect(await edge.form([name, part('message', '{}', 'Content-Type: application/json'), company, FILE])).toEqual([
      400,
      'VALIDATION',
    ]);
    expect(await edge.rows()).toEqual(before);
    const file = 'Content-Disposition: form-data; name="file"; filename="a.txt"';
    expect([
      await edge.form([
        name,
        message,
        company,
        part('', '11987654321\n', file, 'Content-Type: text/csv; charset=latin1'),
      ]),
      await edge.form([part('name', 'é', 'Content-Type: text/plain; charset=UTF-8'), message, company, FILE]),
      await edge.form(whole, 'multipart/form-data; charset="utf-8"; boundary="x"'),
    ]).toEqual([
      [201, undefined],
      [201, undefined],
      [201, undefined],
    ]);
  });

  test('of another charset or coding are refused; any name of UTF-8 is taken', async () => {
    const ask = async (headers: Record<string, string>) => {
      const path = `/api/campaigns/${edge.campaignId}`;
      const { status, body } = await edge.send('PATCH', path, '{"name":"taken"}', headers);
      return [status, body.code];
    };
    const before = await edge.rows();
    for (const charset of ['iso-8859-1', 'windows-1252', 'utf-16', 'UTF-16BE', '"latin1"', 'us-ascii'])
      expect([charset, await ask({ 'content-type': `application/json; charset=${charset}` })]).toEqual([
        charset,
        FOREIGN,
      ]);
    expect(await ask({ 'content-encoding': 'gzip' })).toEqual(FOREIGN);
    expect(await edge.rows()).toEqual(before);
    for (const charset of ['utf-8', 'UTF-8', '"utf-8"', 'utf8'])
      expect(await ask({ 'content-type': `application/json;charset=${charset}` })).toEqual([200, undefined]);
  });

  test('lose a byte order mark before them, and CRLF in JSON is LF as in a form', async () => {
    const fields = { name: '\ufeffn', message: '\ufeffone\r\ntwo', company_id: `\ufeff${edge.company.id}` };
    const json = await edge.send(
      'POST',
      '/api/campaigns',
      `\ufeff${JSON.stringify({ ...fields, phone_numbers: ['\ufeff11987654321\r\n'] })}`,
    );
    expect([json.status, json.body]).toMatchObject([201, { name: 'n', message: 'one\ntwo', total: 1 }]);
    const parts = Object.entries(fields).map(([name, value]) => part(name, value));
    expect(await edge.form([...parts, FILE])).toEqual([201, undefined]);
    const stored = await edge.stage.sql("SELECT name, message FROM campaigns WHERE message LIKE 'one%'");
    expect(stored).toEqual([1, 2].map(() => ({ name: 'n', message: 'one\ntwo' })));
    const renamed = await edge.send('PATCH', `/api/companies/${edge.company.id}`, '{"name":"\\ufeffAcme"}');
    expect(renamed.body.name).toBe('Acme');
  });

  test('of a password are the same with and without a byte order mark', async () => {
    const email = 'marked@example.com';
    expect((await edge.send('POST', '/api/users', `{"email":"${email}","password":"\\ufeff12345678"}`)).status).toBe(
      201,
    );
    for (const password of ['12345678', '\ufeff12345678'])
      expect((await edge.send('POST', '/api/auth/login', JSON.stringify({ email, password }))).status).toBe(200);
  });

  test('of invisible characters alone are blank, beside visible ones they are kept', async () => {
    const before = await edge.rows();
    const blanks = [
      '\u200b',
      '\u00ad',
      '\u2060',
      '\u200e\u200f',
      '\u3164',
      '\u2800',
      '\u180e',
      '\u00a0',
      '\u202e',
      '\ufe0f',
      '\u{e0020}',
    ];
    for (const blank of blanks)
      for (const [method, path, fields] of [
        ['PATCH', `/api/companies/${edge.company.id}`, { name: blank }],
        ['PATCH', `/api/campaigns/${edge.campaignId}`, { name: ` ${blank} ` }],
        ['PATCH', `/api/users/${edge.ana.id}`, { password: blank.repeat(8) }],
        ['POST', '/api/companies', { name: blank, document: '12.ABC.345/01DE-35' }],
        ['POST', '/api/users', { email: 'blank@example.com', password: blank.repeat(8) }],
        ['POST', '/api/uploads', { name: 'n', message: `${blank}\n`, company_id: edge.company.id, size: 9 }],
        [
          'POST',
          '/api/campaigns',
          { name: 'n', message: blank, company_id: edge.company.id, phone_numbers: ['11987654321'] },
        ],
      ] as const) {
        const { status, body } = await edge.send(method, path, JSON.stringify(fields));
        expect([escape(blank), path, status, body.detail]).toEqual([
          escape(blank),
          path,
          400,
          expect.stringMatching(/: must not be blank/),
        ]);
      }
    expect(await edge.rows()).toEqual(before);
    const family = '👨‍👩‍👧';
    const kept = await edge.send('PATCH', `/api/campaigns/${edge.campaignId}`, JSON.stringify({ name: family }));
    expect(kept.body.name).toBe(family);
  });

  test('in a query or a path are refused where they are no percent-encoded UTF-8', async () => {
    for (const query of [
      'company_id=%ff',
      'company_id=%C0%AF',
      'company_id=%ED%A0%BD',
      'company_id=%EF%BF%BD',
      '%ff=1',
      'company_id=%',
    ]) {
      const { status, body } = await edge.stage.api('GET', `/api/campaigns?${query}`, { token: edge.ana.token });
      // What stands in front of a function takes a lone % for a %.
      const expected =
        entry === 'serverless offline' && query.endsWith('%') ? [404, 'COMPANY.NOT_FOUND'] : [400, 'VALIDATION'];
      expect([query, status, body.code]).toEqual([query, ...expected]);
    }
    for (const path of ['/api/users/%ff', '/api/campaigns/%C0%AF/messages', '/api/companies/%']) {
      const { status, body } = await edge.stage.api('GET', path, { token: edge.ana.token });
      expect([path, status, body.code]).toEqual([path, 400, 'VALIDATION']);
    }
    const answer = await edge.stage.api('GET', '/api/campaigns?company_id=S%C3%A3o+Paulo', { token: edge.ana.token });
    expect(answer.status).toBe(404);
  });
});
