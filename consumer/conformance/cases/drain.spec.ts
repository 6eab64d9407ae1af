import type { PoolClient } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import '../runner/known-failing.js';
import { allNumbers, type Campaign, Stage } from '../runner/stage.js';
import { PATIENCE_MS, until } from '../runner/until.js';

describe('drain', { timeout: 2 * PATIENCE_MS }, () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await Stage.open();
  }, PATIENCE_MS);
  afterEach(() => stage.close(), PATIENCE_MS);

  /** A batch of one chunk that stands in step 5, as its campaign is locked; two are fetched, eight more are queued. */
  async function batchInStep5(): Promise<{
    campaign: Campaign;
    lock: PoolClient;
    consumer: ReturnType<Stage['start']>;
  }> {
    const campaign = await stage.campaign(50, 5);
    const lock = await stage.pool.connect();
    await lock.query('BEGIN');
    await lock.query('SELECT FROM campaigns WHERE id = $1 FOR UPDATE', [campaign.id]);
    const consumer = stage.start({ PREFETCH: '1' });
    await consumer.untilSaid('receiving');
    await stage.publish(campaign.chunks);
    await until(async () => {
      const { rowCount } = await stage.pool.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      expect(rowCount).toBe(1);
    });
    return { campaign, lock, consumer };
  }

  async function release(lock: PoolClient): Promise<void> {
    await lock.query('COMMIT');
    lock.release();
  }

  it('finishes the batch at hand on SIGTERM, exits 0, and the rest stays queued', async () => {
    const { campaign, lock, consumer } = await batchInStep5();
    consumer.signal('SIGTERM');
    // The consumer on the broker is gone before the batch is done.
    await until(async () => expect((await stage.channel.checkQueue(stage.names.queue(0))).consumerCount).toBe(0));
    await release(lock);
    expect(await consumer.exit()).toBe(0);
    expect(await stage.ledger(campaign.id)).toEqual({ status: 'enviando', stored: 5, chunks: 1 });
    expect(await stage.storedNumbers(campaign.id)).toEqual(allNumbers(5));
    await until(async () => expect(await stage.ready()).toBe(9));

    stage.start();
    await stage.untilStatus(campaign.id, 'enviado');
    expect(await stage.storedNumbers(campaign.id)).toEqual(allNumbers(50));
  });

  it('exits 75 at once on the second signal, and what was at hand comes again', async () => {
    const { campaign, lock, consumer } = await batchInStep5();
    consumer.signal('SIGINT');
    await until(async () => expect((await stage.channel.checkQueue(stage.names.queue(0))).consumerCount).toBe(0));
    consumer.signal('SIGTERM');
    expect(await consumer.exit()).toBe(75);
    await until(async () => expect(await stage.ready()).toBe(10));
    await release(lock);

    stage.start();
    await stage.untilStatus(campaign.id, 'enviado');
    expect(await stage.storedNumbers(campaign.id)).toEqual(allNumbers(50));
  });

  it('exits 75 when the batch at hand takes longer than the grace time of 20 s', async () => {
    const { campaign, lock, consumer } = await batchInStep5();
    const signalled = Date.now();
    consumer.signal('SIGTERM');
    expect(await consumer.exit()).toBe(75);
    expect(Date.now() - signalled).toBeGreaterThanOrEqual(20_000);
    await until(async () => expect(await stage.ready()).toBe(10));
    await release(lock);
    // The statement that was interrupted may still have been carried out by the server: that is what step 3 finds.
    stage.start();
    await stage.untilStatus(campaign.id, 'enviado');
    expect(await stage.storedNumbers(campaign.id)).toEqual(allNumbers(50));
  });

  it('marks the documents of a campaign that is deleted between store and record', async () => {
    const { campaign, lock } = await batchInStep5();
    await lock.query('UPDATE campaigns SET deleted = true WHERE id = $1', [campaign.id]);
    await release(lock);
    await until(async () => expect(await stage.ready()).toBe(0));
    await until(async () => expect(await stage.messages.countDocuments({ deleted: true })).toBe(5));
    expect(await stage.count()).toBe(5);
  });

  it('exits 0 on SIGTERM when there is nothing at hand', async () => {
    const consumer = stage.start();
    await consumer.untilSaid('receiving');
    consumer.signal('SIGTERM');
    expect(await consumer.exit()).toBe(0);
    expect(consumer.errors).toBe('');
  });
});
