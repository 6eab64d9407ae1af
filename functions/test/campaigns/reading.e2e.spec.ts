import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import type { Process } from '../../../testing/process.js';
import { accepted, as, type CampaignBody, ID, refusal, someNumbers, TIME, untilStatus } from './fixtures.js';

const NUMBERS = someNumbers(7);
/** Lines 1 and 3 are numbers; the others are rejects that a CSV must quote or not. */
const FILE_WITH_REJECTS = '11987654321\na"b\n21987654321\n   x y\n123\n1133334444\n';
const REJECTS = [
  { line: 2, value: 'a"b', reason: 'not_a_number' },
  { line: 4, value: expect.stringMatching(/x y$/), reason: 'not_a_number' },
  { line: 5, value: '123', reason: 'wrong_length' },
  { line: 6, value: '1133334444', reason: 'not_mobile' },
];
const MESSAGE = 'Diga "oi", já\nsegunda linha';
/** Ids of no campaign, each in a way of its own. */
const UNKNOWN_IDS = ['zzzzzzzzzzzzzzzzzzzzzzzz', 'a'.repeat(2_000), 'ABC', 'a%00b', "a'--", '%F0%9F%98%80', '1', '%20'];

let stage: ApiStage;
let consumer: Process;
let ana: TestUser;
let stranger: TestUser;
let company: TestCompany;
let other: TestCompany;
/** Newest first: sent, with rejects, of the other company, older ones. */
let sent: CampaignBody;
let withRejects: CampaignBody;
let ids: string[];

beforeAll(async () => {
  stage = await ApiStage.open();
  consumer = stage.consumer();
  [ana, stranger] = await Promise.all([stage.user(), stage.user()]);
  company = await stage.company(ana);
  other = await stage.company(ana);
  const older = [await accepted(stage, ana, company, NUMBERS), await accepted(stage, ana, company, NUMBERS)];
  const elsewhere = await accepted(stage, ana, other, NUMBERS);
  withRejects = await accepted(stage, ana, company, FILE_WITH_REJECTS);
  sent = await accepted(stage, ana, company, NUMBERS, { fields: { message: MESSAGE } });
  ids = [sent, withRejects, elsewhere, ...older.toReversed()].map(({ id }) => id);
  for (const id of ids) await untilStatus(stage, ana, id, 'enviado');
});

afterAll(async () => {
  await consumer?.kill();
  await stage?.close();
});

/** Ana's GET; fails unless the answer is 200. */
async function get<T = Record<string, unknown>>(path: string): Promise<T> {
  const { status, body } = await as(stage, ana)<T>('GET', `/api/campaigns${path}`);
  if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
  return body;
}

interface PageBody {
  data: { id: string }[];
  page: number;
  page_size: number;
  total: number;
}

/** A page by its ids. */
async function page(query: string): Promise<[ids: string[], page: number, pageSize: number, total: number]> {
  const { data, page, page_size, total } = await get<PageBody>(query);
  return [data.map(({ id }) => id), page, page_size, total];
}

describe('the list of campaigns', () => {
  test('is newest first, whole or by pages', async () => {
    expect(await page('')).toEqual([ids, 1, 20, 5]);
    expect(await page('?page=1&page_size=2')).toEqual([ids.slice(0, 2), 1, 2, 5]);
    expect(await page('?page=3&page_size=2')).toEqual([ids.slice(4), 3, 2, 5]);
    expect(await page('?page=4&page_size=2')).toEqual([[], 4, 2, 5]);
  });

  test('has each campaign as its own route has it', async () => {
    const { data } = await get<PageBody>('?page_size=1');
    expect(data).toEqual([await get(`/${sent.id}`)]);
  });

  test('is filtered by company and by status', async () => {
    expect(await page(`?company_id=${other.id}`)).toEqual([[ids[2]], 1, 20, 1]);
    expect(await page('?status=enviado&page_size=1')).toEqual([[ids[0]], 1, 1, 5]);
    expect(await page(`?status=pausado&company_id=${company.id}`)).toEqual([[], 1, 20, 0]);
  });

  test('of a stranger is empty, and of a company that is not his it is not found', async () => {
    const { body } = await as(stage, stranger)('GET', '/api/campaigns');
    expect(body).toEqual({ data: [], page: 1, page_size: 20, total: 0 });
    for (const id of [company.id, 'zzzzzzzzzzzzzzzzzzzzzzzz', 'a%00b', '%27'])
      expect(refusal(await as(stage, stranger)('GET', `/api/campaigns?company_id=${id}`))).toEqual([
        404,
        'COMPANY.NOT_FOUND',
      ]);
  });

  test.each(['page=0', 'page=x', 'page_size=101', 'page_size=0', 'status=sent', 'sort=name', 'page=1.5'])(
    'refuses ?%s',
    async (query) => {
      expect(refusal(await as(stage, ana)('GET', `/api/campaigns?${query}`))).toEqual([400, 'VALIDATION']);
    },
  );
});

