import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../testing/api-stage.js';
import type { Process } from '../../testing/process.js';
import { accepted, as, type CampaignBody, rowsStored, untilStatus } from './campaigns/fixtures.js';

const TEXT = '=HYPERLINK("http://example.com";"Oferta de hoje")';
const NUMBER = '+5511987654321';
/** Of the file's lines one is a number; of the others a spreadsheet would take five for formulas. */
const LINES = [
  NUMBER,
  '=1+1',
  '@SUM(A1)',
  '-2+3',
  "+cmd|' /C calc'!A0",
  '+55 (11) 3333-4444',
  '-ninguém',
  '"\u00a0=1"',
];

let stage: ApiStage;
let ana: TestUser;
let company: TestCompany;
let sent: CampaignBody;
let consumer: Process;

beforeAll(async () => {
  stage = await ApiStage.open();
  ana = await stage.user();
  company = await stage.company(ana);
  consumer = stage.consumer();
  sent = await accepted(stage, ana, company, LINES, { fields: { message: TEXT } });
  await untilStatus(stage, ana, sent.id, 'enviado');
});

afterAll(async () => {
  await consumer?.kill();
  await stage?.close();
});

describe('the headers of an answer', () => {
  test.each([
    ['GET', '/api/health', 200],
    ['GET', '/metrics', 200],
    ['GET', '/api/openapi.json', 200],
    ['GET', '/api/nothing', 404],
    ['GET', '/api/campaigns', 401],
    ['GET', '/api/users/%ff', 400],
    ['POST', '/api/users', 400],
  ])('%s %s forbid a copy, a frame, a guess at its type', async (method, path, status) => {
    const answer = await stage.api(method, path);
    const { headers } = answer;
    expect([
      answer.status,
      ...['cache-control', 'content-security-policy', 'referrer-policy', 'x-content-type-options'].map((name) =>
        headers.get(name),
      ),
    ]).toEqual([status, 'no-store', "default-src 'none'; frame-ancestors 'none'", 'no-referrer', 'nosniff']);
    expect([headers.get('server'), headers.get('x-powered-by'), headers.get('access-control-allow-origin')]).toEqual([
      null,
      null,
      null,
    ]);
  });
});

describe('an export', () => {
  test('has every value as it was given, also what a spreadsheet would take for a formula', async () => {
    const rejects = await as(stage, ana)<string>('GET', `/api/campaigns/${sent.id}/rejects.csv`);
    expect(rejects.body.split('\r\n').slice(1, -1)).toEqual([
      '2,=1+1,not_a_number',
      '3,@SUM(A1),not_a_number',
      '4,-2+3,not_a_number',
      "5,+cmd|' /C calc'!A0,not_a_number",
      '6,+55 (11) 3333-4444,not_mobile',
      '7,-ninguém,not_a_number',
      '8,\u00a0=1,not_a_number',
    ]);
    const messages = await as(stage, ana)<string>('GET', `/api/campaigns/${sent.id}/messages.csv`);
    expect(messages.body).toContain(`\r\n1,${NUMBER},`);
    expect(messages.body).toContain(`,"=HYPERLINK(""http://example.com"";""Oferta de hoje"")",`);
  });

  test('and the JSON has what was given', async () => {
    const { body } = await as(stage, ana)<{ data: { value: string }[] }>('GET', `/api/campaigns/${sent.id}/rejects`);
    expect(body.data.map(({ value }) => value)).toContain('=1+1');
  });
});

describe('SQL in a value', () => {
  const SQL = ["'; DROP TABLE campaigns; --", "' OR '1'='1", '$1', "\\'; SELECT pg_sleep(10); --", '%', '{"$ne":null}'];

  test.each(SQL)('%s is a value and no SQL, wherever it comes', async (text) => {
    const before = await rowsStored(stage);
    const ask = as(stage, ana);
    const asked = encodeURIComponent(text);
    for (const path of [
      `/api/campaigns/${asked}`,
      `/api/campaigns/${asked}/messages`,
      `/api/campaigns?company_id=${asked}`,
      `/api/companies/${asked}`,
      `/api/users/${asked}`,
      `/api/uploads/${asked}`,
    ])
      expect([path, (await ask('GET', path)).status]).toEqual([path, 404]);
    for (const query of [`status=${asked}`, `page=${asked}`])
      expect((await ask('GET', `/api/campaigns?${query}`)).status).toBe(400);
    const login = { email: `${text}@example.com`, password: text };
    expect([400, 401]).toContain((await stage.api('POST', '/api/auth/login', { body: login })).status);
    const renamed = await ask('PATCH', `/api/campaigns/${sent.id}`, { body: { name: text } });
    expect([renamed.status, renamed.body.name]).toEqual([200, text]);
    expect(await rowsStored(stage)).toEqual(before);
  });
});

test('no number, text, e-mail, password or DSN is in the log of API or consumer', async () => {
  await as(stage, ana)('GET', `/api/campaigns/${sent.id}/messages`);
  const refused = await as(stage, ana)('POST', '/api/campaigns', {
    body: { name: TEXT, message: TEXT, company_id: company.id, phone_numbers: ['123'], other: NUMBER },
  });
  expect(refused.status).toBe(400);
  const socket = connect(Number(new URL(stage.url).port), '127.0.0.1');
  socket.resume().end(`${NUMBER}\r\n\r\n`);
  await once(socket, 'close');
  await stage.until(
    () => consumer.output.some((line) => line.includes('"stored":1')),
    'the consumer has told of its batch',
  );
  const output = [...stage.output, ...consumer.output].join('\n');
  expect(output).toContain(sent.id);
  const whom = (key: string) => {
    const { username, password } = new URL(stage.env[key] ?? '');
    return username && `${username}:${password}@`;
  };
  const secrets = [NUMBER.slice(3), 'Oferta de hoje', 'cmd|', ana.email, ana.password, ana.token, company.document];
  for (const secret of [...secrets, ...['DATABASE_URL', 'MONGODB_URL', 'RABBITMQ_URL'].map(whom).filter(Boolean)])
    expect(output).not.toContain(secret);
});
