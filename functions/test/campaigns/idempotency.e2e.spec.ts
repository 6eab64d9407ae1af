import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import { form, ran, refusal, rowsStored, upload } from './fixtures.js';

let stage: ApiStage;
let ana: TestUser;
let company: TestCompany;
let keys = 0;

beforeAll(async () => {
  stage = await ApiStage.open();
  ana = await stage.user();
  company = await stage.company(ana);
});

afterAll(() => stage?.close());

interface Said {
  key: string;
  user?: TestUser;
  fields?: Record<string, string>;
  file?: string;
  /** The parts in the other order. */
  reversed?: boolean;
}

/** The answer with its body byte for byte. */
async function post({ key, user = ana, fields = {}, file = '11987654321\n', reversed = false }: Said) {
  const given = { name: 'n', message: 'm', company_id: company.id, ...fields };
  const parts: [string, string][] = [...Object.entries(given), ['file', file]];
  const response = await fetch(`${stage.url}/api/campaigns`, {
    method: 'POST',
    headers: { authorization: `Bearer ${user.token}`, 'idempotency-key': key },
    body: form(reversed ? parts.toReversed() : parts),
  });
  const text = await response.text();
  return { status: response.status, location: response.headers.get('location'), text };
}

function aKey(): string {
  return `key ${keys++}`;
}

function codeOf(text: string): unknown {
  return (JSON.parse(text) as { code?: unknown }).code;
}

// The body stays the first one after the campaign has changed: here its chunk is recorded as stored in between.
test('the same key and content answer 200 with the first body, byte for byte', async () => {
  const key = aKey();
  const first = await post({ key });
  await stage.sql('SELECT * FROM record_stored($1, $2)', [[JSON.parse(first.text).id], [1]]);
  const before = await rowsStored(stage);
  expect([first.status, await post({ key })]).toEqual([201, { ...first, status: 200 }]);
  expect(await post({ key, reversed: true })).toEqual({ ...first, status: 200 });
  expect(await rowsStored(stage)).toEqual(before);
});

test.each([
  ['another name', { fields: { name: 'other' } }],
  ['another message', { fields: { message: 'other' } }],
  ['allow_duplicates', { fields: { allow_duplicates: 'true' } }],
  ['another file', { file: '11987654322\n' }],
  ['the same numbers in other bytes', { file: '+5511987654321\n' }],
])('a key that comes again with %s is refused', async (_, other) => {
  const key = aKey();
  await post({ key });
  const before = await rowsStored(stage);
  const { status, text } = await post({ key, ...other });
  expect([status, codeOf(text)]).toEqual([422, 'CAMPAIGN.IDEMPOTENCY_KEY_REUSED']);
  expect(await rowsStored(stage)).toEqual(before);
});

test('ten requests at once with one key make one campaign and all have the same body', async () => {
  const before = await rowsStored(stage);
  const key = aKey();
  const answers = await Promise.all(Array.from({ length: 10 }, () => post({ key })));
  expect(answers.map(({ status }) => status).sort()).toEqual([...Array<number>(9).fill(200), 201]);
  expect(new Set(answers.map(({ text, location }) => `${location} ${text}`)).size).toBe(1);
  const after = await rowsStored(stage);
  expect([Number(after.campaigns) - Number(before.campaigns), Number(after.keys) - Number(before.keys)]).toEqual([
    1, 1,
  ]);
});

test('of ten requests at once with one key and different files one is accepted', async () => {
  const key = aKey();
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, index) => post({ key, file: `1198765432${index}\n` })),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array<number>(9).fill(422)]);
});

test('a refused request frees its key', async () => {
  const key = aKey();
  const refused = [await post({ key, file: '' }), await post({ key, fields: { name: ' ' } })];
  const accepted = await post({ key });
  expect([...refused.map(({ status }) => status), accepted.status]).toEqual([400, 400, 201]);
});

test('a key belongs to its company: another one has its own, its members share it', async () => {
  const key = aKey();
  const first = await post({ key });
  const other = await stage.company(ana);
  const member = await stage.user();
  await stage.member(ana, company, member);
  const elsewhere = await post({ key, fields: { company_id: other.id } });
  expect([elsewhere.status, elsewhere.location === first.location]).toEqual([201, false]);
  expect(await post({ key, user: member })).toEqual({ ...first, status: 200 });
});

test('a key is forgotten after 24 hours', async () => {
  const key = aKey();
  const first = await post({ key });
  const age = (interval: string) =>
    stage.sql('UPDATE idempotency_keys SET created_at = clock_timestamp() - $2::interval WHERE key = $1', [
      key,
      interval,
    ]);
  await age('23 hours 59 minutes');
  expect(await post({ key })).toEqual({ ...first, status: 200 });
  await age('24 hours 1 minute');
  const second = await post({ key });
  expect([second.status, second.location === first.location]).toEqual([201, false]);
  expect(await post({ key })).toEqual({ ...second, status: 200 });
});

test('a key whose life is over is erased by the next dispatch, with its answer', async () => {
  const [old, young] = [aKey(), aKey()];
  await post({ key: old });
  await post({ key: young });
  await stage.sql(
    "UPDATE idempotency_keys SET created_at = clock_timestamp() - interval '24 hours 1 minute' WHERE key = $1",
    [old],
  );
  await ran(stage, 'dispatch', [], { LOG_LEVEL: 'error' });
  const left = await stage.sql('SELECT key FROM idempotency_keys WHERE key = ANY ($1)', [[old, young]]);
  expect(left).toEqual([{ key: young }]);
});

test('when the first request has died after its commit, the answer of the commit stands', async () => {
  const key = aKey();
  const first = await post({ key });
  await stage.sql(
    "UPDATE idempotency_keys SET answered_at = NULL, created_at = clock_timestamp() - interval '1 minute' WHERE key = $1",
    [key],
  );
  const answers = [await post({ key }), await post({ key })];
  expect(answers).toEqual([
    { ...first, status: 200 },
    { ...first, status: 200 },
  ]);
});

test('a key has up to 255 printable characters; a longer or blank one is refused', async () => {
  const statuses = await Promise.all(
    ['k'.repeat(255), 'k'.repeat(256), ' ', 'ké'].map(async (key) => (await post({ key })).status),
  );
  expect(statuses).toEqual([201, 400, 400, 400]);
  const answer = await upload(stage, ana, company, ['11987654321'], { headers: { 'idempotency-key': '' } });
  expect(refusal(answer)).toEqual([400, 'VALIDATION']);
});
