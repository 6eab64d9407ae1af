import { setTimeout as delay } from 'node:timers/promises';
import { messageId } from '@disparo/contract';
import { expect } from 'vitest';
import type { OwnService } from '../../../testing/own-service.js';
import type { Process } from '../../../testing/process.js';
import { allNumbers, type Campaign } from '../../../testing/seeds.js';
import { type Stage } from '../../../testing/stage.js';
import { until, untilAtLeast } from '../../../testing/until.js';
import { type Case, FULL, prove, type Scope } from '../runner/cases.js';

/** So many that a test whose process gets no turn for a second still finds the consumer in the middle. */
const TOTAL = 60_000;
const SIZE = 100;
const GONE_MS = FULL ? 5_000 : 1_500;

interface Outage {
  how: string;
  begin(service: OwnService): Promise<void> | void;
  end(service: OwnService): Promise<void> | void;
}

const FROZEN: Outage = { how: 'is frozen', begin: (it) => it.freeze(), end: (it) => it.thaw() };
const STOPPED: Outage = { how: 'is stopped', begin: (it) => it.stop(), end: (it) => it.start() };
const KILLED: Outage = { how: 'is killed', begin: (it) => it.kill(), end: (it) => it.start() };

const STORES = [
  { name: 'mongodb', title: 'MongoDB' },
  { name: 'postgres', title: 'PostgreSQL' },
] as const;

prove('a service that goes away in the middle, three times, and comes back', [
  ...STORES.map(
    ({ name, title }): Case => ({
      name: `${title} is frozen, is stopped, is killed: what was recorded is there`,
      why: 'Databases are restarted, fail over and run out of memory in the middle of campaigns.',
      async run(scope) {
        const { stage, service, campaign, consumer } = await storing(scope, name);
        for (const [turn, { how, begin, end }] of [FROZEN, STOPPED, KILLED].entries()) {
          await inTheMiddle(stage, campaign, 0.1 + 0.3 * turn);
          await begin(service);
          await delay(GONE_MS);
          await end(service);
          const recorded = await recordedIds(stage, campaign);
          expect(recorded.length, `before it ${how}`).toBeGreaterThan(0);
          expect(await stage.messages.countDocuments({ _id: { $in: recorded } }), how).toBe(recorded.length);
        }
        await whole(stage, campaign);
        expect(consumer.said('lost the connection to RabbitMQ')).toEqual([]);
        // A driver may wait out a short outage by itself. Then the consumer has no change of state to report.
        const told = consumer.said(`waiting for ${title}`).length;
        expect(told).toBeLessThanOrEqual(3);
        expect(consumer.said(`${title} is back`)).toHaveLength(told);
      },
    }),
  ),
  {
    name: 'RabbitMQ disconnects, is stopped, is killed: every number is stored once, in order',
    why: 'Hosted brokers are restarted without anybody being asked, and close connections when memory is short.',
    async run(scope) {
      const { stage, service, campaign, consumer } = await storing(scope, 'rabbitmq');
      await inTheMiddle(stage, campaign, 0.1);
      // Stopped for as long as the command takes, so that the connection closes in the middle of the consumer's work.
      consumer.signal('SIGSTOP');
      await service.control('close_all_connections', 'closed by the operator');
      consumer.signal('SIGCONT');
      for (const [turn, { begin, end }] of [STOPPED, KILLED].entries()) {
        await inTheMiddle(stage, campaign, 0.4 + 0.3 * turn);
        const told = consumer.said('RabbitMQ is back').length;
        await begin(service);
        // A broker that stops or starts may accept a connection and then close it again.
        await consumer.untilSaid('waiting for RabbitMQ');
        await delay(GONE_MS);
        await end(service);
        await until(() => expect(consumer.said('RabbitMQ is back').length).toBeGreaterThan(told));
      }
      await stage.reconnect();
      await whole(stage, campaign);
      const lost = consumer.said('lost the connection to RabbitMQ').length;
      expect(lost).toBeGreaterThanOrEqual(3);
      expect(consumer.said('RabbitMQ is back')).toHaveLength(lost);
    },
  },
]);

