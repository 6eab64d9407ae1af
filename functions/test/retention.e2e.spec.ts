import { messageId } from '@disparo/contract';
import { createId } from '@paralleldrive/cuid2';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../testing/api-stage.js';
import { accepted, as, campaign, ran, someNumbers, started, storedNumbers } from './campaigns/fixtures.js';

const NUMBERS = someNumbers(6);
const MESSAGE = 'Hoje tudo pela metade.';
const NOTHING = '0 campaigns older than 30 days erased, 0 numbers in the ledger, 0 rejects, 0 documents';

let stage: ApiStage;
let ana: TestUser;
let company: TestCompany;

beforeAll(async () => {
  stage = await ApiStage.open();
  ana = await stage.user();
  company = await stage.company(ana);
});

afterAll(() => stage?.close());

/** A campaign that is wholly stored, as a consumer does it. */
async function sent(lines: string[] = NUMBERS, numbers = lines, fields: Record<string, string> = {}): Promise<string> {
  const { id } = await accepted(stage, ana, company, lines, { fields });
  await store(id, numbers);
  const chunks = numbers.map((_, index) => index + 1);
  await stage.sql('SELECT * FROM record_stored($1, $2)', [chunks.map(() => id), chunks]);
  expect(await campaign(stage, ana, id)).toMatchObject({ status: 'enviado', stored: numbers.length });
  return id;
}

async function store(id: string, numbers: string[]): Promise<void> {
  const now = new Date();
  await stage.mongo.collection<{ _id: string }>('messages').insertMany(
    numbers.map((phone_number, index) => ({
      ...{ _id: messageId(id, index + 1), identifier: createId(), phone_number, message: MESSAGE, campaign_id: id },
      ...{ company_id: company.id, sequence: index + 1, created_at: now, updated_at: now, deleted: false },
    })),
  );
}

/** Makes these campaigns unchanged for 31 days. */
async function age(...ids: string[]): Promise<void> {
  await stage.sql("UPDATE campaigns SET updated_at = updated_at - interval '31 days' WHERE id = ANY ($1)", [ids]);
}

/** A campaign's numbers in the ledger, a text a chunk. */
async function ledger(id: string): Promise<string[]> {
  const rows = await stage.sql<{ phone_numbers: string }>(
    'SELECT phone_numbers FROM campaign_chunks WHERE campaign_id = $1 ORDER BY first_sequence',
    [id],
  );
  return rows.map((row) => row.phone_numbers);
}

const retention = (...args: string[]) => ran(stage, 'retention', args);
const erase = () => retention('--older-than', '30');
const check = (...args: string[]) => ran(stage, 'ledger', ['check', ...args]);
const documents = (id: string) => stage.mongo.collection('messages').countDocuments({ campaign_id: id });

/** Runs `work` while another connection holds what `statement` locks. */
async function whileLocked<T>(statement: string, work: (keeper: pg.Client) => Promise<T>): Promise<T> {
  const keeper = new pg.Client(stage.env.DATABASE_URL);
  await keeper.connect();
  try {
    await keeper.query(`BEGIN; ${statement}`);
    return await work(keeper);
  } finally {
    await keeper.end();
  }
}

function untilItWaits(): Promise<unknown> {
  return stage.until(
    async () =>
      (await stage.sql("SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"))
        .length > 0,
    'it waits for a lock',
  );
}

