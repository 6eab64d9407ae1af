import { afterEach, beforeEach, expect, test } from 'vitest';
import { openBroker } from '../../../testing/databases.js';
import { until } from '../../../testing/until.js';
import { RabbitmqSource } from '../../events/intake/rabbitmq-source.js';
import { EventsStage } from './fixtures.js';

const TWO = { deliveries: 2, lingerMs: 3 };

let stage: EventsStage;
let stop: AbortController;

beforeEach(async () => {
  stage = await EventsStage.open();
  stop = new AbortController();
});
afterEach(() => stage.close());

/** A source on a channel of its own, and how it ends: what is not acknowledged goes back. */
async function source(prefetch = 10) {
  const { connection, channel } = await openBroker(stage.stores.env.RABBITMQ_URL);
  const opened = await RabbitmqSource.open(channel, stage.queue, prefetch, stop.signal);
  const close = async () => {
    await channel.close();
    await connection.close();
  };
  return { source: opened, channel, close };
}

const texts = (batch: readonly { body: Buffer }[]) => batch.map(({ body }) => body.toString());
const untilReady = (count: number) => until(async () => expect(await stage.stores.ready(stage.queue)).toBe(count));

test('a batch is acknowledged after all batches before it, whichever is stored first', async () => {
  await stage.publishAll(['1', '2', '3', '4']);
  const one = await source();
  const first = await one.source.receive(TWO);
  const second = await one.source.receive(TWO);
  expect([texts(first), texts(second)]).toEqual([
    ['1', '2'],
    ['3', '4'],
  ]);
  await one.source.done(second);
  await one.close();
  await untilReady(4);

  const other = await source();
  const [again, then] = [await other.source.receive(TWO), await other.source.receive(TWO)];
  await other.source.done(then);
  await other.source.done(again);
  await other.close();
  await untilReady(0);
});

test('two who wait have a batch each, and both are told of the end', async () => {
  const { source: waited, close } = await source();
  const both = [waited.receive(TWO), waited.receive(TWO)];
  await stage.publishAll(['1', '2', '3']);
  expect((await Promise.all(both)).flatMap(texts)).toEqual(['1', '2', '3']);
  const ends = [waited.receive(TWO), waited.receive(TWO)];
  stop.abort();
  expect(await Promise.all(ends)).toEqual([[], []]);
  await close();
});

test('of large messages a few are sent ahead, of small ones the whole prefetch', async () => {
  const large = (count: number) => stage.publishAll(Array.from({ length: count }, () => Buffer.alloc(1_048_576, 'x')));
  const { source: receiving, close } = await source(100);
  /** Receives until it has so many, which are held or acknowledged. */
  const receive = async (count: number, settles: boolean) => {
    for (let received = 0; received < count; ) {
      const batch = await receiving.receive({ deliveries: count - received, lingerMs: 3 });
      received += batch.length;
      if (settles) await receiving.done(batch);
      else held.push(batch);
    }
  };
  const held: Parameters<typeof receiving.done>[0][] = [];
  const settleHeld = async () => {
    for (const batch of held.splice(0)) await receiving.done(batch);
  };

  await large(40);
  await receive(32, false);
  expect(await stage.stores.ready(stage.queue)).toBe(8);
  await settleHeld();
  await receive(8, true);

  await stage.publishAll(Array.from({ length: 300 }, (_, n) => String(n)));
  await untilReady(200);
  await receive(300, true);

  await large(1);
  await receive(1, true);
  const consumers = async () => (await stage.stores.channel.checkQueue(stage.queue)).consumerCount;
  await until(async () => expect(await consumers()).toBe(1));
  await large(40);
  await receive(32, false);
  expect(await stage.stores.ready(stage.queue)).toBe(8);
  stop.abort();
  await until(async () => expect(await consumers()).toBe(0));
  await close();
});

test('the rest of the prefetch is not sent ahead again before what was is acknowledged', async () => {
  await stage.publishAll(Array.from({ length: 600 }, (_, n) => Buffer.alloc(n === 39 ? 1_048_576 : 10, 'x')));
  const { source: receiving, channel, close } = await source(100);
  const receive = async (count: number) => {
    const batches = [];
    for (let received = 0; received < count; ) {
      const batch = await receiving.receive({ deliveries: Math.min(32, count - received), lingerMs: 3 });
      received += batch.length;
      batches.push(batch);
    }
    return batches;
  };
  // On the source's own channel, so that it is asked after all that the source has asked for.
  const consumers = async () => (await channel.checkQueue(stage.queue)).consumerCount;
  const [first = [], ...held] = await receive(100);
  await until(async () => expect(await consumers()).toBe(1));
  await receiving.done(first);
  const next = await receive(first.length);
  expect(await consumers()).toBe(1);
  for (const batch of [...held, ...next]) await receiving.done(batch);
  for (let rest = 600 - 100 - first.length; rest > 0; rest -= 50)
    for (const batch of await receive(Math.min(50, rest))) await receiving.done(batch);
  await close();
  await untilReady(0);
});

test('a stop ends all that is sent ahead', async () => {
  await stage.publishAll(Array.from({ length: 200 }, (_, n) => String(n)));
  const { close } = await source(100);
  await untilReady(100);
  stop.abort();
  await until(async () => expect((await stage.stores.channel.checkQueue(stage.queue)).consumerCount).toBe(0));
  await close();
  await untilReady(200);
});

test('a queue that is deleted is told as a lost session', async () => {
  const { source: waiting, close } = await source();
  const batch = waiting.receive(TWO);
  await stage.stores.channel.deleteQueue(stage.queue);
  await expect(batch).rejects.toThrow(/^$/);
  expect(String(waiting.lost.reason)).toContain('the broker cancelled the consumer');
  await close();
});
