import { ADMIT_SQL, type AdmitRow, RECORD_STORED_SQL, type RecordRow } from '@disparo/contract';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Claim, OutboxRepository } from '../../ledger/publish/outbox.repository.js';
import { PublishCampaign } from '../../ledger/publish/publish-campaign.js';
import { Steering } from '../../ledger/steer/steering.js';
import { Runtime } from '../../platform/runtime.js';
import { Postgres } from '../../platform/stores/postgres.js';
import { Broker } from '../../platform/stores/rabbitmq.js';
import { createLog } from '../../platform/telemetry/log.js';
import { Metrics } from '../../platform/telemetry/metrics.js';
import { COMPANY, createLedgerDatabase, type LedgerDatabase, USER } from './ledger-database.js';
import { assertInvariants, readLedger } from './ledger-invariants.js';

let database: LedgerDatabase;
let postgres: Postgres;
let ledger: OutboxRepository;
let campaigns: Steering;
/** Two consumers, or other connections at work next to the repositories. `watch` prepares and reads. */
let one: pg.Client;
let two: pg.Client;
let watch: pg.Client;
let ids = 0;

beforeAll(async () => {
  database = await createLedgerDatabase();
  postgres = new Postgres(database.config);
  ledger = new OutboxRepository(postgres);
  campaigns = new Steering(postgres);
  [one, two, watch] = await Promise.all([database.connect(), database.connect(), database.connect()]);
});

afterAll(async () => {
  await postgres?.close();
  await database?.drop();
});

/** A campaign of six numbers in three chunks: 1, 3, 5. Nobody holds its lease. */
async function accepted(): Promise<string> {
  const id = `campaign${ids++}`;
  await watch.query(
    "INSERT INTO campaigns (id, name, message, company_id, user_id, total) VALUES ($1, 'n', 'm', $2, $3, 6)",
    [id, COMPANY, USER],
  );
  await watch.query(
    `INSERT INTO campaign_chunks (campaign_id, first_sequence, size, phone_numbers)
     SELECT $1, first, 2, 'a' || chr(10) || 'b' FROM unnest('{1,3,5}'::int[]) first`,
    [id],
  );
  return id;
}

async function claimed(id: string): Promise<Claim> {
  const claim = await ledger.claim({ id });
  if (!claim) throw new Error(`${id} cannot be claimed`);
  return claim;
}

async function record(client: pg.Client, pairs: [id: string, firstSequence: number][]): Promise<RecordRow[]> {
  const values = [pairs.map(([id]) => id), pairs.map(([, first]) => first)];
  return (await client.query<RecordRow>(RECORD_STORED_SQL, values)).rows;
}

/** Status, published, stored; the invariants hold. */
async function state(id: string): Promise<[status: string, published: number, stored: number]> {
  const rows = await readLedger(watch, [id]);
  assertInvariants(rows, new Map());
  const [row] = rows;
  if (!row) throw new Error(`no campaign ${id}`);
  return [row.status, row.published, row.stored];
}

/** A publisher for campaigns that owe nothing that may go out: it asks no broker. */
function publishing(): PublishCampaign {
  const runtime = new Runtime('server');
  const config = { ...database.config, queuePrefix: '', queuePartitions: 1 };
  return new PublishCampaign(ledger, new Broker(config, runtime), runtime, createLog('silent'), new Metrics());
}

async function owed(claim: Claim): Promise<number[]> {
  return (await ledger.owed(claim, 10)).map(({ first_sequence }) => first_sequence);
}

/** Waits until a connection waits for a lock, so that what follows happens meanwhile. */
async function untilBlocked(): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const { rows } = await watch.query<{ blocked: number }>(
      `SELECT count(*)::int AS blocked FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE NOT l.granted AND a.datname = current_database()`,
    );
    if (rows[0]?.blocked) return;
    if (Date.now() > deadline) throw new Error('nobody waits for a lock');
  }
}