describe('npm run retention -- --older-than', () => {
  test('the numbers of a campaign go, its counters stay, and whoever reads it finds nothing', async () => {
    const id = await sent([...NUMBERS, '123', 'ninguém 11 98765-4321'], NUMBERS);
    const before = await campaign(stage, ana, id);
    await age(id);
    const words = '6 numbers in the ledger, 2 rejects, 6 documents';
    expect(await retention('--older-than', '30', '--dry-run')).toEqual([
      0,
      `1 campaigns older than 30 days would be erased, ${words}\n`,
    ]);
    expect(await storedNumbers(stage, id)).toEqual(NUMBERS);
    expect(await erase()).toEqual([0, `1 campaigns older than 30 days erased, ${words}\n`]);

    expect([await ledger(id), await documents(id)]).toEqual([NUMBERS.map(() => ''), 0]);
    expect(await campaign(stage, ana, id)).toEqual({ ...before, updated_at: expect.any(String) });
    const get = async (path: string) => (await as(stage, ana)('GET', `/api/campaigns/${id}/${path}`)).body;
    expect(await get('messages')).toEqual({ data: [], next: null });
    expect(await get('rejects')).toEqual({ data: [], next: null, not_kept: 0 });
    expect(await get('messages.csv')).toBe('sequence,phone_number,identifier,message,created_at\r\n');
    expect(await get('rejects.csv')).toBe('line,value,reason\r\n');
    expect(await check(id)).toEqual([0, '1 campaigns, 0 messages: no difference\n']);
    expect(await erase()).toEqual([0, `${NOTHING}\n`]);
  });

  test('what may still be published, stored or counted is left alone; what was deleted goes', async () => {
    const running = (await accepted(stage, ana, company, NUMBERS)).id;
    const [paused, cancelled, deleted] = [await half(), await half(), await half()];
    await as(stage, ana)('POST', `/api/campaigns/${paused}/pause`);
    await as(stage, ana)('POST', `/api/campaigns/${cancelled}/cancel`);
    await as(stage, ana)('DELETE', `/api/campaigns/${deleted}`);
    const young = await sent();
    await age(running, paused, cancelled, deleted);
    expect(await erase()).toEqual([
      0,
      '1 campaigns older than 30 days erased, 6 numbers in the ledger, 0 rejects, 3 documents, ' +
        '1 cancelled campaigns wait until dispatch has swept them for the last time\n',
    ]);
    for (const id of [running, paused, cancelled, young]) expect(await ledger(id)).toEqual(NUMBERS);
    expect(await ledger(deleted)).toEqual(NUMBERS.map(() => ''));

    await stage.sql('UPDATE campaigns SET sweep_at = NULL WHERE id = $1', [cancelled]);
    expect((await erase())[1]).toContain('1 campaigns older than 30 days erased, 6 numbers');
    expect(await campaign(stage, ana, cancelled)).toMatchObject({ status: 'cancelado', total: 6, stored: 3 });
    expect(await check()).toEqual([0, expect.stringContaining('no difference')]);
    const mark = stage.sql('UPDATE campaigns SET erasing_at = now() WHERE id = $1', [paused]);
    await expect(mark).rejects.toThrow('campaigns_erased_are_finished');
  });

  test.each([
    ['a consumer that records', "SELECT * FROM record_stored(ARRAY['$id'], ARRAY[4])"],
    ['a change of any kind', "UPDATE campaigns SET updated_at = clock_timestamp() WHERE id = '$id'"],
  ])('%s at that moment keeps the campaign for as long again', async (_name, statement) => {
    const id = await half();
    await as(stage, ana)('POST', `/api/campaigns/${id}/cancel`);
    await stage.sql('UPDATE campaigns SET sweep_at = NULL WHERE id = $1', [id]);
    await age(id);
    const [code, output] = await whileLocked(statement.replace('$id', id), async (keeper) => {
      const { ended } = started(stage, 'retention', ['--older-than', '30']);
      await untilItWaits();
      await keeper.query('COMMIT');
      return ended;
    });
    expect([code, output]).toEqual([0, `${NOTHING}\n`]);
    expect(await ledger(id)).toEqual(NUMBERS);
  });

  test('killed before and between two pages, it has told nobody a half, and the next run ends it', {
    timeout: 180_000,
  }, async () => {
    const numbers = someNumbers(120);
    const id = await sent(numbers);
    await age(id);
    for (const [chunk, left] of [
      [1, 120],
      [60, 70],
      [119, 20],
    ] as const) {
      const lock = `SELECT FROM campaign_chunks WHERE campaign_id = '${id}' AND first_sequence = ${chunk} FOR UPDATE`;
      await whileLocked(lock, async () => {
        const { process, ended } = started(stage, 'retention', ['--older-than', '30']);
        await untilItWaits();
        process.signal('SIGKILL');
        await ended;
      });
      expect((await ledger(id)).filter(Boolean)).toEqual(numbers.slice(-left));
      expect((await as(stage, ana)('GET', `/api/campaigns/${id}/messages`)).body).toEqual({ data: [], next: null });
      expect(await check(id)).toEqual([0, '1 campaigns, 0 messages: no difference\n']);
    }
    const words = 'campaigns older than 30 days erased, 20 numbers in the ledger, 0 rejects, 0 documents\n';
    expect(await erase()).toEqual([0, `1 ${words}`]);
    expect((await ledger(id)).filter(Boolean)).toEqual([]);
  });

  test('told to stop, it ends between two pages and says so', async () => {
    const id = await sent(someNumbers(60));
    await age(id);
    const lock = `SELECT FROM campaign_chunks WHERE campaign_id = '${id}' AND first_sequence = 1 FOR UPDATE`;
    const [code, output] = await whileLocked(lock, async (keeper) => {
      const { process, ended } = started(stage, 'retention', ['--older-than', '30']);
      await untilItWaits();
      await process.signalAndTaken('SIGTERM');
      await keeper.query('ROLLBACK');
      return ended;
    });
    expect([code, output]).toEqual([
      75,
      '0 campaigns older than 30 days erased, 50 numbers in the ledger, 0 rejects, 60 documents, told to stop: run it again\n',
    ]);
    expect((await erase())[1]).toContain('1 campaigns older than 30 days erased, 10 numbers');
  });

  test('three at once do no harm', async () => {
    const ids = [await sent(), await sent(), await sent()];
    await age(...ids);
    for (const [code] of await Promise.all([erase(), erase(), erase()])) expect(code).toBe(0);
    for (const id of ids) {
      expect([await documents(id), (await ledger(id)).join('')]).toEqual([0, '']);
      expect(await check(id)).toEqual([0, '1 campaigns, 0 messages: no difference\n']);
    }
  });

  test('rejects that another run is dropping are not taken for gone', async () => {
    const page = Array.from({ length: 10_000 }, () => '123');
    const id = await sent([...NUMBERS, ...page], NUMBERS);
    // Rejects from the time before only the first 10,000 were kept.
    await stage.sql(
      `INSERT INTO campaign_rejects SELECT $1, line, '456', 'wrong_length' FROM generate_series(10007, 10008) AS line`,
      [id],
    );
    await age(id);
    const first = 'DELETE FROM campaign_rejects WHERE line <= 10006';
    await whileLocked(first, async (other) => {
      const erasing = erase();
      await untilItWaits();
      await other.query('COMMIT');
      await erasing;
    });
    await erase();
    expect(await stage.sql('SELECT value FROM campaign_rejects WHERE campaign_id = $1', [id])).toEqual([]);
  });

  test('what comes back behind an erasure is a difference, and goes with the next run', async () => {
    const id = await sent();
    await age(id);
    await erase();
    await store(id, NUMBERS.slice(0, 2));
    expect((await as(stage, ana)('GET', `/api/campaigns/${id}/messages`)).body).toEqual({ data: [], next: null });
    const [code, output] = await check(id);
    expect([code, output]).toEqual([1, expect.stringContaining('2 that the ledger does not know')]);
    expect(await erase()).toEqual([0, `${NOTHING}, 2 documents that had come back\n`]);
    expect(await check(id)).toEqual([0, '1 campaigns, 0 messages: no difference\n']);
  });

  test('the rejects that uploads show go too, of a campaign and of a refused file', async () => {
    const rejects = [{ line: 1, value: '11 98765-432', reason: 'wrong_length' }];
    const file = { lines: 1, accepted: 0, duplicate: 0, invalid: 1, blank: 0, rejects };
    const id = await sent();
    await age(id);
    const insert = (upload: string, campaignId: string | null, refusal: object | null) =>
      stage.sql(
        `INSERT INTO uploads (id, company_id, user_id, name, message, size, object_key, expires_at, campaign_id, object_etag,
                              file, refusal, updated_at)
         VALUES ($1, $2, $3, 'n', 'm', 1, $1, now(), $4, $5, $6, $7, now() - interval '31 days')`,
        [upload, company.id, ana.id, campaignId, campaignId, file, refusal],
      );
    await insert('accepted', id, null);
    await insert('refused', null, { status: 400, code: 'CAMPAIGN.FILE_EMPTY', file });
    expect((await erase())[1]).toContain('the rejects of 1 refused uploads');
    const bare = { ...file, rejects: [] };
    expect(await stage.sql('SELECT file, refusal FROM uploads ORDER BY id')).toEqual([
      { file: bare, refusal: null },
      { file: bare, refusal: { status: 400, code: 'CAMPAIGN.FILE_EMPTY', file: bare } },
    ]);
  });

  /** A campaign of which the first three numbers are stored. */
  async function half(): Promise<string> {
    const { id } = await accepted(stage, ana, company, NUMBERS);
    await store(id, NUMBERS.slice(0, 3));
    await stage.sql('SELECT * FROM record_stored($1, $2)', [
      [id, id, id],
      [1, 2, 3],
    ]);
    return id;
  }
});

