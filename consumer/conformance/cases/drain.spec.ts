import pg from 'pg';
import { expect } from 'vitest';
import type { Process } from '../../../testing/process.js';
import { allNumbers, type Campaign } from '../../../testing/seeds.js';
import { type Stage } from '../../../testing/stage.js';
import { until } from '../../../testing/until.js';
import { prove, type Scope } from '../runner/cases.js';

prove('drain', [
  {
    name: 'finishes the current batch on SIGTERM and exits 0; the rest stays queued',
    why: 'Every deploy drains: an operator who stops a consumer must not have to ask what was lost or is done twice.',
    async run(scope) {
      const { stage, campaign, lock, consumer } = await batchInStep5(scope);
      consumer.signal('SIGTERM');
      // The broker has no consumer any more, while the batch is not done yet.
      await untilNobodyConsumes(stage);
      await release(lock);
      expect(await consumer.exit()).toBe(0);
      expect(await stage.ledger(campaign.id)).toEqual({ status: 'enviando', stored: 5, chunks: 1 });
      expect(await stage.storedNumbers(campaign.id)).toEqual(allNumbers(5));
      await until(async () => expect(await stage.ready()).toBe(9));

      stage.consumer();
      await stage.untilStatus(campaign.id, 'enviado');
      expect(await stage.storedNumbers(campaign.id)).toEqual(allNumbers(50));
    },
  },
  {
    name: 'exits 75 at once on the second signal; the current batch is delivered again',
    why: 'An operator who cannot wait would reach for SIGKILL, and a supervisor that reads 0 would take the work for done.',
    async run(scope) {
      const { stage, campaign, lock, consumer } = await batchInStep5(scope);
      consumer.signal('SIGINT');
      await untilNobodyConsumes(stage);
      consumer.signal('SIGTERM');
      expect(await consumer.exit()).toBe(75);
      await until(async () => expect(await stage.ready()).toBe(10));
      await release(lock);

      stage.consumer();
      await stage.untilStatus(campaign.id, 'enviado');
      expect(await stage.storedNumbers(campaign.id)).toEqual(allNumbers(50));
    },
  },
  {
    name: 'exits 75 when the current batch takes longer than the grace time of 20 s',
    why: 'A container platform kills after 30 s without a word: a consumer that never ends by itself leaves no exit code.',
    async run(scope) {
      const { stage, campaign, lock, consumer } = await batchInStep5(scope);
      const signalled = Date.now();
      consumer.signal('SIGTERM');
      expect(await consumer.exit()).toBe(75);
      expect(Date.now() - signalled).toBeGreaterThanOrEqual(20_000);
      await until(async () => expect(await stage.ready()).toBe(10));
      await release(lock);
      // The server may still have carried out the interrupted statement. Step 3 finds that out.
      stage.consumer();
      await stage.untilStatus(campaign.id, 'enviado');
      expect(await stage.storedNumbers(campaign.id)).toEqual(allNumbers(50));
    },
  },
  {
    name: 'marks the documents of a campaign that is deleted between store and record',
    why: 'A company that deleted its campaign would have its messages sent all the same, as the documents look alive.',
    async run(scope) {
      const { stage, campaign, lock } = await batchInStep5(scope);
      await lock.query('UPDATE campaigns SET deleted = true WHERE id = $1', [campaign.id]);
      await release(lock);
      await until(async () => expect(await stage.ready()).toBe(0));
      await until(async () => expect(await stage.messages.countDocuments({ deleted: true })).toBe(5));
      expect(await stage.count()).toBe(5);
    },
  },
  {
    name: 'exits 0 on SIGTERM when there is no current batch',
    why: 'Each quiet night would end in an alarm: a supervisor takes every other code, or a stack trace, for a crash.',
    async run(scope) {
      const stage = await scope.stage();
      const consumer = stage.consumer();
      await consumer.untilSaid('receiving');
      consumer.signal('SIGTERM');
      expect(await consumer.exit()).toBe(0);
      expect(consumer.errors).toBe('');
    },
  },
]);

/** A batch of one chunk that waits in step 5, as its campaign is locked. The other nine chunks are in the queue. */
async function batchInStep5(scope: Scope): Promise<{
  stage: Stage;
  campaign: Campaign;
  lock: pg.Client;
  consumer: Process;
}> {
  const stage = await scope.stage();
  const campaign = await stage.campaign(50, 5);
  const lock = new pg.Client({ connectionString: stage.env.DATABASE_URL });
  await lock.connect();
  scope.cleaned({ close: () => lock.end() });
  await lock.query('BEGIN');
  await lock.query('SELECT FROM campaigns WHERE id = $1 FOR UPDATE', [campaign.id]);
  const consumer = stage.consumer({ PREFETCH: '1' });
  await consumer.untilSaid('receiving');
  await stage.publish(campaign.chunks);
  await until(async () => {
    const { rowCount } = await stage.pool.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    expect(rowCount).toBe(1);
  });
  return { stage, campaign, lock, consumer };
}

async function release(lock: pg.Client): Promise<void> {
  await lock.query('COMMIT');
}

async function untilNobodyConsumes(stage: Stage): Promise<void> {
  await until(async () => expect((await stage.channel.checkQueue(stage.names.queue(0))).consumerCount).toBe(0));
}