describe('storing', () => {
  test('two consumers that record the last two chunks at once end the campaign as enviado', async () => {
    const id = await accepted();
    await ledger.stamp(await claimed(id), [1, 3, 5]);
    await record(one, [[id, 1]]);
    await one.query('BEGIN');
    const first = await record(one, [[id, 3]]);
    const second = record(two, [[id, 5]]);
    await untilBlocked();
    await one.query('COMMIT');
    expect([first, await second]).toEqual([
      [{ id, status: 'enviando', total: 6, stored: 4, deleted: false }],
      [{ id, status: 'enviado', total: 6, stored: 6, deleted: false }],
    ]);
    expect(await state(id)).toEqual(['enviado', 6, 6]);
  });

  test('the same chunk recorded by two consumers at once is counted once', async () => {
    const id = await accepted();
    await one.query('BEGIN');
    await record(one, [[id, 1]]);
    const second = record(two, [[id, 1]]);
    await untilBlocked();
    await one.query('COMMIT');
    expect(await second).toEqual([]);
    expect(await state(id)).toEqual(['enviando', 2, 2]);
  });

  test('a chunk that stands twice in a batch is counted once', async () => {
    const id = await accepted();
    await record(one, [
      [id, 1],
      [id, 1],
    ]);
    expect(await state(id)).toEqual(['enviando', 2, 2]);
  });

  test('a chunk stored before its stamp counts as published, and the late stamp adds nothing', async () => {
    const id = await accepted();
    const claim = await claimed(id);
    await record(one, [
      [id, 1],
      [id, 3],
      [id, 5],
    ]);
    expect(await state(id)).toEqual(['enviado', 6, 6]);
    await ledger.stamp(claim, [1, 3, 5]);
    expect(await state(id)).toEqual(['enviado', 6, 6]);
  });

  test('a record that waits for a stamp of the same chunk sees the stamp', async () => {
    const id = await accepted();
    const claim = await claimed(id);
    await one.query('BEGIN');
    await one.query("SELECT stamp_published($1, $2, '{1,3,5}', $3, '20 seconds')", [
      id,
      claim.epoch,
      claim.lease_holder,
    ]);
    const recording = record(two, [
      [id, 1],
      [id, 3],
      [id, 5],
    ]);
    await untilBlocked();
    await one.query('COMMIT');
    expect(await recording).toEqual([{ id, status: 'enviado', total: 6, stored: 6, deleted: false }]);
    expect(await state(id)).toEqual(['enviado', 6, 6]);
  });

  test('consumers that record the same campaigns in opposite order do not deadlock', async () => {
    const [a, b] = [await accepted(), await accepted()];
    await Promise.all([
      record(one, [
        [a, 1],
        [b, 1],
      ]),
      record(two, [
        [b, 3],
        [a, 3],
      ]),
    ]);
    expect([await state(a), await state(b)]).toEqual([
      ['enviando', 4, 4],
      ['enviando', 4, 4],
    ]);
  });

  test('a paused and a cancelled campaign count what was on its way, and stay paused and cancelled', async () => {
    const [paused, cancelled] = [await accepted(), await accepted()];
    await campaigns.pause(USER, paused);
    await campaigns.cancel(USER, cancelled);
    await record(one, [
      [paused, 1],
      [cancelled, 1],
    ]);
    expect([await state(paused), await state(cancelled)]).toEqual([
      ['pausado', 2, 2],
      ['cancelado', 2, 2],
    ]);
  });

  test('a campaign deleted meanwhile comes back as deleted, so that its documents are marked', async () => {
    const id = await accepted();
    await campaigns.delete(USER, id);
    expect(await record(one, [[id, 1]])).toEqual([{ id, status: 'enviando', total: 6, stored: 2, deleted: true }]);
  });

  test('admit says of each pair whether it is known, runs and is stored', async () => {
    const [runs, paused] = [await accepted(), await accepted()];
    await record(one, [[runs, 3]]);
    await campaigns.pause(USER, paused);
    const asked = [
      [runs, runs, paused, runs, 'nobody'],
      [1, 3, 1, 99, 1],
    ];
    const { rows } = await one.query<AdmitRow>(ADMIT_SQL, asked);
    const known = { campaign_known: true, size: 2, running: true, stored: false };
    const byPair = (row: AdmitRow) => `${row.campaign_id}:${row.first_sequence}`;
    expect(new Map(rows.map((row) => [byPair(row), row]))).toEqual(
      new Map(
        [
          { campaign_id: runs, first_sequence: 1, ...known },
          { campaign_id: runs, first_sequence: 3, ...known, stored: true },
          { campaign_id: paused, first_sequence: 1, ...known, running: false },
          { campaign_id: runs, first_sequence: 99, ...known, size: null },
          {
            campaign_id: 'nobody',
            first_sequence: 1,
            campaign_known: false,
            size: null,
            running: false,
            stored: false,
          },
        ].map((row) => [byPair(row), row]),
      ),
    );
  });
});

