import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { PixRetention } from '../../pix/upkeep/pix-retention.js';
import { PixRetentionRepository } from '../../pix/upkeep/pix-retention.repository.js';
import type { Config } from '../../platform/config.js';
import { Postgres } from '../../platform/stores/postgres.js';
import { Retention } from '../../retention/retention.js';
import { ran } from '../campaigns/fixtures.js';
import { someIspb } from './streams.js';

const NOTHING = '0 campaigns older than 30 days erased, 0 numbers in the ledger, 0 rejects, 0 documents';
const TEN = 'payers and receivers of 10 Pix messages older than 30 days';
const PERSONAL = [
  ...['payer_name', 'payer_document', 'payer_branch', 'payer_account'],
  ...['receiver_name', 'receiver_document', 'receiver_branch', 'receiver_account', 'free_text'],
];

let stage: ApiStage;
let postgres: Postgres;

beforeAll(async () => {
  stage = await ApiStage.open();
  postgres = new Postgres({ databaseUrl: stage.env.DATABASE_URL } as Config);
});

afterAll(async () => {
  await postgres?.close();
  await stage?.close();
});

type Row = Record<string, unknown> & { id: string };

const MESSAGES = 'SELECT * FROM pix_messages WHERE ispb = $1 ORDER BY id';

async function make(ispb: string, number: number): Promise<Row[]> {
  await stage.api('POST', `/api/util/msgs/${ispb}/${number}`);
  await stage.sql("UPDATE pix_messages SET free_text = 'Aluguel da Ana' WHERE ispb = $1", [ispb]);
  return stage.sql<Row>(MESSAGES, [ispb]);
}

/** Collects up to ten messages. Returns the token that acknowledges them, and their `endToEndId`s. */
async function collected(ispb: string, token = 'start'): Promise<{ next: string; ids: string[] }> {
  const headers = { accept: 'multipart/json' };
  const path = `/api/pix/${ispb}/stream/${token}`;
  const { body, headers: answered } = await stage.api<{ endToEndId: string }[]>('GET', path, { headers });
  return { next: answered.get('pull-next')?.split('/').at(-1) ?? '', ids: body.map(({ endToEndId }) => endToEndId) };
}

/** Collects ten messages and acknowledges them. */
async function delivered(ispb: string): Promise<void> {
  const { next } = await collected(ispb);
  await stage.api('DELETE', `/api/pix/${ispb}/stream/${next}`);
}

/** Makes what was acknowledged of an ISPB older. */
async function age(ispb: string, days = 31): Promise<void> {
  await stage.sql(
    `UPDATE pix_deliveries d SET acknowledged_at = acknowledged_at - make_interval(days => $2)
       FROM pix_messages m WHERE m.id = d.message_id AND m.ispb = $1`,
    [ispb, days],
  );
}

const erased = (row: Row) => ({
  ...row,
  ...Object.fromEntries(PERSONAL.map((name) => [name, ''])),
  erased_at: expect.any(Date),
});

const run = (...more: string[]) => ran(stage, 'retention', ['--older-than', '30', ...more]);

describe('npm run retention -- --older-than', () => {
  test('erases payers and receivers of what was acknowledged before, and no more of it', async () => {
    const [old, young] = [someIspb(), someIspb()];
    const [oldRows, youngRows] = [await make(old, 10), await make(young, 10)];
    await delivered(old);
    await delivered(young);
    await age(old, 31);
    await age(young, 29);
    const words = NOTHING.replace('erased,', 'would be erased,');
    expect(await run('--dry-run')).toEqual([0, `${TEN} would be erased, ${words}\n`]);
    expect(await stage.sql(MESSAGES, [old])).toEqual(oldRows);
    expect(await run()).toEqual([0, `${TEN} erased, ${NOTHING}\n`]);
    expect(await stage.sql(MESSAGES, [old])).toEqual(oldRows.map(erased));
    expect(await stage.sql(MESSAGES, [young])).toEqual(youngRows);
    const after = await stage.sql(MESSAGES, [old]);
    expect(await run()).toEqual([0, `${NOTHING}\n`]);
    expect(await stage.sql(MESSAGES, [old])).toEqual(after);
  });

  test('leaves what waits and what is not acknowledged, however old: it is handed out whole', async () => {
    const ispb = someIspb();
    const rows = await make(ispb, 30);
    const first = await collected(ispb);
    const second = await collected(ispb, first.next);
    await age(ispb, 400);
    await stage.sql("UPDATE pix_messages SET paid_at = paid_at - interval '400 days' WHERE ispb = $1", [ispb]);
    expect((await run())[1]).toBe(`${TEN} erased, ${NOTHING}\n`);
    const kept = await stage.sql<Row>(MESSAGES, [ispb]);
    expect(kept.map(({ erased_at }) => erased_at !== null)).toEqual(rows.map((_, at) => at < 10));

    // The answer was lost: the token before brings the same ten, with their names. What was erased has no token any more.
    const again = await collected(ispb, first.next);
    expect(again).toEqual(second);
    const third = await collected(ispb, again.next);
    expect([...first.ids, ...second.ids, ...third.ids]).toEqual(rows.map(({ end_to_end_id }) => end_to_end_id));
    const { status, body } = await stage.api('GET', `/api/pix/${ispb}/stream/${first.next}`);
    expect([status, body.code]).toEqual([410, 'PIX.STREAM_SUPERSEDED']);
    expect((await stage.sql<Row>(MESSAGES, [ispb])).slice(10)).toEqual(
      rows.slice(10).map((row) => ({ ...row, paid_at: expect.any(Date) })),
    );
  });
});

