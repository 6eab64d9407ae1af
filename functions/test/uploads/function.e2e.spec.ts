import { existsSync, writeFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import { Process, ROOT } from '../../../testing/process.js';
import { as, PATIENCE_MS, refusal } from '../campaigns/fixtures.js';
import { Offline } from '../offline.js';
import {
  BUCKET,
  KINDS,
  type Kind,
  put,
  sent,
  TestBucket,
  type UploadBody,
  type UploadState,
  uploadState,
} from './fixtures.js';

type Handler = (event: object, context: object) => Promise<unknown>;

/** What tsc made: see api.e2e.spec.ts. */
const DIST = new URL('../../../dist/functions/', import.meta.url);
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
async function asked({ route, body, files }: Kind, size = Buffer.byteLength(files[0])): Promise<UploadBody> {
  const event = {
    version: '2.0',
    routeKey: '$default',
    rawPath: route,
    rawQueryString: '',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${ana.token}` },
    requestContext: { http: { method: 'POST', path: route, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1' } },
    body: JSON.stringify(body(company, size)),
    isBase64Encoded: false,
  };
  const answer = (await api(event, context())) as { statusCode: number; body: string };
  if (answer.statusCode !== 201) throw new Error(`no upload: ${answer.statusCode} ${answer.body}`);
  return JSON.parse(answer.body) as UploadBody;
}

/** The event of an upload's object, as S3 writes it. */
function eventOf(id: string, eTag?: string): object {
  const object = { key: `uploads/${id}`, ...(eTag === undefined ? {} : { eTag }) };
  return { Records: [{ eventName: 'ObjectCreated:Put', s3: { bucket: { name: BUCKET }, object } }] };
}

/** The ETag of what was put last. */
const lastETag = (): string => bucket.created.at(-1)?.eTag ?? '';

async function put200(url: string, file: string): Promise<string> {
  expect(await put(url, file)).toEqual([200, undefined]);
  return lastETag();
}

const state = (id: string): Promise<UploadState> => uploadState(stage, ana, id);

/** Lets the lease of an upload run out. */
const endLease = (id: string) =>
  stage.sql(
    `UPDATE uploads SET lease_until = CASE purpose WHEN 'campaign' THEN now() - interval '1 s' ELSE lease_until END,
            import_lease_until = CASE purpose WHEN 'billing' THEN now() - interval '1 s' END WHERE id = $1`,
    [id],
  );

describe.each(Object.entries(KINDS))('of a file that becomes a %s, the event', (_kind, kind) => {
  const [FILE, OTHER] = kind.files;
  const made = () => kind.made(stage, company);

  test('makes it that, and the same event again does nothing', async () => {
    const { id, url } = await asked(kind);
    const event = eventOf(id, await put200(url, FILE));
    expect(await ingest(event, context())).toEqual(['accepted']);
    const [one] = await made();
    const accepted = { ...kind.accepted(one?.id), problem: null };
    const [kept] = await stage.sql('SELECT file_name FROM uploads WHERE id = $1', [id]);
    expect(kept).toEqual({ file_name: null });
    expect([await state(id), existsSync(bucket.fileOf(id))]).toEqual([accepted, false]);
    expect(await ingest(event, context())).toEqual(['passed']);
    expect([await state(id), (await made()).length]).toEqual([accepted, 1]);
  });

  test('that comes many times at once makes one', async () => {
    const { id, url } = await asked(kind);
    const event = eventOf(id, await put200(url, FILE));
    const results = await Promise.all(Array.from({ length: 5 }, () => ingest(event, context())));
    expect(results.flat().sort()).toEqual(['accepted', 'passed', 'passed', 'passed', 'passed']);
    expect((await made()).length).toBe(1);
    expect(await state(id)).toMatchObject({ status: 'aceito', problem: null });
  });

  test('that is early, or of no upload of ours, changes nothing', async () => {
    const { id } = await asked(kind);
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
    const { id, url } = await asked(kind);
    const first = await put200(url, FILE);
    const second = await put200(url, OTHER);
    expect(await ingest(eventOf(id, first), context())).toEqual(['accepted']);
    expect(await ingest(eventOf(id, second), context())).toEqual(['passed']);
    expect(await kind.which(stage, id)).toBe(1);
    expect(await state(id)).toMatchObject({ status: 'aceito', problem: null });
  });

  test('of a second file is told by the upload, and the file is thrown away', async () => {
    const { id, url } = await asked(kind);
    await ingest(eventOf(id, await put200(url, FILE)), context());
    const before = await state(id);
    expect(await ingest(eventOf(id, await put200(url, FILE)), context())).toEqual(['passed']);
    expect(await state(id)).toEqual({ ...before, problem: expect.objectContaining({ code: 'UPLOAD.USED_TWICE' }) });
    expect([existsSync(bucket.fileOf(id)), (await made()).length]).toEqual([false, 1]);
  });

  test.each([
    ['larger than it said', `${FILE}1`, 400, 'UPLOAD.SIZE_MISMATCH'],
    ['smaller than it said', FILE.slice(1), 400, 'UPLOAD.SIZE_MISMATCH'],
    ['over the limit', '1'.repeat(1_048_577), 413, kind.tooLarge],
  ])('of a file that is %s refuses it, though the store took it', async (_, content, status, code) => {
    const { id, url } = await asked(kind);
    await put200(url, FILE);
    writeFileSync(bucket.fileOf(id), content);
    expect(await ingest(eventOf(id), context())).toEqual(['refused']);
    const problem = expect.objectContaining({ status, code });
    expect(await state(id)).toEqual({ status: 'recusado', campaign_id: null, import_id: null, file: null, problem });
    expect([existsSync(bucket.fileOf(id)), await made()]).toEqual([false, []]);
  });

  test('of a user who has left the company refuses it', async () => {
    const eva = await stage.user();
    await stage.member(ana, company, eva);
    const { id, url } = await asked(kind);
    await put200(url, FILE);
    await stage.sql('UPDATE uploads SET user_id = $2 WHERE id = $1', [id, eva.id]);
    await as(stage, ana)('DELETE', `/api/companies/${company.id}/members/${eva.id}`);
    expect(await ingest(eventOf(id), context())).toEqual(['refused']);
    expect(await state(id)).toMatchObject({ status: 'recusado', problem: { code: 'COMPANY.NOT_FOUND' } });
    expect(await made()).toEqual([]);
  });

  test(
    'fails while the store is away, and what comes then finds all as it was',
    async () => {
      const { id, url } = await asked(kind);
      const event = eventOf(id, await put200(url, FILE));
      await bucket.shut();
      await expect(ingest(event, context())).rejects.toThrow(/object store/);
      await bucket.open();
      expect(await state(id)).toMatchObject({ status: 'esperando', problem: null });
      expect(await ingest(event, context())).toEqual(['accepted']);
    },
    PATIENCE_MS,
  );

  test('of a file that nobody could read to its end in five tries refuses it', async () => {
    const { id, url } = await asked(kind);
    await put200(url, FILE);
    await stage.sql('UPDATE uploads SET attempts = 5 WHERE id = $1', [id]);
    expect(await ingest(eventOf(id), context())).toEqual(['refused']);
    expect(await state(id)).toMatchObject({ status: 'recusado', problem: { status: 500, code: 'UPLOAD.UNREADABLE' } });
  });
});

describe('the minute’s call', () => {
  test.each(Object.entries(KINDS))('takes up a file whose event was lost, of a %s', async (_kind, kind) => {
    const { id, url } = await asked(kind);
    await put200(url, kind.files[0]);
    await stage.sql('UPDATE uploads SET look_at = now() WHERE id = $1', [id]);
    expect(await ingest({ source: 'aws.events' }, context())).toMatchObject({ accepted: 1 });
    expect(await state(id)).toMatchObject({ status: 'aceito' });
  });
});

describe.each(Object.entries(KINDS))('held between the %s and its commit', (_kind, kind) => {
  const [FILE] = kind.files;
  const made = () => kind.made(stage, company);
  let holder: pg.Client;

  beforeAll(async () => {
    await stage.sql(`
      CREATE OR REPLACE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_advisory_xact_lock(${HOLD}); RETURN NEW; END $$;
      CREATE TRIGGER held BEFORE UPDATE ON uploads FOR EACH ROW
        WHEN (coalesce(NEW.campaign_id, NEW.import_id) IS NOT NULL AND coalesce(OLD.campaign_id, OLD.import_id) IS NULL)
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
    const { id, url } = await asked(kind);
    const event = eventOf(id, await put200(url, FILE));
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
    expect(await made()).toEqual([]);
    expect(await ingest(event, context())).toEqual(['passed']);
    await endLease(id);
    expect(await ingest(event, context())).toEqual(['accepted']);
    expect([await state(id), (await made()).length]).toEqual([
      expect.objectContaining({ status: 'aceito', file: kind.accepted('').file }),
      1,
    ]);
  });

  test('the same event waits for nobody, and leaves it to who reads', async () => {
    const { id, url } = await asked(kind);
    const event = eventOf(id, await put200(url, FILE));
    const first = ingest(event, context());
    await untilWaiting(1);
    expect(await ingest(event, context())).toEqual(['passed']);
    await letGo();
    expect([await first, (await made()).length]).toEqual([['accepted'], 1]);
  });

  test('a reader whose lease is over, and the one that took it, accept one', async () => {
    await letGo();
    const { id, url } = await asked(kind);
    const event = eventOf(id, await put200(url, FILE));
    await holder.query('BEGIN');
    await holder.query('SELECT FROM companies WHERE id = $1 FOR UPDATE', [company.id]);
    const first = ingest(event, context());
    await untilWaiting(1);
    await endLease(id);
    const second = ingest(event, context());
    await untilWaiting(2);
    await holder.query('COMMIT');
    expect([await first, await second].flat().sort()).toEqual(['accepted', 'passed']);
    expect([await state(id), (await made()).length]).toEqual([
      expect.objectContaining({ status: 'aceito', problem: null }),
      1,
    ]);
  });

  test('a company that is deleted then waits, and takes it along', async () => {
    const { id, url } = await asked(kind);
    const event = eventOf(id, await put200(url, FILE));
    const ingesting = ingest(event, context());
    await untilWaiting(1);
    const deleting = as(stage, ana)('DELETE', `/api/companies/${company.id}`);
    await untilWaiting(2);
    await letGo();
    expect([await ingesting, (await deleting).status]).toEqual([['accepted'], 204]);
    expect((await made()).map(({ deleted }) => deleted)).toEqual([true]);
    expect(refusal(await as(stage, ana)('GET', `/api/uploads/${id}`))).toEqual([404, 'UPLOAD.NOT_FOUND']);
  });

  test('a company that was deleted before gets none, and the object goes', async () => {
    await letGo();
    const { id, url } = await asked(kind);
    expect((await as(stage, ana)('DELETE', `/api/companies/${company.id}`)).status).toBe(204);
    expect(await ingest(eventOf(id, await put200(url, FILE)), context())).toEqual(['passed']);
    expect([await made(), existsSync(bucket.fileOf(id))]).toEqual([[], false]);
  });
});

