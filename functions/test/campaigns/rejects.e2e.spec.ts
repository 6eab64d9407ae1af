import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import { accepted, as, type CampaignBody, PATIENCE_MS, upload } from './fixtures.js';

const KEPT = 10_000;
const HEADER = 'disparo-rejects-not-kept';

let stage: ApiStage;
let ana: TestUser;
let company: TestCompany;

beforeAll(async () => {
  stage = await ApiStage.open();
  ana = await stage.user();
  company = await stage.company(ana);
});

afterAll(() => stage?.close());

/** A file of one number and so many lines that are none. */
const withInvalid = (count: number) => `11987654321\n${'x\n'.repeat(count)}`;

/** The export as rows, without its header line. */
async function csvOf({ id }: CampaignBody, query = ''): Promise<{ notKept: string | null; rows: string[] }> {
  const { headers, body } = await as(stage, ana)<string>('GET', `/api/campaigns/${id}/rejects.csv${query}`);
  return { notKept: headers.get(HEADER), rows: body.split('\r\n').slice(1, -1) };
}

async function listOf({ id }: CampaignBody, query: string): Promise<Record<string, unknown>> {
  return (await as(stage, ana)('GET', `/api/campaigns/${id}/rejects${query}`)).body;
}

test('the first 10,000 rejects are kept, and answer, list and CSV say how many more there were', async () => {
  const campaign = await accepted(stage, ana, company, withInvalid(KEPT + 2_345));
  expect(campaign.file).toMatchObject({ lines: KEPT + 2_346, accepted: 1, invalid: KEPT + 2_345, rejects_kept: KEPT });
  expect(
    await stage.sql('SELECT max(line), count(*)::int FROM campaign_rejects WHERE campaign_id = $1', [campaign.id]),
  ).toEqual([{ max: KEPT + 1, count: KEPT }]);
  const last = { line: KEPT + 1, value: 'x', reason: 'not_a_number' };
  expect(await listOf(campaign, `?after=${KEPT}`)).toEqual({ data: [last], next: null, not_kept: 2_345 });

  const whole = await csvOf(campaign);
  expect([whole.notKept, whole.rows.length, ...whole.rows.slice(-2)]).toEqual([
    '2345',
    KEPT + 1,
    `${KEPT + 1},x,not_a_number`,
    ',2345 more lines are not numbers; they are counted and not kept,not_kept',
  ]);
  // A part that ends before the last row tells of the rest only in its header.
  expect(await csvOf(campaign, '?limit=2')).toEqual({
    notKept: '2345',
    rows: ['2,x,not_a_number', '3,x,not_a_number'],
  });
});

test('10,000 rejects are all kept, and nothing says otherwise', async () => {
  const campaign = await accepted(stage, ana, company, withInvalid(KEPT));
  expect(campaign.file).toMatchObject({ invalid: KEPT, rejects_kept: KEPT });
  expect(await listOf(campaign, `?after=${KEPT}`)).toMatchObject({ next: null, not_kept: 0 });
  const { notKept, rows } = await csvOf(campaign);
  expect([notKept, rows.length, rows.at(-1)]).toEqual([null, KEPT, `${KEPT + 1},x,not_a_number`]);
});

test('of a file without a number nothing is kept', async () => {
  const { status, body } = await upload(stage, ana, company, 'x\n'.repeat(3));
  expect([status, body.file]).toMatchObject([400, { invalid: 2, rejects_kept: 0 }]);
});

test(
  'others are answered while a million wrong lines are read and stored',
  async () => {
    let over = false;
    const uploading = accepted(stage, ana, company, withInvalid(1_000_000)).finally(() => {
      over = true;
    });
    let meanwhile = 0;
    while (!over) {
      expect((await stage.api('GET', '/api/health')).status).toBe(200);
      if (!over) meanwhile++;
    }
    expect((await uploading).file).toMatchObject({ invalid: 1_000_000, rejects_kept: KEPT });
    expect(meanwhile).toBeGreaterThan(2);
  },
  PATIENCE_MS,
);
