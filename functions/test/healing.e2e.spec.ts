import { messageId, topology } from '@disparo/contract';
import { createId } from '@paralleldrive/cuid2';
import { type Channel, type ChannelModel, connect } from 'amqplib';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../testing/api-stage.js';
import type { Process } from '../../testing/process.js';
import { accepted, as, campaign, ran, someNumbers, started, storedNumbers, untilStatus } from './campaigns/fixtures.js';

const NUMBERS = someNumbers(6);
/** Longer than the default of HEAL_AFTER_S. */
const LATE = '61 seconds';
/** An API that was started less long ago leaves a test 40 s before its next pass. */
const FRESH_MS = 20_000;

let stage: ApiStage;
let ana: TestUser;
let company: TestCompany;
let connection: ChannelModel;
let channel: Channel;
let consumer: Process | undefined;
/** When the API was started, by `performance.now()`; long ago when a test has left it stopped. */
let startedAt = 0;

beforeAll(async () => {
  startedAt = performance.now();
  stage = await ApiStage.open();
  ana = await stage.user();
  company = await stage.company(ana);
  connection = await connect(stage.env.RABBITMQ_URL);
});

beforeEach(async () => {
  // The API has a dispatcher of its own, which makes a pass at the start and then each minute: it must make none in a test.
  if (performance.now() - startedAt > FRESH_MS) {
    await stage.kill();
    startedAt = performance.now();
    await stage.start();
  }
  channel = await connection.createChannel();
  await channel.purgeQueue(queue());
});

afterEach(async () => {
  await consumer?.kill();
  consumer = undefined;
  await channel.close();
  await stage.sql('UPDATE campaigns SET cancelled_at = now() WHERE cancelled_at IS NULL AND stored < total');
  await stage.sql('UPDATE campaigns SET sweep_at = NULL');
  // Makes what a test has stored older than anything that the next test makes late.
  await stage.sql(
    "UPDATE campaign_chunks SET published_at = published_at - interval '30 days' WHERE stored_at IS NOT NULL",
  );
});

afterAll(async () => {
  await connection?.close();
  await stage?.close();
});

const queue = (): string => topology(stage.env.QUEUE_PREFIX, 1).queue(0);

/** Runs one pass of a dispatcher of its own. Returns what it prints. */
async function dispatch(): Promise<string> {
  return (await ran(stage, 'dispatch', [], { LOG_LEVEL: 'error' }))[1];
}

/** Six numbers in six queue messages, all published. */
async function queued(): Promise<string> {
  const { id, status } = await accepted(stage, ana, company, NUMBERS);
  expect(status).toBe('enfileirado');
  return id;
}

/** Makes a campaign's published chunks older. */
async function age(id: string, by = LATE): Promise<void> {
  await stage.sql(
    `UPDATE campaign_chunks SET published_at = published_at - $2::interval WHERE campaign_id = $1 AND stored_at IS NULL`,
    [id, by],
  );
}

async function record(id: string, sequences: number[]): Promise<void> {
  await stage.sql('SELECT * FROM record_stored($1, $2)', [sequences.map(() => id), sequences]);
}

/** What waits in the queue, as `campaign:sequence`; it is taken out. */
async function taken(): Promise<string[]> {
  const found: string[] = [];
  for (;;) {
    const message = await channel.get(queue(), { noAck: true });
    if (!message) return found;
    found.push(String(message.properties.messageId));
  }
}

const all = (id: string): string[] => NUMBERS.map((_, index) => `${id}:${index + 1}`);

async function attempts(id: string): Promise<number[]> {
  const rows = await stage.sql<{ attempts: number }>(
    'SELECT attempts FROM campaign_chunks WHERE campaign_id = $1 ORDER BY first_sequence',
    [id],
  );
  return rows.map((row) => row.attempts);
}

async function store(id: string, sequences: number[]): Promise<void> {
  const now = new Date();
  await stage.mongo.collection<{ _id: string }>('messages').insertMany(
    sequences.map((sequence) => ({
      _id: messageId(id, sequence),
      identifier: createId(),
      phone_number: NUMBERS[sequence - 1] ?? NUMBERS[0],
      message: 'Hoje tudo pela metade.',
      campaign_id: id,
      company_id: company.id,
      sequence,
      created_at: now,
      updated_at: now,
      deleted: false,
    })),
  );
}