describe('publishing', () => {
  test('two publishers that stamp the same chunks add them once', async () => {
    const id = await accepted();
    const claim = await claimed(id);
    await Promise.all([ledger.stamp(claim, [1, 3]), ledger.stamp(claim, [3, 5])]);
    expect(await state(id)).toEqual(['enfileirado', 6, 0]);
  });

  test('the outbox is what is neither published nor stored, in order, whatever the status', async () => {
    const id = await accepted();
    const claim = await claimed(id);
    await ledger.stamp(claim, [1]);
    await record(one, [[id, 1]]);
    expect([await owed(claim), await ledger.owed(claim, 1)]).toEqual([
      [3, 5],
      [{ first_sequence: 3, phone_numbers: 'a\nb' }],
    ]);
  });

  test.each([
    ['paused', (id: string) => campaigns.pause(USER, id)],
    ['cancelled', (id: string) => campaigns.cancel(USER, id)],
    ['deleted', (id: string) => campaigns.delete(USER, id)],
    ['leased', (id: string) => ledger.claim({ id })],
    ['excepted', async () => {}],
    ['published', async (id: string) => watch.query('UPDATE campaigns SET published = total WHERE id = $1', [id])],
    [
      'another publisher is just claiming',
      async (id: string) => {
        await one.query('BEGIN');
        await one.query('SELECT FROM campaigns WHERE id = $1 FOR UPDATE', [id]);
      },
    ],
  ])('a campaign that is %s is not claimed', async (why, make) => {
    const id = await accepted();
    await make(id);
    expect(await ledger.claim({ id, except: why === 'excepted' ? [id] : [] })).toBeUndefined();
    await one.query('ROLLBACK');
  });

  test('claims go to the campaign that has waited longest, and never twice', async () => {
    await watch.query('UPDATE campaigns SET deleted = true');
    const [oldest, newer] = [await accepted(), await accepted()];
    const claims = await Promise.all([ledger.claim({}), ledger.claim({}), ledger.claim({})]);
    expect(claims.map((claim) => claim?.id).sort()).toEqual([newer, oldest, undefined].sort());
    await watch.query('UPDATE campaigns SET lease_until = NULL WHERE id = ANY ($1)', [[oldest, newer]]);
    expect((await ledger.claim({}))?.id).toBe(oldest);
  });

  test('a lease that has run out can be taken, one that was given back too, and a stamp renews it', async () => {
    const id = await accepted();
    const claim = await claimed(id);
    await watch.query("UPDATE campaigns SET lease_until = clock_timestamp() - interval '1 ms' WHERE id = $1", [id]);
    await ledger.stamp(claim, [1]);
    expect(await ledger.claim({ id })).toBeUndefined();
    await ledger.release(claim);
    expect((await ledger.claim({ id }))?.id).toBe(id);
    await watch.query("UPDATE campaigns SET lease_until = clock_timestamp() - interval '1 ms' WHERE id = $1", [id]);
    expect((await ledger.claim({ id }))?.id).toBe(id);
  });

  test('an overtaken publisher finds nothing owed, and leaves the new lease alone', async () => {
    const id = await accepted();
    const overtaken = await claimed(id);
    await watch.query("UPDATE campaigns SET lease_until = clock_timestamp() - interval '1 ms' WHERE id = $1", [id]);
    const successor = await claimed(id);
    expect([await owed(overtaken), await owed(successor)]).toEqual([[], [1, 3, 5]]);
    await ledger.stamp(overtaken, [1]);
    await ledger.release(overtaken);
    expect(await ledger.claim({ id })).toBeUndefined();
    expect(await owed(successor)).toEqual([3, 5]);
  });

  test('a late stamp does not give a released lease back', async () => {
    const id = await accepted();
    const claim = await claimed(id);
    await ledger.release(claim);
    await ledger.stamp(claim, [1]);
    expect((await ledger.claim({ id }))?.id).toBe(id);
  });
});

