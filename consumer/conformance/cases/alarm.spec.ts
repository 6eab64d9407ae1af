import { expect } from 'vitest';
import { openBroker } from '../../../testing/databases.js';
import type { OwnService } from '../../../testing/own-service.js';
import type { Process } from '../../../testing/process.js';
import { allNumbers, type Campaign } from '../../../testing/seeds.js';
import { type Stage } from '../../../testing/stage.js';
import { until } from '../../../testing/until.js';
import { prove, type Scope } from '../runner/cases.js';

const TOTAL = 200;
const SIZE = 5;
/** How many chunks are published before each bad message: one is at the front, two in the middle, one at the end. */
const BAD_BEFORE = [0, 7, 23, 40];
const NO_MEMORY = '0.0000001';

prove('a broker that does not accept dead letters', [
  {
    // The bad ones wait, also while the consumer drains.
    name: 'a memory alarm holds up bad messages only, and each is dead once after it',
    why: 'One bad message of one company would stop the campaigns of all of them for as long as the broker has no memory.',
    async run(scope) {
      const { broker, stage, campaign } = await campaignWithBadMessages(scope);
      await beginAlarm(scope, broker, stage);
      const consumer = stage.consumer({ PREFETCH: '10' });
      await stage.untilStatus(campaign.id, 'enviado');
      const counts = await queueCounts(scope, stage);
      await until(async () => expect(await counts.ready(stage.names.queue(0))).toBe(0));
      expect(await counts.ready(stage.names.deadLetterQueue)).toBe(0);
      expect(consumer.said('dead letter')).toEqual([]);
      const ended = endAlarm(broker);
      // Before the alarm has ended: rabbitmqctl takes some time for that.
      consumer.signal('SIGTERM');
      await ended;
      expect(await consumer.exit()).toBe(0);
      await deadOnceEach(stage);
      expect(await stage.storedNumbers(campaign.id)).toEqual(allNumbers(TOTAL));
      expect(consumer.said('lost the connection to RabbitMQ')).toEqual([]);
      expect(consumer.sum('messages')).toBe(TOTAL / SIZE + BAD_BEFORE.length);
      expect(consumer.sum('repeated')).toBe(0);
    },
  },
  {
    name: 'a memory alarm under which consumers are killed leaves no second copy of a dead letter',
    why: 'Who repairs by hand what is dead would repair it twice, and a number gets two messages.',
    async run(scope) {
      const { broker, stage, campaign } = await campaignWithBadMessages(scope);
      await beginAlarm(scope, broker, stage);
      const killed = stage.consumer({ PREFETCH: '10' });
      await stage.untilStatus(campaign.id, 'enviado');
      await killed.kill();
      const drained = stage.consumer({ PREFETCH: '10' });
      await untilHeld(scope, stage);
      drained.signal('SIGTERM');
      drained.signal('SIGINT');
      expect(await drained.exit()).toBe(75);
      const last = stage.consumer({ PREFETCH: '10' });
      await untilHeld(scope, stage);
      await endAlarm(broker);
      await settled(last);
      await deadOnceEach(stage);
    },
  },
  {
    name: 'a full dead-letter queue holds up bad messages only, until there is space',
    why: 'A plan with 10,000 queued messages is soon full of one bad publisher, and every campaign would stand still.',
    async run(scope) {
      const { broker, stage, campaign } = await campaignWithBadMessages(scope);
      const queue = stage.names.deadLetterQueue;
      await broker.control('set_policy', 'full', `^${queue}$`, '{"max-length":1}', '--apply-to', 'queues');
      const consumer = stage.consumer({ PREFETCH: '10' });
      await stage.untilStatus(campaign.id, 'enviado');
      await until(async () => expect(await stage.ready(queue)).toBeGreaterThan(0));
      await broker.control('clear_policy', 'full');
      await settled(consumer);
      await deadOnceEach(stage);
      expect(consumer.said('lost the connection to RabbitMQ')).toEqual([]);
    },
  },
]);

/** A campaign on a broker of its own, published, with bad messages between its chunks. */
async function campaignWithBadMessages(
  scope: Scope,
): Promise<{ broker: OwnService; stage: Stage; campaign: Campaign }> {
  const broker = await scope.own('rabbitmq');
  const stage = await scope.stage({ services: broker.services });
  const campaign = await stage.campaign(TOTAL, SIZE);
  let published = 0;
  for (const before of BAD_BEFORE) {
    await stage.publish(campaign.chunks.slice(published, before));
    await stage.publishRaw(Buffer.from('{'), { messageId: `bad-${before}` });
    published = before;
  }
  await stage.publish(campaign.chunks.slice(published));
  return { broker, stage, campaign };
}

/** Begins a memory alarm, and waits until a publishing connection is told that it is blocked. */
async function beginAlarm(scope: Scope, broker: OwnService, stage: Stage): Promise<void> {
  await broker.control('set_vm_memory_high_watermark', NO_MEMORY);
  const { connection, channel } = await openBroker(stage.env.RABBITMQ_URL);
  scope.cleaned({ close: () => connection.close() });
  let blocked = false;
  connection.on('blocked', () => {
    blocked = true;
  });
  await until(() => {
    if (!blocked) channel.publish('', 'nobody-has-this-queue', Buffer.from('?'));
    expect(blocked).toBe(true);
  });
}

async function endAlarm(broker: OwnService): Promise<void> {
  await broker.control('set_vm_memory_high_watermark', '0.6');
}

/** The counts of queues, by a connection that has published nothing and so is not blocked. */
async function queueCounts(scope: Scope, stage: Stage) {
  const { connection, channel } = await openBroker(stage.env.RABBITMQ_URL);
  scope.cleaned({ close: () => connection.close() });
  return {
    ready: async (queue: string) => (await channel.checkQueue(queue)).messageCount,
    consumers: async (queue: string) => (await channel.checkQueue(queue)).consumerCount,
  };
}

/** Waits until a consumer holds all that is left of the queue: the bad messages. */
async function untilHeld(scope: Scope, stage: Stage): Promise<void> {
  const counts = await queueCounts(scope, stage);
  await until(async () => {
    expect(await counts.consumers(stage.names.queue(0))).toBe(1);
    expect(await counts.ready(stage.names.queue(0))).toBe(0);
  });
}

/** Waits until every bad message is dead-lettered. The consumer then holds nothing, and must drain with code 0. */
async function settled(consumer: Process): Promise<void> {
  await until(() => expect(consumer.said('dead letter')).toHaveLength(BAD_BEFORE.length));
  consumer.signal('SIGTERM');
  expect(await consumer.exit()).toBe(0);
}

async function deadOnceEach(stage: Stage): Promise<void> {
  const dead = await stage.deadLetters(BAD_BEFORE.length);
  expect(dead.map(({ properties }) => properties.messageId).sort()).toEqual(
    BAD_BEFORE.map((before) => `bad-${before}`).sort(),
  );
  expect(await stage.ready()).toBe(0);
}