describe('what was lost comes back by itself', () => {
  test('a queue that was purged is filled again when its messages are late, and not before', async () => {
    const id = await queued();
    await channel.purgeQueue(queue());
    expect(await dispatch()).toBe('0 campaigns published, 0 still owed\n');
    await age(id);
    expect(await dispatch()).toBe(
      '1 campaigns published, 0 still owed, 6 numbers were late and went back to the outbox\n',
    );
    expect(await campaign(stage, ana, id)).toMatchObject({ status: 'enfileirado', published: 6 });
    expect(await attempts(id)).toEqual([1, 1, 1, 1, 1, 1]);
    consumer = stage.consumer();
    await untilStatus(stage, ana, id, 'enviado');
    expect(await storedNumbers(stage, id)).toEqual(NUMBERS);
  });

  test('a purge of a busy queue is seen by what was published later and is stored', async () => {
    const lost = await queued();
    await channel.purgeQueue(queue());
    const later = await queued();
    await age(lost);
    expect(await dispatch()).toBe('0 campaigns published, 0 still owed\n');
    await record(later, [1]);
    expect(await dispatch()).toContain('6 numbers were late');
    expect(await taken()).toEqual([...all(later), ...all(lost)]);
  });

  test('what still waits in the queue is not published again, however late it is', async () => {
    const id = await queued();
    await age(id, '2 days');
    expect(await dispatch()).toBe('0 campaigns published, 0 still owed\n');
    expect(await taken()).toEqual(all(id));
  });

  test('a queue that was deleted is declared and filled again', async () => {
    const id = await queued();
    await channel.deleteQueue(queue());
    await age(id);
    expect(await dispatch()).toContain('6 numbers were late');
    expect(await taken()).toEqual(all(id));
  });

  test('each time it is healed the grace time of a chunk doubles', async () => {
    const id = await queued();
    for (const seconds of [61, 121, 241]) {
      await channel.purgeQueue(queue());
      await age(id, `${seconds - 20} seconds`);
      expect(await dispatch()).toBe('0 campaigns published, 0 still owed\n');
      await age(id, '20 seconds');
      expect(await dispatch()).toContain('6 numbers were late');
    }
    expect(await attempts(id)).toEqual([3, 3, 3, 3, 3, 3]);
  });

  test('campaigns that stand still are left alone', async () => {
    const [paused, cancelled, deleted] = [await queued(), await queued(), await queued()];
    await as(stage, ana)('POST', `/api/campaigns/${paused}/pause`);
    await as(stage, ana)('POST', `/api/campaigns/${cancelled}/cancel`);
    await as(stage, ana)('DELETE', `/api/campaigns/${deleted}`);
    await channel.purgeQueue(queue());
    for (const id of [paused, cancelled, deleted]) await age(id);
    expect(await dispatch()).toContain('0 campaigns published, 0 still owed, 2 stopped campaigns swept');
    expect(await taken()).toEqual([]);
    expect(await campaign(stage, ana, paused)).toMatchObject({ status: 'pausado', published: 6 });
  });

  test('four dispatchers at once do no harm', async () => {
    const ids = [await queued(), await queued(), await queued()];
    await channel.purgeQueue(queue());
    for (const id of ids) await age(id);
    await Promise.all([dispatch(), dispatch(), dispatch(), dispatch()]);
    consumer = stage.consumer();
    for (const id of ids) {
      expect(await untilStatus(stage, ana, id, 'enviado')).toMatchObject({ published: 6, stored: 6 });
      expect(await storedNumbers(stage, id)).toEqual(NUMBERS);
    }
  });
});