describe('a rename', () => {
  test('changes the name, trimmed, and nothing else', async () => {
    const before = await get(`/${withRejects.id}`);
    const answer = await as(stage, ana)('PATCH', `/api/campaigns/${withRejects.id}`, { body: { name: '  Natal ' } });
    expect([answer.status, answer.body]).toEqual([200, { ...before, name: 'Natal', updated_at: TIME }]);
    expect(await get(`/${withRejects.id}`)).toEqual(answer.body);
  });

  test.each([
    ['the message', { name: 'x', message: 'y' }],
    ['the status', { status: 'cancelado' }],
    ['nothing', {}],
    ['a blank name', { name: ' ' }],
    ['a long name', { name: 'x'.repeat(201) }],
    ['a name with NUL', { name: 'a\0' }],
  ])('refuses %s', async (_, body) => {
    const before = await get(`/${withRejects.id}`);
    expect(refusal(await as(stage, ana)('PATCH', `/api/campaigns/${withRejects.id}`, { body }))).toEqual([
      400,
      'VALIDATION',
    ]);
    expect(await get(`/${withRejects.id}`)).toEqual(before);
  });
});

describe('the messages of a campaign', () => {
  /** As the route shows message `sequence` of `sent`. */
  const message = (sequence: number) => ({
    identifier: ID,
    phone_number: NUMBERS[sequence - 1],
    message: MESSAGE,
    campaign_id: sent.id,
    company_id: company.id,
    sequence,
    created_at: TIME,
    updated_at: TIME,
    deleted: false,
  });

  test.each([
    ['', [1, 2, 3, 4, 5, 6, 7], null],
    ['?limit=3', [1, 2, 3], 3],
    ['?limit=3&after=3', [4, 5, 6], 6],
    ['?limit=3&after=6', [7], null],
    ['?limit=7', [1, 2, 3, 4, 5, 6, 7], null],
    ['?limit=6&after=1', [2, 3, 4, 5, 6, 7], null],
    ['?after=7', [], null],
    ['?after=999999999&limit=1000', [], null],
  ] as [string, number[], number | null][])('come by sequence: %s', async (query, sequences, next) => {
    expect(await get(`/${sent.id}/messages${query}`)).toEqual({ data: sequences.map(message), next });
  });

  test.each(['limit=0', 'limit=1001', 'after=-1', 'after=x', 'page=1'])('refuse ?%s', async (query) => {
    expect(refusal(await as(stage, ana)('GET', `/api/campaigns/${sent.id}/messages?${query}`))).toEqual([
      400,
      'VALIDATION',
    ]);
  });

  test('as CSV are RFC 4180, all or some', async () => {
    const { data } = await get<{
      data: { sequence: number; phone_number: string; identifier: string; created_at: string }[];
    }>(`/${sent.id}/messages`);
    const header = 'sequence,phone_number,identifier,message,created_at\r\n';
    const lines = data.map(
      ({ sequence, phone_number, identifier, created_at }) =>
        `${sequence},${phone_number},${identifier},"Diga ""oi"", já\nsegunda linha",${created_at}\r\n`,
    );
    const csv = await as(stage, ana)<string>('GET', `/api/campaigns/${sent.id}/messages.csv`);
    expect([csv.status, csv.headers.get('content-type'), csv.body]).toEqual([
      200,
      expect.stringMatching(/^text\/csv/),
      header + lines.join(''),
    ]);
    expect(await get<string>(`/${sent.id}/messages.csv?after=2&limit=3`)).toBe(header + lines.slice(2, 5).join(''));
    expect(await get<string>(`/${sent.id}/messages.csv?after=7`)).toBe(header);
    expect(refusal(await as(stage, ana)('GET', `/api/campaigns/${sent.id}/messages.csv?limit=0`))).toEqual([
      400,
      'VALIDATION',
    ]);
  });
});

