import { existsSync, writeFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import { Process, ROOT } from '../../../testing/process.js';
import { as, PATIENCE_MS, refusal } from '../campaigns/fixtures.js';
import { Offline } from '../offline.js';
import { BUCKET, put, sent, TestBucket, type UploadBody, type UploadState, uploadOf, uploadState } from './fixtures.js';

type Handler = (event: object, context: object) => Promise<unknown>;

/** What tsc made: see api.e2e.spec.ts. */
const DIST = new URL('../../../dist/functions/', import.meta.url);
const FILE = '11987654321\nnope\n';
const COUNTS = {
  lines: 2,
  accepted: 1,
  duplicate: 0,
  invalid: 1,
  blank: 0,
  phone_column: 1,
  rejects_kept: 1,
  rejects: [{ line: 2, value: 'nope', reason: 'not_a_number' }],
};
const HOLD = 4_711;

const bucket = new TestBucket();
let stage: ApiStage;
let ana: TestUser;
let company: TestCompany;
let api: Handler;
let ingest: Handler;

const context = () => ({ callbackWaitsForEmptyEventLoop: true, getRemainingTimeInMillis: () => 900_000 });

beforeAll(async () => {
  await bucket.open();
  // The server has no bucket, so that only the tests' own events start a reading.
  stage = await ApiStage.open();
  ana = await stage.user();
  for (const [key, value] of Object.entries({
    ...stage.env,
    ...bucket.env,
    UPLOAD_LIMIT_MIB: '1',
    LOG_LEVEL: 'silent',
  }))
    vi.stubEnv(key, value);
  ({ handler: api } = (await import(/* @vite-ignore */ new URL('api.js', DIST).href)) as { handler: Handler });
  ({ handler: ingest } = (await import(/* @vite-ignore */ new URL('ingest.js', DIST).href)) as { handler: Handler });
});

beforeEach(async () => {
  company = await stage.company(ana);
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await stage?.close();
  await bucket.close();
});

/** Asks the API function for an upload. */
async function asked(size = Buffer.byteLength(FILE)): Promise<UploadBody> {
  const event = {
    version: '2.0',
    routeKey: '$default',
    rawPath: '/api/uploads',
    rawQueryString: '',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${ana.token}` },
    requestContext: { http: { method: 'POST', path: '/api/uploads', protocol: 'HTTP/1.1', sourceIp: '127.0.0.1' } },
    body: JSON.stringify(uploadOf(company, size)),
    isBase64Encoded: false,
  };
  const { statusCode, body } = (await api(event, context())) as { statusCode: number; body: string };
  if (statusCode !== 201) throw new Error(`no upload: ${statusCode} ${body}`);
  return JSON.parse(body) as UploadBody;
}

/** The event of an upload's object, as S3 writes it. */
function eventOf(id: string, eTag?: string): object {
  const object = { key: `uploads/${id}`, ...(eTag === undefined ? {} : { eTag }) };
  return { Records: [{ eventName: 'ObjectCreated:Put', s3: { bucket: { name: BUCKET }, object } }] };
}

/** The ETag of what was put last. */
const lastETag = (): string => bucket.created.at(-1)?.eTag ?? '';

async function put200(url: string, file = FILE): Promise<string> {
  expect(await put(url, file)).toEqual([200, undefined]);
  return lastETag();
}

const state = (id: string): Promise<UploadState> => uploadState(stage, ana, id);

async function campaigns(): Promise<{ id: string; deleted: boolean }[]> {
  return stage.sql('SELECT id, deleted FROM campaigns WHERE company_id = $1', [company.id]);
}

/** Lets the lease of an upload run out. */
const endLease = (id: string) =>
  stage.sql("UPDATE uploads SET lease_until = now() - interval '1 s' WHERE id = $1", [id]);

describe('the event of an object', () => {
  test('makes a campaign of it, and the same event again does nothing', async () => {
    const { id, url } = await asked();
    const event = eventOf(id, await put200(url));
    expect(await ingest(event, context())).toEqual(['accepted']);
    const [campaign] = await campaigns();
    const accepted = { status: 'aceito', campaign_id: campaign?.id, import_id: null, file: COUNTS, problem: null };
    expect([await state(id), existsSync(bucket.fileOf(id))]).toEqual([accepted, false]);
    expect(await ingest(event, context())).toEqual(['passed']);
    expect([await state(id), (await campaigns()).length]).toEqual([accepted, 1]);
  });

  test('that comes many times at once makes one campaign', async () => {
    const { id, url } = await asked();
    const event = eventOf(id, await put200(url));
    const results = await Promise.all(Array.from({ length: 5 }, () => ingest(event, context())));
    expect(results.flat().sort()).toEqual(['accepted', 'passed', 'passed', 'passed', 'passed']);
    expect((await campaigns()).length).toBe(1);
    expect(await state(id)).toMatchObject({ status: 'aceito', problem: null });
  });

  test('that is early, or of no upload of ours, changes nothing', async () => {
    const { id } = await asked();
    expect(await ingest(eventOf(id), context())).toEqual(['absent']);
    expect(await ingest(eventOf('abcdefghijklmnopqrstuvwx'), context())).toEqual(['passed']);
    expect(await state(id)).toEqual({
      status: 'esperando',
      campaign_id: null,
      import_id: null,
      file: null,
      problem: null,
    });
  });

  test('of a file that was replaced before it was read takes the later one whole', async () => {
    const { id, url } = await asked();
    const first = await put200(url);
    const second = await put200(url, '21987654321\nnope\n');
    expect(await ingest(eventOf(id, first), context())).toEqual(['accepted']);
    expect(await ingest(eventOf(id, second), context())).toEqual(['passed']);
    const numbers = await stage.sql(
      'SELECT phone_numbers FROM campaign_chunks k JOIN uploads u ON u.campaign_id = k.campaign_id WHERE u.id = $1',
      [id],
    );
    expect(numbers).toEqual([{ phone_numbers: '+5521987654321' }]);
    expect(await state(id)).toMatchObject({ status: 'aceito', problem: null });
  });

  test('of a second file is told by the upload, and the file is thrown away', async () => {
    const { id, url } = await asked();
    await ingest(eventOf(id, await put200(url)), context());
    const before = await state(id);
    expect(await ingest(eventOf(id, await put200(url)), context())).toEqual(['passed']);
    expect(await state(id)).toEqual({ ...before, problem: expect.objectContaining({ code: 'UPLOAD.USED_TWICE' }) });
    expect([existsSync(bucket.fileOf(id)), (await campaigns()).length]).toEqual([false, 1]);
  });

  test.each([
    ['larger than it said', `${FILE}1`, 400, 'UPLOAD.SIZE_MISMATCH'],
    ['smaller than it said', FILE.slice(1), 400, 'UPLOAD.SIZE_MISMATCH'],
    ['over the limit', '1'.repeat(1_048_577), 413, 'CAMPAIGN.FILE_TOO_LARGE'],
  ])('of a file that is %s refuses it, though the store took it', async (_, content, status, code) => {
    const { id, url } = await asked();
    await put200(url);
    writeFileSync(bucket.fileOf(id), content);
    expect(await ingest(eventOf(id), context())).toEqual(['refused']);
    const problem = expect.objectContaining({ status, code });
    expect(await state(id)).toEqual({ status: 'recusado', campaign_id: null, import_id: null, file: null, problem });
    expect([existsSync(bucket.fileOf(id)), await campaigns()]).toEqual([false, []]);
  });

  test('of a user who has left the company refuses it', async () => {
    const eva = await stage.user();
    await stage.member(ana, company, eva);
    const { id, url } = await asked();
    await put200(url);
    await stage.sql('UPDATE uploads SET user_id = $2 WHERE id = $1', [id, eva.id]);
    await as(stage, ana)('DELETE', `/api/companies/${company.id}/members/${eva.id}`);
    expect(await ingest(eventOf(id), context())).toEqual(['refused']);
    expect(await state(id)).toMatchObject({ status: 'recusado', problem: { code: 'COMPANY.NOT_FOUND' } });
    expect(await campaigns()).toEqual([]);
  });

  test(
    'fails while the store is away, and what comes then finds all as it was',
    async () => {
      const { id, url } = await asked();
      const event = eventOf(id, await put200(url));
      await bucket.shut();
      await expect(ingest(event, context())).rejects.toThrow(/object store/);
      await bucket.open();
      expect(await state(id)).toMatchObject({ status: 'esperando', problem: null });
      expect(await ingest(event, context())).toEqual(['accepted']);
    },
    PATIENCE_MS,
  );

  test('of a file that nobody could read to its end in five tries refuses it', async () => {
    const { id, url } = await asked();
    await put200(url);
    await stage.sql('UPDATE uploads SET attempts = 5 WHERE id = $1', [id]);
    expect(await ingest(eventOf(id), context())).toEqual(['refused']);
    expect(await state(id)).toMatchObject({ status: 'recusado', problem: { status: 500, code: 'UPLOAD.UNREADABLE' } });
  });
});

describe('the minute’s call', () => {
  test('takes up a file whose event was lost', async () => {
    const { id, url } = await asked();
    await put200(url);
    await stage.sql('UPDATE uploads SET look_at = now() WHERE id = $1', [id]);
    expect(await ingest({ source: 'aws.events' }, context())).toMatchObject({ accepted: 1 });
    expect(await state(id)).toMatchObject({ status: 'aceito' });
  });
});

describe('held between the campaign and its commit', () => {
  let holder: pg.Client;

  beforeAll(async () => {
    await stage.sql(`
      CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_advisory_xact_lock(${HOLD}); RETURN NEW; END $$;
      CREATE TRIGGER held BEFORE UPDATE ON uploads FOR EACH ROW WHEN (NEW.campaign_id IS NOT NULL AND OLD.campaign_id IS NULL)
        EXECUTE FUNCTION held();`);
    holder = new pg.Client({ connectionString: stage.env.DATABASE_URL });
    await holder.connect();
  });

  beforeEach(() => holder.query('SELECT pg_advisory_lock($1)', [HOLD]));

  afterAll(async () => {
    await holder.end();
    await stage.sql('DROP TRIGGER held ON uploads');
  });

  const letGo = () => holder.query('SELECT pg_advisory_unlock($1)', [HOLD]);

  /** Waits until so many connections of this database wait for a lock. */
  const untilWaiting = (count: number) =>
    stage.until(async () => {
      const waiting = await stage.sql(
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
      );
      return waiting.length === count;
    }, `${count} wait for a lock`);

  test('a reader that is killed leaves nothing, and the next one does it all', async () => {
    const { id, url } = await asked();
    const event = eventOf(id, await put200(url));
    const code = `import(${JSON.stringify(new URL('ingest.js', DIST).href)}).then(({ handler }) =>
      handler(${JSON.stringify(event)}, { getRemainingTimeInMillis: () => 900000 }))`;
    const command = [process.execPath, '-e', code] as const;
    const reader = stage.stores.with(new Process('a reader', command, { env: process.env, cwd: ROOT }));
    await untilWaiting(1);
    await reader.kill();
    await letGo();
    await untilWaiting(0);
    expect(await state(id)).toEqual({
      status: 'recebendo',
      campaign_id: null,
      import_id: null,
      file: null,
      problem: null,
    });
    expect(await campaigns()).toEqual([]);
    expect(await ingest(event, context())).toEqual(['passed']);
    await endLease(id);
    expect(await ingest(event, context())).toEqual(['accepted']);
    expect([await state(id), (await campaigns()).length]).toEqual([expect.objectContaining({ file: COUNTS }), 1]);
  });

  test('the same event waits for nobody, and leaves it to who reads', async () => {
    const { id, url } = await asked();
    const event = eventOf(id, await put200(url));
    const first = ingest(event, context());
    await untilWaiting(1);
    expect(await ingest(event, context())).toEqual(['passed']);
    await letGo();
    expect([await first, (await campaigns()).length]).toEqual([['accepted'], 1]);
  });

  test('a reader whose lease is over, and the one that took it, accept one campaign', async () => {
    await letGo();
    const { id, url } = await asked();
    const event = eventOf(id, await put200(url));
    await holder.query('BEGIN');
    await holder.query('SELECT FROM companies WHERE id = $1 FOR UPDATE', [company.id]);
    const first = ingest(event, context());
    await untilWaiting(1);
    await endLease(id);
    const second = ingest(event, context());
    await untilWaiting(2);
    await holder.query('COMMIT');
    expect([await first, await second].flat().sort()).toEqual(['accepted', 'passed']);
    expect([await state(id), (await campaigns()).length]).toEqual([
      expect.objectContaining({ status: 'aceito', problem: null }),
      1,
    ]);
  });

  test('a company that is deleted then waits, and takes the campaign with it', async () => {
    const { id, url } = await asked();
    const event = eventOf(id, await put200(url));
    const ingesting = ingest(event, context());
    await untilWaiting(1);
    const deleting = as(stage, ana)('DELETE', `/api/companies/${company.id}`);
    await untilWaiting(2);
    await letGo();
    expect([await ingesting, (await deleting).status]).toEqual([['accepted'], 204]);
    expect((await campaigns()).map(({ deleted }) => deleted)).toEqual([true]);
    expect(refusal(await as(stage, ana)('GET', `/api/uploads/${id}`))).toEqual([404, 'UPLOAD.NOT_FOUND']);
  });

  test('a company that was deleted before gets no campaign, and the object goes', async () => {
    await letGo();
    const { id, url } = await asked();
    expect((await as(stage, ana)('DELETE', `/api/companies/${company.id}`)).status).toBe(204);
    expect(await ingest(eventOf(id, await put200(url)), context())).toEqual(['passed']);
    expect([await campaigns(), existsSync(bucket.fileOf(id))]).toEqual([[], false]);
  });
});

test('a server without a bucket says so, and where the file can go', async () => {
  const answer = await as(stage, ana)('POST', '/api/uploads', { body: uploadOf(company, 12) });
  expect([refusal(answer), answer.headers.get('retry-after')]).toEqual([[503, 'UPLOAD.NOT_CONFIGURED'], null]);
});

describe('under serverless offline', () => {
  let offline: Offline;

  beforeAll(async () => {
    offline = await Offline.open(stage, { UPLOAD_BUCKET: undefined, S3_ENDPOINT: undefined });
  }, PATIENCE_MS * 2);

  afterAll(() => offline?.close());

  test('the PUT of a file invokes the ingest function', async () => {
    const { id } = await sent(stage, ana, company, FILE);
    const accepted = () => state(id).then(({ status }) => status === 'aceito');
    await stage.until(accepted, 'it is accepted');
    expect(await state(id)).toMatchObject({ file: COUNTS, problem: null });
  });
});