describe.each(Object.entries(KINDS))('a file that becomes a %s', (_kind, kind) => {
  test('is given back by a reader that is told to stop, which does not count', async () => {
    const { id, url } = await asked(kind);
    const event = eventOf(id, await put200(url, kind.files[0]));
    const noTime = { ...context(), getRemainingTimeInMillis: () => 15_000 };
    await expect(ingest(event, noTime)).rejects.toThrow(/told to stop/);
    const [row] = await stage.sql('SELECT attempts, lease_holder FROM uploads WHERE id = $1', [id]);
    expect([row, await kind.made(stage, company)]).toEqual([{ attempts: 0, lease_holder: null }, []]);
    expect(await ingest(event, context())).toEqual(['accepted']);
  });

  test('has a server without a bucket say where it can go', async () => {
    const answer = await as(stage, ana)<{ detail: string }>('POST', kind.route, { body: kind.body(company, 12) });
    expect([refusal(answer), answer.headers.get('retry-after')]).toEqual([[503, 'UPLOAD.NOT_CONFIGURED'], null]);
    expect(answer.body.detail).toContain(kind === KINDS.campaign ? 'POST /api/campaigns' : 'POST /api/billing/imports');
  });
});

describe('the version before, which knows no purpose,', () => {
  /** Its statements, as they were: what it looks for, what it reads, and what it takes for decided. */
  const OPEN = 'NOT deleted AND campaign_id IS NULL AND refusal IS NULL';
  const FREE = '(lease_until IS NULL OR lease_until < clock_timestamp())';
  const seen = async (id: string) => {
    const due = await stage.sql(
      `SELECT FROM uploads WHERE look_at <= clock_timestamp() AND ${FREE} AND id = $1 FOR UPDATE SKIP LOCKED`,
      [id],
    );
    const key = `uploads/${id}`;
    const read = await stage.sql(
      `SELECT FROM uploads WHERE object_key = $1 AND ${OPEN} AND ${FREE} FOR UPDATE SKIP LOCKED`,
      [key],
    );
    const decided = await stage.sql(`SELECT FROM uploads WHERE object_key = $1 AND NOT (${OPEN})`, [key]);
    return [due.length, read.length, decided.length];
  };

  test.each<[string, Kind, number[], number[]]>([
    ['reads a file of numbers', KINDS.campaign, [1, 1, 0], [1, 0, 1]],
    ['touches no file of debts, before it is accepted or after', KINDS.import, [0, 0, 0], [0, 0, 0]],
  ])('%s', async (_name, kind, before, after) => {
    const { id, url } = await asked(kind);
    const event = eventOf(id, await put200(url, kind.files[0]));
    await stage.sql('UPDATE uploads SET look_at = now() WHERE id = $1', [id]);
    expect(await seen(id)).toEqual(before);
    await endLease(id);
    expect(await seen(id)).toEqual(before);
    expect(await ingest(event, context())).toEqual(['accepted']);
    expect(await seen(id)).toEqual(after);
  });
});

describe('under serverless offline', () => {
  let offline: Offline;

  beforeAll(async () => {
    offline = await Offline.open(stage, { UPLOAD_BUCKET: undefined, S3_ENDPOINT: undefined });
  }, PATIENCE_MS * 2);

  afterAll(() => offline?.close());

  test.each(Object.entries(KINDS))('the PUT of a file invokes the ingest function, for a %s', async (_kind, kind) => {
    const { id } = await sent(stage, ana, company, kind.files[0], {}, kind);
    const accepted = () => state(id).then(({ status }) => status === 'aceito');
    await stage.until(accepted, 'it is accepted');
    expect(await state(id)).toMatchObject({ file: kind.accepted('').file, problem: null });
  });
});