describe('steering', () => {
  test('a stamp of an older epoch is void, and so is its release of the lease', async () => {
    const id = await accepted();
    const old = await claimed(id);
    await campaigns.pause(USER, id);
    await campaigns.resume(USER, id);
    const current = await claimed(id);
    await ledger.stamp(old, [1, 3, 5]);
    await ledger.release(old);
    expect([await state(id), await owed(old), await owed(current), await ledger.claim({ id })]).toEqual([
      ['pendente', 0, 0],
      [],
      [1, 3, 5],
      undefined,
    ]);
  });

  test('a publisher finds nothing in the outbox once its campaign is paused', async () => {
    const id = await accepted();
    const claim = await claimed(id);
    await campaigns.pause(USER, id);
    expect(await owed(claim)).toEqual([]);
  });

  test('the publisher of a campaign that was paused does not take it for published', async () => {
    const id = await accepted();
    const claim = await claimed(id);
    await campaigns.pause(USER, id);
    expect(await publishing().publish(claim)).toBe('stopped');
    await campaigns.resume(USER, id);
    const again = await claimed(id);
    await ledger.stamp(again, [1, 3, 5]);
    expect(await publishing().publish(again)).toBe('all');
  });

  test('a resume gives back all that is not stored, and what was stamped while it waited', async () => {
    const id = await accepted();
    const claim = await claimed(id);
    await ledger.stamp(claim, [1, 3]);
    await record(one, [[id, 1]]);
    await campaigns.pause(USER, id);
    await one.query('BEGIN');
    await one.query("SELECT stamp_published($1, $2, '{5}', $3, '20 seconds')", [id, claim.epoch, claim.lease_holder]);
    const resuming = campaigns.resume(USER, id);
    await untilBlocked();
    await one.query('COMMIT');
    expect([await resuming, await state(id), await owed(await claimed(id))]).toEqual([
      true,
      ['enviando', 2, 2],
      [3, 5],
    ]);
  });

  test('a resume of what is not paused changes nothing', async () => {
    const id = await accepted();
    await ledger.stamp(await claimed(id), [1, 3]);
    expect([await campaigns.resume(USER, id), await state(id)]).toEqual([false, ['pendente', 4, 0]]);
  });

  test.each(['pause', 'cancel'] as const)(
    'a %s that waits for the last record does not take enviado back',
    async (command) => {
      const id = await accepted();
      await one.query('BEGIN');
      await record(one, [
        [id, 1],
        [id, 3],
        [id, 5],
      ]);
      const steering = campaigns[command](USER, id);
      await untilBlocked();
      await one.query('COMMIT');
      expect([await steering, await state(id)]).toEqual([false, ['enviado', 6, 6]]);
    },
  );

  test('what was paused too late is enviado, and a resume leaves it so', async () => {
    const id = await accepted();
    await campaigns.pause(USER, id);
    await record(one, [
      [id, 1],
      [id, 3],
      [id, 5],
    ]);
    expect(await state(id)).toEqual(['enviado', 6, 6]);
    await campaigns.resume(USER, id);
    expect(await state(id)).toEqual(['enviado', 6, 6]);
  });

  test('a cancelled campaign is never resumed or paused', async () => {
    const id = await accepted();
    await campaigns.pause(USER, id);
    await campaigns.cancel(USER, id);
    const tried = [await campaigns.resume(USER, id), await campaigns.pause(USER, id), await campaigns.cancel(USER, id)];
    expect([tried, await state(id)]).toEqual([
      [false, false, false],
      ['cancelado', 0, 0],
    ]);
  });

  test('deleting a company while a consumer records deletes its campaigns without a deadlock', async () => {
    const [a, b] = [await accepted(), await accepted()];
    await one.query('BEGIN');
    await record(one, [
      [b, 1],
      [a, 1],
    ]);
    const deleting = postgres.transaction((sql) => campaigns.deleteOfCompany(sql, COMPANY));
    await untilBlocked();
    await one.query('COMMIT');
    expect(await deleting).toEqual(expect.arrayContaining([a, b]));
    expect((await readLedger(watch, [a, b])).map((row) => [row.deleted, row.stored])).toEqual([
      [true, 2],
      [true, 2],
    ]);
  });
});

describe('what the table itself refuses', () => {
  test.each([
    ['a status that somebody assigns', "status = 'enviado'", '428C9'],
    ['more published than there are', 'published = total + 1', '23514'],
    ['more stored than published', 'stored = 1', '23514'],
    ['less than nothing stored', 'stored = -1', '23514'],
  ])('%s', async (_, change, code) => {
    const id = await accepted();
    await expect(watch.query(`UPDATE campaigns SET ${change} WHERE id = $1`, [id])).rejects.toMatchObject({ code });
  });

  test('a chunk that is stored and not published', async () => {
    const id = await accepted();
    const change = watch.query('UPDATE campaign_chunks SET stored_at = now() WHERE campaign_id = $1', [id]);
    await expect(change).rejects.toMatchObject({ code: '23514' });
  });
});