prove('a campaign that changes while its batch is held up', [
  {
    name: 'cancelled while MongoDB is down: nothing of it is stored',
    why: 'Who cancels a campaign an hour into an outage must not see it sent when the store comes back.',
    async run(scope) {
      const service = await scope.own('mongodb');
      const stage = await scope.stage({ services: service.services });
      const { id, chunks } = await stage.campaign(5);
      const consumer = stage.consumer();
      await consumer.untilSaid('receiving');
      await service.kill();
      await stage.publish(chunks);
      await consumer.untilSaid('waiting for MongoDB');
      await stage.pool.query('UPDATE campaigns SET cancelled_at = now() WHERE id = $1', [id]);
      // MongoDB is still down: a step 4 that began before the cancellation must not succeed later.
      await until(() => expect(consumer.sum('let_go')).toBe(1));
      await service.start();
      expect(await stage.count()).toBe(0);
      expect((await stage.ledger(id)).status).toBe('cancelado');
    },
  },
  {
    name: 'deleted between admit and store: it ends as deleted documents',
    why: 'A company that has deleted a campaign must find no message of it that is not.',
    async run(scope) {
      const service = await scope.own('mongodb');
      const stage = await scope.stage({ services: service.services });
      const { id, chunks } = await stage.campaign(5);
      const consumer = stage.consumer();
      await consumer.untilSaid('receiving');
      service.freeze();
      await stage.publish(chunks);
      // Admitted: step 3 is the consumer's last statement on PostgreSQL, so its batch is in step 4.
      await until(async () => expect(await admitted(stage)).toBe(true));
      await stage.pool.query('UPDATE campaigns SET deleted = true WHERE id = $1', [id]);
      service.thaw();
      await consumer.untilSaid('the campaign was deleted meanwhile');
      expect(await stage.messages.countDocuments({ campaign_id: id, deleted: true })).toBe(5);
      expect(await stage.messages.countDocuments({ deleted: false })).toBe(0);
      expect((await stage.ledger(id)).stored).toBe(5);
      await until(async () => expect(await stage.ready()).toBe(0));
    },
  },
]);

/** A consumer at work on a campaign. One of its services is the case's own. */
async function storing(
  scope: Scope,
  name: 'postgres' | 'mongodb' | 'rabbitmq',
): Promise<{ stage: Stage; service: OwnService; campaign: Campaign; consumer: Process }> {
  const service = await scope.own(name);
  const stage = await scope.stage({ services: service.services });
  const campaign = await stage.campaign(TOTAL, SIZE);
  await stage.publish(campaign.chunks);
  return { stage, service, campaign, consumer: stage.consumer({ PREFETCH: '2' }) };
}

/** Waits until a share of the campaign is stored. Throws when all of it is. */
async function inTheMiddle(stage: Stage, { id }: Campaign, share: number): Promise<void> {
  await untilAtLeast(TOTAL * share, () => stage.count());
  expect((await stage.ledger(id)).stored, 'too late: all is stored').toBeLessThan(TOTAL);
}

/** The `_id`s of the documents whose chunks are stored by the ledger. */
async function recordedIds(stage: Stage, { id }: Campaign): Promise<string[]> {
  const { rows } = await until(() =>
    stage.pool.query<{ first: number }>(
      'SELECT first_sequence AS first FROM campaign_chunks WHERE campaign_id = $1 AND stored_at IS NOT NULL',
      [id],
    ),
  );
  return rows.flatMap(({ first }) => Array.from({ length: SIZE }, (_, index) => messageId(id, first + index)));
}

/** Waits for `enviado`. Then every number must be there once, in order, and the queue must be empty. */
async function whole(stage: Stage, { id, chunks }: Campaign): Promise<void> {
  await stage.untilStatus(id, 'enviado');
  expect(await stage.storedNumbers(id)).toEqual(allNumbers(TOTAL));
  expect(await stage.count()).toBe(TOTAL);
  expect(await stage.ledger(id)).toEqual({ status: 'enviado', stored: TOTAL, chunks: chunks.length });
  await until(async () => expect(await stage.ready()).toBe(0));
}

/**
 * Whether a batch is in step 4: the consumer's session is idle after the statement of step 3. It is idle after the start,
 * too, but the probe at the start ends with the statement of step 5.
 */
async function admitted(stage: Stage): Promise<boolean> {
  const { rows } = await stage.pool.query<{ query: string }>(
    `SELECT query FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'disparo-consumer' AND state = 'idle'
      ORDER BY state_change DESC LIMIT 1`,
  );
  return rows[0]?.query.includes('-- Step 3') ?? false;
}