describe('npm run retention -- --phone', () => {
  const [ONE = '', TWO = '', THREE = ''] = someNumbers(3, 500);
  /** Begins like ONE, and is another number. */
  const LONGER = '+493012345678';
  const SHORTER = LONGER.slice(0, -2);

  test('one number is forgotten in what is finished, and its place kept', async () => {
    const lines = [ONE, TWO, ONE, THREE, `${ONE.slice(3)} da Bia`];
    const finished = await sent(lines, lines.slice(0, 4), { allow_duplicates: 'true' });
    const running = (await accepted(stage, ana, company, [TWO, ONE])).id;
    const found = '2 numbers in the ledger, 1 rejects, 2 documents, 1 campaigns that hold it are not finished: ';
    const [code, dry] = await retention('--phone', ONE, '--dry-run');
    expect([code, dry]).toEqual([75, `Would be forgotten in 1 campaigns, ${found}run it again when they are\n`]);
    expect(await ledger(finished)).toEqual(lines.slice(0, 4));

    expect(await retention('--phone', ONE)).toEqual([
      75,
      `Forgotten in 1 campaigns, ${found}run it again when they are\n`,
    ]);
    expect(await ledger(finished)).toEqual(['-', TWO, '-', THREE]);
    expect(await ledger(running)).toEqual([TWO, ONE]);
    expect(await campaign(stage, ana, finished)).toMatchObject({ status: 'enviado', total: 4, stored: 4 });
    const { body } = await as(stage, ana)<{ data: { sequence: number }[] }>(
      'GET',
      `/api/campaigns/${finished}/messages`,
    );
    expect(body.data.map(({ sequence }) => sequence)).toEqual([2, 4]);
    expect((await as(stage, ana)('GET', `/api/campaigns/${finished}/rejects`)).body).toEqual({
      data: [],
      next: null,
      not_kept: 0,
    });
    expect(await check(finished)).toEqual([0, '1 campaigns, 2 messages: no difference\n']);

    await as(stage, ana)('DELETE', `/api/campaigns/${running}`);
    expect(await retention('--phone', ONE)).toEqual([
      0,
      'Forgotten in 1 campaigns, 1 numbers in the ledger, 0 rejects, 0 documents\n',
    ]);
    await age(finished);
    expect((await erase())[1]).toContain('1 campaigns older than 30 days erased, 2 numbers in the ledger');
  });

  test('a number that another one begins with is another number', async () => {
    const id = await sent([LONGER, SHORTER]);
    expect((await retention('--phone', SHORTER))[1]).toContain('1 numbers in the ledger, 0 rejects, 1 documents');
    expect(await ledger(id)).toEqual([LONGER, '-']);
    expect(await documents(id)).toBe(1);
  });

  test('of another country its digits are looked for as a whole', async () => {
    const short = '+12345678';
    const id = await sent([ONE, '11 91234-5678 x', '0012345678 x'], [ONE]);
    expect((await retention('--phone', short))[1]).toContain('0 numbers in the ledger, 1 rejects, 0 documents');
    expect(await stage.sql('SELECT value FROM campaign_rejects WHERE campaign_id = $1', [id])).toEqual([
      { value: '11 91234-5678 x' },
    ]);
  });

  test('a campaign that finishes after its chunks were read keeps line and document, and is told', async () => {
    const { id } = await accepted(stage, ana, company, [THREE]);
    await store(id, [THREE]);
    const [code, words] = await whileLocked('LOCK TABLE campaign_rejects', async (keeper) => {
      const forgetting = retention('--phone', THREE);
      await untilItWaits();
      await stage.sql('SELECT * FROM record_stored($1, $2)', [[id], [1]]);
      await keeper.query('COMMIT');
      return forgetting;
    });
    expect([code, words]).toEqual([75, expect.stringContaining('1 campaigns that hold it are not finished')]);
    expect([await ledger(id), await documents(id)]).toEqual([[THREE], 1]);
    expect((await retention('--phone', THREE))[0]).toBe(0);
    expect([await ledger(id), await documents(id)]).toEqual([['-'], 0]);
  });

  test('a document that the ledger does not tell of is found all the same', async () => {
    const id = await sent([TWO]);
    await stage.sql("UPDATE campaign_chunks SET phone_numbers = '-' WHERE campaign_id = $1", [id]);
    expect((await retention('--phone', TWO))[1]).toContain('1 documents');
    expect(await documents(id)).toBe(0);
  });
});

test.each([
  [[]],
  [['--older-than']],
  [['--older-than', '0']],
  [['--older-than', '1.5']],
  [['--older-than', '30', '--dry-run', '--dry-run']],
  [['--phone', '11987654321']],
  [['--phone', '+55119876543']],
  [['--phone', '+5511987654321', '--older-than', '30']],
])('is not told what to do by %j', async (args) => {
  const [code, output] = await retention(...args);
  expect([code, output]).toEqual([78, expect.stringMatching(/^usage: npm run retention/)]);
});