describe('what a stopped campaign left behind', () => {
  test('documents that were written after a delete are marked, now and again later', async () => {
    const id = await queued();
    await as(stage, ana)('DELETE', `/api/campaigns/${id}`);
    await store(id, [1, 2, 3]);
    expect(await dispatch()).toContain('1 stopped campaigns swept');
    expect(await living(id)).toBe(0);
    await store(id, [4]);
    expect(await dispatch()).not.toContain('swept');
    await stage.sql(`UPDATE campaigns SET sweep_at = clock_timestamp() WHERE id = $1`, [id]);
    expect(await dispatch()).toContain('1 stopped campaigns swept');
    expect(await living(id)).toBe(0);
  });

  test('it is swept in ever longer steps, for seven days', async () => {
    const id = await queued();
    await as(stage, ana)('DELETE', `/api/campaigns/${id}`);
    for (const [stopped, next] of [
      ['1 second', 30],
      ['10 minutes', 600],
      ['6 days', 6 * 86_400],
    ]) {
      await stage.sql(
        'UPDATE campaigns SET deleted_at = clock_timestamp() - $2::interval, sweep_at = clock_timestamp() WHERE id = $1',
        [id, stopped],
      );
      await dispatch();
      const [row] = await stage.sql<{ seconds: number }>(
        'SELECT extract(epoch FROM sweep_at - clock_timestamp())::float8 AS seconds FROM campaigns WHERE id = $1',
        [id],
      );
      // Measured from the end of the pass: a process has started and ended in between.
      expect(Math.abs((row?.seconds ?? 0) - Number(next))).toBeLessThan(30);
    }
    await stage.sql(
      `UPDATE campaigns SET deleted_at = clock_timestamp() - interval '8 days', sweep_at = clock_timestamp() WHERE id = $1`,
      [id],
    );
    await dispatch();
    expect(await stage.sql('SELECT sweep_at FROM campaigns WHERE id = $1', [id])).toEqual([{ sweep_at: null }]);
  });

  test('what the store has of a cancelled campaign is counted', async () => {
    const id = await queued();
    await as(stage, ana)('POST', `/api/campaigns/${id}/cancel`);
    await store(id, [2, 3]);
    await dispatch();
    expect(await campaign(stage, ana, id)).toMatchObject({ status: 'cancelado', stored: 2, published: 6 });
  });

  test('of many chunks those that are whole count, without a query for each', async () => {
    const id = createId();
    await stage.sql(
      `INSERT INTO campaigns (id, name, message, company_id, user_id, total, cancelled_at)
       VALUES ($1, 'n', 'm', $2, $3, 500, clock_timestamp())`,
      [id, company.id, ana.id],
    );
    await stage.sql(
      `INSERT INTO campaign_chunks (campaign_id, first_sequence, size, phone_numbers)
       SELECT $1, first, 2, 'a' || chr(10) || 'b' FROM generate_series(1, 499, 2) first`,
      [id],
    );
    const absent = [3, 301, 302, 500];
    await store(
      id,
      Array.from({ length: 500 }, (_, index) => index + 1).filter((sequence) => !absent.includes(sequence)),
    );
    await record(id, [5, 7]);
    await stage.mongo.command({ profile: 2 });
    await stage.sql('UPDATE campaigns SET sweep_at = clock_timestamp() WHERE id = $1', [id]);
    expect(await dispatch()).toBe('0 campaigns published, 0 still owed, 1 stopped campaigns swept\n');
    await stage.mongo.command({ profile: 0 });
    expect(await campaign(stage, ana, id)).toMatchObject({ status: 'cancelado', stored: 494, published: 494 });
    const unstored =
      'SELECT first_sequence FROM campaign_chunks WHERE campaign_id = $1 AND stored_at IS NULL ORDER BY 1';
    expect(await stage.sql(unstored, [id])).toEqual([3, 301, 499].map((first_sequence) => ({ first_sequence })));
    const asked = await stage.mongo.collection('system.profile').find({ 'command.aggregate': 'messages' }).toArray();
    expect(asked.length).toBeLessThan(50);
    expect(asked.filter(({ docsExamined }) => docsExamined > 0)).toEqual([]);
  });

  test('one that cannot be swept is named, and does not stop the others', async () => {
    const [spoilt, other] = [await queued(), await queued()];
    for (const id of [spoilt, other]) {
      await as(stage, ana)('DELETE', `/api/campaigns/${id}`);
      await store(id, [1]);
    }
    // The collection's validator also refuses to change a document that it would not take.
    const messages = stage.mongo.collection<{ _id: string }>('messages');
    await messages.updateOne(
      { _id: messageId(spoilt, 1) },
      { $unset: { message: 1 } },
      { bypassDocumentValidation: true },
    );
    await stage.sql(
      "UPDATE campaigns SET sweep_at = clock_timestamp() - CASE id WHEN $1 THEN interval '1 minute' ELSE '0' END WHERE id IN ($1, $2)",
      [spoilt, other],
    );
    const [code, output] = await ran(stage, 'dispatch', [], { LOG_LEVEL: 'error' });
    const [line, words] = output.trimEnd().split('\n');
    expect([code, words]).toEqual([
      75,
      '0 campaigns published, 0 still owed, 1 stopped campaigns swept, 1 stopped campaigns could not be swept',
    ]);
    expect(JSON.parse(line ?? '')).toMatchObject({ level: 50, campaign_id: spoilt });
    expect([await living(spoilt), await living(other)]).toEqual([1, 0]);
    await messages.deleteMany({});
    expect(await dispatch()).toBe('0 campaigns published, 0 still owed, 1 stopped campaigns swept\n');
  });

  /** Documents that are not marked. */
  function living(id: string): Promise<number> {
    return stage.mongo.collection('messages').countDocuments({ campaign_id: id, deleted: false });
  }
});

