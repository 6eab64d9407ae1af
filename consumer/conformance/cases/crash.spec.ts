import { setTimeout as delay } from 'node:timers/promises';
import { messageId } from '@disparo/contract';
import { afterEach, describe, expect, it } from 'vitest';
import '../runner/known-failing.js';
import { PrivateMongod } from '../runner/private-mongod.js';
import { allNumbers, Stage } from '../runner/stage.js';
import { PATIENCE_MS, until, untilAtLeast } from '../runner/until.js';

const TOTAL = 20_000;
const GONE_MS = 5_000;

describe('what a crash leaves behind', { timeout: 3 * PATIENCE_MS }, () => {
  const toClean: { close(): Promise<void> }[] = [];
  const cleaned = <T extends { close(): Promise<void> }>(thing: T): T => {
    toClean.unshift(thing);
    return thing;
  };
  afterEach(async () => {
    for (const thing of toClean.splice(0)) await thing.close();
  }, PATIENCE_MS);

  async function stageOnOwnMongod(): Promise<{ stage: Stage; mongod: PrivateMongod }> {
    const mongod = await PrivateMongod.start();
    cleaned({ close: () => mongod.remove() });
    return { mongod, stage: cleaned(await Stage.open({ mongodbUrl: mongod.url })) };
  }

  it('a consumer killed three times in the middle loses nothing, doubles nothing and keeps the order', async () => {
    const stage = cleaned(await Stage.open());
    const { id, chunks } = await stage.campaign(TOTAL, 100);
    await stage.publish(chunks);
    for (const share of [0.1, 0.3, 0.6]) {
      const consumer = stage.start({ PREFETCH: '2' });
      const found = await untilAtLeast(TOTAL * share, () => stage.count());
      await consumer.kill();
      expect(found).toBeLessThan(TOTAL);
    }
    stage.start();
    await stage.untilStatus(id, 'enviado');
    expect(await stage.storedNumbers(id)).toEqual(allNumbers(TOTAL));
    expect(await stage.count()).toBe(TOTAL);
    expect(await stage.ledger(id)).toEqual({ status: 'enviado', stored: TOTAL, chunks: 200 });
  });

  it('a consumer killed at ten random moments loses nothing, doubles nothing and keeps the order', async () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
    const random = randomFrom(seed);
    process.stdout.write(`ten random moments: SEED=${seed} repeats them\n`);
    const stage = cleaned(await Stage.open());
    const { id, chunks } = await stage.campaign(TOTAL, 100);
    await stage.publish(chunks);
    const moments = Array.from({ length: 10 }, () => ({ share: random() * 0.85, laterMs: random() * 20 }));
    for (const { share, laterMs } of moments.sort((one, other) => one.share - other.share)) {
      const consumer = stage.start({ PREFETCH: '2' });
      await consumer.untilSaid('receiving');
      await untilAtLeast(TOTAL * share, () => stage.count());
      // Not to wait for something, but to come at no chosen step of the loop.
      await delay(laterMs);
      await consumer.kill();
      expect((await stage.ledger(id)).stored, 'killed in the middle').toBeLessThan(TOTAL);
    }
    stage.start();
    await stage.untilStatus(id, 'enviado');
    expect(await stage.storedNumbers(id)).toEqual(allNumbers(TOTAL));
    expect(await stage.count()).toBe(TOTAL);
    expect(await stage.messages.distinct('identifier')).toHaveLength(TOTAL);
    expect(await stage.ledger(id)).toEqual({ status: 'enviado', stored: TOTAL, chunks: 200 });
    await until(async () => expect(await stage.ready()).toBe(0));
  });

  it('a second consumer waits, and takes over in order when the first is killed', async () => {
    const stage = cleaned(await Stage.open());
    const first = stage.start({ PREFETCH: '2' });
    await first.untilSaid('receiving');
    const second = stage.start({ PREFETCH: '2' });
    await second.untilSaid('receiving');
    const { id, chunks } = await stage.campaign(TOTAL / 4, 100);
    await stage.publish(chunks);
    await untilAtLeast(TOTAL / 40, () => stage.count());
    expect(second.said('batch settled')).toEqual([]);
    await first.kill();
    await stage.untilStatus(id, 'enviado');
    expect(await stage.storedNumbers(id)).toEqual(allNumbers(TOTAL / 4));
    await until(() => expect(second.sum('stored') + second.sum('repeated')).toBeGreaterThan(0));
  });

  it('a mongod killed in the middle has lost nothing that was recorded, and the consumer goes on', async () => {
    const { stage, mongod } = await stageOnOwnMongod();
    const { id, chunks } = await stage.campaign(TOTAL, 100);
    await stage.publish(chunks);
    const consumer = stage.start({ PREFETCH: '2' });
    await untilAtLeast(TOTAL / 5, () => stage.count());
    await mongod.kill();
    await consumer.untilSaid('waiting for MongoDB');
    const { rows } = await stage.pool.query<{ first: number }>(
      'SELECT first_sequence AS first FROM campaign_chunks WHERE campaign_id = $1 AND stored_at IS NOT NULL',
      [id],
    );
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.length).toBeLessThan(chunks.length);
    const recorded = rows.flatMap(({ first }) =>
      Array.from({ length: 100 }, (_, index) => messageId(id, first + index)),
    );
    await mongod.start();
    expect(await stage.messages.countDocuments({ _id: { $in: recorded } })).toBe(recorded.length);

    await stage.untilStatus(id, 'enviado');
    expect(await stage.storedNumbers(id)).toEqual(allNumbers(TOTAL));
    expect(consumer.said('waiting for MongoDB')).toHaveLength(1);
    expect(consumer.said('MongoDB is back')).toHaveLength(1);
  });

  it.each([
    ['stands still', (it: PrivateMongod) => it.signal('SIGSTOP'), (it: PrivateMongod) => it.signal('SIGCONT')],
    ['is stopped', (it: PrivateMongod) => it.stop(), (it: PrivateMongod) => it.start()],
  ])('a mongod that %s for five seconds costs nothing but time', async (_name, goes, comes) => {
    const { stage, mongod } = await stageOnOwnMongod();
    const { id, chunks } = await stage.campaign(TOTAL / 2, 100);
    await stage.publish(chunks);
    const consumer = stage.start({ PREFETCH: '2' });
    await untilAtLeast(TOTAL / 10, () => stage.count());
    await goes(mongod);
    await delay(GONE_MS);
    const { stored } = await stage.ledger(id);
    expect(stored).toBeLessThan(TOTAL / 2);
    await comes(mongod);
    await stage.untilStatus(id, 'enviado');
    expect(await stage.storedNumbers(id)).toEqual(allNumbers(TOTAL / 2));
    expect(await stage.count()).toBe(TOTAL / 2);
    expect(consumer.said('the connection to RabbitMQ is gone')).toEqual([]);
    await until(async () => expect(await stage.ready()).toBe(0));
  });

  it('a campaign cancelled while its batch waits for MongoDB stores nothing', async () => {
    const { stage, mongod } = await stageOnOwnMongod();
    const { id, chunks } = await stage.campaign(5);
    const consumer = stage.start();
    await consumer.untilSaid('receiving');
    await mongod.kill();
    await stage.publish(chunks);
    await consumer.untilSaid('waiting for MongoDB');
    await stage.pool.query('UPDATE campaigns SET cancelled_at = now() WHERE id = $1', [id]);
    // Still down: a step 4 that began before the cancelling must not come through.
    await until(() => expect(consumer.sum('let_go')).toBe(1));
    await mongod.start();
    expect(await stage.count()).toBe(0);
    expect((await stage.ledger(id)).status).toBe('cancelado');
  });

  it('a campaign deleted between admit and store ends as deleted documents', async () => {
    const { stage, mongod } = await stageOnOwnMongod();
    const { id, chunks } = await stage.campaign(5);
    const consumer = stage.start();
    await consumer.untilSaid('receiving');
    mongod.signal('SIGSTOP');
    await stage.publish(chunks);
    // Admitted: the last statement that PostgreSQL saw of the consumer is the one of step 3, with a chunk in it.
    await until(async () => expect(await admitted(stage)).toBe(true));
    await stage.pool.query('UPDATE campaigns SET deleted = true WHERE id = $1', [id]);
    mongod.signal('SIGCONT');
    await consumer.untilSaid('the campaign was deleted meanwhile');
    expect(await stage.messages.countDocuments({ campaign_id: id, deleted: true })).toBe(5);
    expect(await stage.messages.countDocuments({ deleted: false })).toBe(0);
    expect((await stage.ledger(id)).stored).toBe(5);
    await until(async () => expect(await stage.ready()).toBe(0));
  });

  /** From 0 to 1, the same ones for the same seed (mulberry32). */
  function randomFrom(seed: number): () => number {
    let state = seed;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  /** The probe at the start ends with the statement of step 5; idle after that of step 3 means that a batch is in step 4. */
  async function admitted(stage: Stage): Promise<boolean> {
    const { rows } = await stage.pool.query<{ query: string }>(
      `SELECT query FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'disparo-consumer' AND state = 'idle'
        ORDER BY state_change DESC LIMIT 1`,
    );
    return rows[0]?.query.includes('-- Step 3') ?? false;
  }
});