describe('the rejects of a campaign', () => {
  test.each([
    ['', REJECTS, null],
    ['?limit=2', REJECTS.slice(0, 2), 4],
    ['?limit=2&after=4', REJECTS.slice(2), null],
    ['?after=6', [], null],
  ] as [string, object[], number | null][])('come by line: %s', async (query, data, next) => {
    expect(await get(`/${withRejects.id}/rejects${query}`)).toEqual({ data, next, not_kept: 0 });
  });

  test('are none for a file without any', async () => {
    expect(await get(`/${sent.id}/rejects`)).toEqual({ data: [], next: null, not_kept: 0 });
  });

  test('as CSV are RFC 4180, all or some', async () => {
    const { data } = await get<{ data: { value: string }[] }>(`/${withRejects.id}/rejects`);
    const lines = [
      'line,value,reason',
      '2,"a""b",not_a_number',
      `4,${data[1]?.value},not_a_number`,
      '5,123,wrong_length',
      '6,1133334444,not_mobile',
    ];
    const csv = (some: string[]) => some.map((line) => `${line}\r\n`).join('');
    expect(await get<string>(`/${withRejects.id}/rejects.csv`)).toBe(csv(lines));
    expect(await get<string>(`/${withRejects.id}/rejects.csv?after=2&limit=1`)).toBe(
      csv([lines[0] ?? '', lines[2] ?? '']),
    );
  });
});

describe('what is not yours is not found', () => {
  const ROUTES: [method: string, path: string, body?: object][] = [
    ['GET', ''],
    ['PATCH', '', { name: 'mine' }],
    ['DELETE', ''],
    ['POST', '/pause'],
    ['POST', '/resume'],
    ['POST', '/cancel'],
    ['GET', '/messages'],
    ['GET', '/messages.csv'],
    ['GET', '/rejects'],
    ['GET', '/rejects.csv'],
  ];

  test.each(ROUTES)('%s %s by a stranger, by nobody, and of no campaign', async (method, path, body) => {
    const before = await get(`/${sent.id}`);
    const ask = (user: TestUser, id: string) =>
      as(stage, user)(method, `/api/campaigns/${id}${path}`, body ? { body } : {});
    expect(refusal(await ask(stranger, sent.id))).toEqual([404, 'CAMPAIGN.NOT_FOUND']);
    for (const id of UNKNOWN_IDS) expect([id, ...refusal(await ask(ana, id))]).toEqual([id, 404, 'CAMPAIGN.NOT_FOUND']);
    const nobody = await stage.api(method, `/api/campaigns/${sent.id}${path}`, body ? { body } : {});
    expect(refusal(nobody)).toEqual([401, 'AUTH.TOKEN_MISSING']);
    expect(await get(`/${sent.id}`)).toEqual(before);
  });

  test('a member reads and steers what the owner made, and no longer once he has left', async () => {
    const member = await stage.user();
    await stage.member(ana, company, member);
    expect((await as(stage, member)('GET', `/api/campaigns/${sent.id}`)).body).toEqual(await get(`/${sent.id}`));
    await as(stage, ana)('DELETE', `/api/companies/${company.id}/members/${member.id}`);
    expect(refusal(await as(stage, member)('GET', `/api/campaigns/${sent.id}`))).toEqual([404, 'CAMPAIGN.NOT_FOUND']);
  });
});