describe('with 12,000 messages, more than two pages of them', () => {
  const repository = () => new PixRetentionRepository(postgres);
  /** The hook of the module, as the command calls it, with a repository whose pages a test may watch. */
  function retention(of: PixRetentionRepository): Retention {
    const made = new Retention();
    new PixRetention(of, made);
    return made;
  }
  const NEVER = new AbortController().signal;

  /** Made and acknowledged long ago, but for the last 100, which wait. */
  async function many(): Promise<void> {
    await stage.sql('TRUNCATE pix_messages, pix_waiting, pix_deliveries, pix_streams');
    await stage.sql("SELECT pix_generate('32074986', 12000)");
    await stage.sql(
      `WITH taken AS (DELETE FROM pix_waiting WHERE message_id <= (SELECT max(id) - 100 FROM pix_messages) RETURNING message_id)
       INSERT INTO pix_deliveries SELECT message_id, 'aaaaaaaa', now() - interval '31 days' FROM taken`,
    );
  }

  const whole = async () =>
    (await stage.sql<{ n: number }>("SELECT count(*)::int AS n FROM pix_messages WHERE payer_name <> ''"))[0]?.n;

  test('a run that is told to stop ends between two pages, and the next one goes on', async () => {
    await many();
    const stop = new AbortController();
    const stopping = repository();
    const erase = stopping.erase.bind(stopping);
    stopping.erase = async (...page) => {
      stop.abort();
      return erase(...page);
    };
    const told = await retention(stopping).erase(30, { dryRun: false, stop: stop.signal });
    expect(told).toEqual({
      line: 'payers and receivers of 5,000 Pix messages older than 30 days erased, told to stop: run it again',
      complete: false,
    });
    expect(await whole()).toBe(7_000);
    const next = await retention(repository()).erase(30, { dryRun: false, stop: NEVER });
    expect(next).toEqual({
      line: 'payers and receivers of 6,900 Pix messages older than 30 days erased',
      complete: true,
    });
    expect(await whole()).toBe(100);
  });

  test('two runs at once erase each message once', async () => {
    await many();
    const runs = [repository(), repository()].map((each) => retention(each).erase(30, { dryRun: false, stop: NEVER }));
    const lines = (await Promise.all(runs)).map(({ line }) => line);
    const erasedBy = lines.map((line) => Number(/of ([\d,]+) Pix/.exec(line)?.[1]?.replace(',', '') ?? 0));
    expect([erasedBy.reduce((sum, each) => sum + each, 0), await whole()]).toEqual([11_900, 100]);
  });

  test('a run reads nothing that was erased before', async () => {
    await many();
    await retention(repository()).erase(30, { dryRun: false, stop: NEVER });
    await stage.sql('VACUUM ANALYZE pix_messages');
    let text = '';
    const explaining = {
      one: async (statement: string, values: unknown[]) => {
        const explain = 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF)';
        const plan = await stage.sql<Record<string, string>>(`${explain} ${statement}`, values);
        text = plan.map((line) => line['QUERY PLAN']).join('\n');
        return { last: null, due: 0 };
      },
    };
    await new PixRetentionRepository(explaining as unknown as Postgres).erase(30, '0');
    expect(text).toMatch(/using pix_messages_unerased .*rows=100/);
    expect(text).not.toMatch(/Removed by Filter|Seq Scan/);
  });
});