describe('the last words of npm run dispatch', () => {
  test('what another publisher is at is still owed', async () => {
    const id = await queued();
    await stage.sql(
      "UPDATE campaigns SET lease_until = clock_timestamp() + interval '1 hour', lease_holder = 'another' WHERE id = $1",
      [id],
    );
    await takeBack(id);
    expect(await words()).toEqual([75, '0 campaigns published, 1 still owed, 1 of them with another publisher\n']);
  });

  test('what is paused is named, and nobody waits for it', async () => {
    const id = await queued();
    await as(stage, ana)('POST', `/api/campaigns/${id}/pause`);
    await takeBack(id);
    expect(await words()).toEqual([0, '0 campaigns published, 0 still owed, 1 paused before all was published\n']);
  });

  test('a pass that was told to stop says what it has left', async () => {
    const id = await queued();
    // The API would publish it again within seconds.
    stage.signal('SIGSTOP');
    startedAt = Number.NEGATIVE_INFINITY;
    await takeBack(id);
    // Another connection locks the table, so that the pass is sure to be in the middle.
    const keeper = new pg.Client(stage.env.DATABASE_URL);
    await keeper.connect();
    await keeper.query('BEGIN; LOCK TABLE campaign_chunks');
    const { process, ended } = started(stage, 'dispatch', [], { LOG_LEVEL: 'error' });
    const waiting =
      "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'";
    await stage.until(async () => (await stage.sql(waiting)).length > 0, 'the pass waits for the table');
    process.signal('SIGINT');
    await keeper.end();
    expect(await ended).toEqual([75, '0 campaigns published, 1 still owed, told to stop\n']);
  });

  const words = () => ran(stage, 'dispatch', [], { LOG_LEVEL: 'error' });

  /** As if nothing of the campaign had reached the queue. */
  async function takeBack(id: string): Promise<void> {
    await stage.sql('UPDATE campaign_chunks SET published_at = NULL WHERE campaign_id = $1', [id]);
    await stage.sql('UPDATE campaigns SET published = 0 WHERE id = $1', [id]);
  }
});

describe('npm run ledger -- check', () => {
  test('says that ledger and store agree, and what they do not agree on', async () => {
    const id = await queued();
    consumer = stage.consumer();
    await untilStatus(stage, ana, id, 'enviado');
    expect(await check(id)).toEqual([0, '1 campaigns, 6 messages: no difference\n']);

    const messages = stage.mongo.collection<{ _id: string }>('messages');
    await messages.deleteOne({ _id: messageId(id, 2) });
    await messages.updateOne({ _id: messageId(id, 3) }, { $set: { phone_number: '+5511999999999' } });
    await messages.updateOne({ _id: messageId(id, 4) }, { $set: { deleted: true } });
    await store(id, [7]);
    expect(await check(id)).toEqual([
      1,
      `${id}: 1 recorded as stored and not there; 1 with another phone number; 1 that the ledger does not know; ` +
        '1 whose "deleted" is not the campaign\'s (first at sequence 2, 3, 4, 7)\n' +
        '1 campaigns, 6 messages: 1 with a difference\n',
    ]);
    await messages.deleteMany({});
  });

  test('a consumer at work makes no difference', async () => {
    const { id } = await accepted(stage, ana, company, someNumbers(20_000));
    consumer = stage.consumer({ PREFETCH: '1' });
    await stage.until(async () => (await campaign(stage, ana, id)).stored > 0, 'the drain has begun');
    const [code, output] = await check(id);
    expect([code, output]).toEqual([0, expect.stringContaining('no difference')]);
  });

  test('a campaign under way makes no difference, a stranger does, and what is unknown is refused', async () => {
    const id = await queued();
    await store(id, [1]);
    expect(await check(id)).toEqual([
      0,
      '1 campaigns, 1 messages, 1 of them stored and not recorded yet: no difference\n',
    ]);
    await store('cnobodyknowsthisoneatall', [1]);
    const [code, output] = await check();
    expect(code).toBe(1);
    expect(output.split('\n')).toContain('cnobodyknowsthisoneatall: 1 that the ledger does not know');
    expect(await check('cnobody')).toEqual([78, 'There is no campaign "cnobody"\n']);
    await stage.mongo.collection('messages').deleteMany({});
  });

  const check = (...args: string[]) => ran(stage, 'ledger', ['check', ...args]);
});
