import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { randomFrom } from '../../../testing/random.js';
import { allNumbers } from '../../../testing/seeds.js';
import { type Stage } from '../../../testing/stage.js';
import { until, untilAtLeast } from '../../../testing/until.js';
import { FULL, prove } from '../runner/cases.js';

const TOTAL = 20_000;
const SIZE = 100;

prove('a consumer that is killed', [
  {
    name: 'three times in the middle loses nothing, doubles nothing and keeps the order',
    why: 'Machines die. A number sent twice or never is money and trust of the company.',
    async run(scope) {
      const stage = await scope.stage();
      const { id, chunks } = await stage.campaign(TOTAL, SIZE);
      await stage.publish(chunks);
      for (const share of [0.1, 0.3, 0.6]) {
        const consumer = stage.consumer({ PREFETCH: '2' });
        const found = await untilAtLeast(TOTAL * share, () => stage.count());
        await consumer.kill();
        expect(found).toBeLessThan(TOTAL);
      }
      stage.consumer();
      await exactly(stage, id);
    },
  },
  {
    name: 'at random moments loses nothing, doubles nothing and keeps the order',
    why: 'The moments that a test chooses are those that its author has thought of.',
    async run(scope) {
      const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
      const random = randomFrom(seed);
      process.stdout.write(`random moments: SEED=${seed} repeats them\n`);
      const stage = await scope.stage();
      const { id, chunks } = await stage.campaign(TOTAL, SIZE);
      await stage.publish(chunks);
      const moments = Array.from({ length: FULL ? 10 : 4 }, () => ({ share: random() * 0.85, laterMs: random() * 20 }));
      for (const { share, laterMs } of moments.sort((one, other) => one.share - other.share)) {
        const consumer = stage.consumer({ PREFETCH: '2' });
        await consumer.untilSaid('receiving');
        await untilAtLeast(TOTAL * share, () => stage.count());
        // This delay waits for nothing: the kill is to hit any step of the loop.
        await delay(laterMs);
        await consumer.kill();
        expect((await stage.ledger(id)).stored, 'killed in the middle').toBeLessThan(TOTAL);
      }
      stage.consumer();
      await exactly(stage, id);
      expect(await stage.messages.distinct('identifier')).toHaveLength(TOTAL);
      await until(async () => expect(await stage.ready()).toBe(0));
    },
  },
  {
    name: 'has acknowledged nothing while the batch before cannot be recorded',
    why: 'An acknowledgement is one of all before it: chunks that the ledger still owes would be gone from the queue.',
    async run(scope) {
      const stage = await scope.stage();
      // The first campaign fills a batch, so that the second is in another one.
      const [held, behind] = [await stage.campaign(10_000, 5_000), await stage.campaign(1_000, 500)];
      const holder = await stage.pool.connect();
      await holder.query('BEGIN');
      await holder.query('SELECT FROM campaigns WHERE id = $1 FOR UPDATE', [held.id]);
      await stage.publish([...held.chunks, ...behind.chunks]);
      const consumer = stage.consumer();
      await untilAtLeast(11_000, () => stage.count());
      // Time for what must not happen.
      await delay(300);
      expect((await stage.ledger(behind.id)).stored).toBe(0);
      await consumer.kill();
      await until(async () => expect(await stage.ready()).toBe(4));
      await holder.query('ROLLBACK');
      holder.release();
      stage.consumer();
      for (const [{ id }, total] of [[held, 10_000] as const, [behind, 1_000] as const]) {
        await stage.untilStatus(id, 'enviado');
        expect(await stage.storedNumbers(id)).toEqual(allNumbers(total));
      }
      expect(await stage.count()).toBe(11_000);
    },
  },
  {
    name: 'leaves its queue to the one that waits, which takes over in order',
    why: 'An operator runs a second consumer so that nights stay quiet; before that it must not disturb the order.',
    async run(scope) {
      const total = TOTAL / 4;
      const stage = await scope.stage();
      const first = stage.consumer({ PREFETCH: '2' });
      await first.untilSaid('receiving');
      const second = stage.consumer({ PREFETCH: '2' });
      await second.untilSaid('standing by');
      const { id, chunks } = await stage.campaign(total, SIZE);
      await stage.publish(chunks);
      await untilAtLeast(total / 10, () => stage.count());
      expect(second.said('batch settled')).toEqual([]);
      expect(second.said('receiving')).toEqual([]);
      await first.kill();
      await exactly(stage, id, total);
      expect(second.said('receiving')).toHaveLength(1);
      await until(() => expect(second.sum('stored') + second.sum('repeated')).toBeGreaterThan(0));
    },
  },
  {
    name: 'leaves an empty queue to the one that waits, which says so without a message',
    why: 'In an incident an operator reads which consumer has the queue, and restarts the other one.',
    async run(scope) {
      const stage = await scope.stage({ partitions: 2 });
      const queues = [stage.names.queue(0), stage.names.queue(1)];
      const first = stage.consumer({ CONSUMER_PARTITIONS: '0' });
      await first.untilSaid('receiving');
      const second = stage.consumer();
      await second.untilSaid('standing by');
      expect(second.said('receiving').map((line) => line.queues)).toEqual([[queues[1]]]);
      expect(second.said('standing by').map((line) => line.queues)).toEqual([[queues[0]]]);
      expect(first.said('standing by')).toEqual([]);
      await first.kill();
      await until(() =>
        expect(second.said('receiving').map((line) => line.queues)).toEqual([[queues[1]], [queues[0]]]),
      );
      expect(second.said('batch settled')).toEqual([]);
    },
  },
]);

/** Waits for `enviado`. Then every number must be there once, in order, and the ledger must agree. */
async function exactly(stage: Stage, id: string, total = TOTAL): Promise<void> {
  await stage.untilStatus(id, 'enviado');
  expect(await stage.storedNumbers(id)).toEqual(allNumbers(total));
  expect(await stage.count()).toBe(total);
  expect(await stage.ledger(id)).toEqual({ status: 'enviado', stored: total, chunks: total / SIZE });
}
