import { declareTopology, MESSAGES } from '@disparo/contract';
import { expect } from 'vitest';
import type { Process } from '../../../testing/process.js';
import { languageUnderTest } from '../../../testing/process.js';
import { allNumbers, phoneNumber } from '../../../testing/seeds.js';
import { type Stage, TRACEPARENT } from '../../../testing/stage.js';
import { until } from '../../../testing/until.js';
import { type Case, prove } from '../runner/cases.js';

/** Campaigns that are no longer sent: the change in the ledger, and the status that follows from it. */
const LET_GO = [
  {
    state: 'paused',
    change: 'paused_at = now()',
    status: 'pausado',
    why: 'A company that pauses in alarm would see its messages go out all the same, for as long as the queue is full.',
  },
  {
    state: 'cancelled',
    change: 'cancelled_at = now()',
    status: 'cancelado',
    why: 'A company would be charged for messages that it cancelled before they were made.',
  },
  {
    state: 'deleted',
    change: 'deleted = true',
    status: 'enfileirado',
    why: 'Numbers that a company has deleted, by law perhaps, would come back into the store.',
  },
];

prove('what comes from the queue is stored once, in order', [
  {
    name: 'creates exchanges, queues and the collection on an empty broker and store',
    why: 'A first installation would need steps by hand, and a collection without its validator takes anything.',
    async run(scope) {
      const stage = await scope.stage({ declared: false });
      await receiving(stage);
      expect(await stage.ready()).toBe(0);
      expect(await stage.ready(stage.names.deadLetterQueue)).toBe(0);
      await stage.channel.checkExchange(stage.names.exchange);
      await stage.channel.checkExchange(stage.names.deadLetterExchange);
      const [collection] = await stage.mongo.listCollections({ name: MESSAGES }).toArray();
      expect(collection).toMatchObject({ options: { validator: { $jsonSchema: expect.any(Object) } } });
    },
  },
  {
    name: 'makes five numbers five documents with all their fields, and the campaign enviado',
    why: 'It is the whole product: whoever reads the documents sends what they say, and the company sees enviado.',
    async run(scope) {
      const stage = await scope.stage({ declared: false });
      const before = new Date();
      const consumer = await receiving(stage);
      const { id, companyId, chunks } = await stage.campaign(5);
      await stage.publish(chunks);
      await stage.untilStatus(id, 'enviado');

      const documents = await stage.messages.find().sort({ _id: 1 }).toArray();
      expect(documents).toEqual(
        [1, 2, 3, 4, 5].map((sequence) => ({
          _id: `${id}:00000000${sequence}`,
          identifier: expect.stringMatching(/^[a-z][a-z0-9]{23}$/),
          phone_number: phoneNumber(sequence),
          message: chunks[0]?.message,
          campaign_id: id,
          company_id: companyId,
          sequence,
          created_at: expect.any(Date),
          updated_at: documents[0]?.created_at,
          deleted: false,
        })),
      );
      expect(new Set(documents.map(({ identifier }) => identifier)).size).toBe(5);
      expect(documents[0]?.created_at.getTime()).toBeGreaterThanOrEqual(before.getTime());
      expect(await stage.messages.countDocuments({ sequence: { $type: 'int' } })).toBe(5);

      await consumer.untilSaid('batch settled');
      const ms = expect.any(Number);
      expect(consumer.said('batch settled')).toEqual([
        expect.objectContaining({
          name: `consumer-${languageUnderTest()}`,
          queue: stage.names.queue(0),
          messages: 1,
          stored: 5,
          repeated: 0,
          let_go: 0,
          dead: 0,
          campaigns: [{ id, status: 'enviado', stored: 5, total: 5 }],
          gather_ms: ms,
          admit_ms: ms,
          store_ms: ms,
          record_ms: ms,
          settle_ms: ms,
          traceparents: [TRACEPARENT],
        }),
      ]);
      expect(consumer.everything).not.toContain(phoneNumber(1));
      expect(consumer.everything).not.toContain(chunks[0]?.message);
    },
  },
  {
    name: 'stores 1,203 numbers in chunks of 7, whatever the batches',
    why: 'Numbers at the edge of a batch or in the last, shorter chunk would be the ones that nobody is sent.',
    async run(scope) {
      const stage = await scope.stage({ declared: false });
      const consumer = await receiving(stage, { PREFETCH: '9' });
      const { id, chunks } = await stage.campaign(1_203, 7);
      await stage.publish(chunks);
      await stage.untilStatus(id, 'enviado');
      expect(await stage.storedNumbers(id)).toEqual(allNumbers(1_203));
      expect(await stage.count()).toBe(1_203);
      for (const line of consumer.said('batch settled')) expect(line.messages).toBeLessThanOrEqual(9);
    },
  },
  {
    name: 'takes at most 10,000 numbers in a batch',
    why: 'A full queue would become one insert of a million documents, and the consumer would run out of memory.',
    async run(scope) {
      const stage = await scope.stage({ declared: false });
      const { id, chunks } = await stage.campaign(25_000, 4_000);
      await (await receiving(stage)).kill();
      await stage.publish(chunks);
      const consumer = await receiving(stage);
      await stage.untilStatus(id, 'enviado');
      await consumer.untilSaid('batch settled');
      for (const line of consumer.said('batch settled')) expect(line.stored).toBeLessThanOrEqual(10_000);
      expect(await stage.storedNumbers(id)).toEqual(allNumbers(25_000));
    },
  },
  {
    name: 'gives 20,000 numbers as many identifiers, of which none tells anything of another',
    why: 'A company would see the messages of another by counting, or two messages would answer to one identifier.',
    async run(scope) {
      const stage = await scope.stage({ declared: false });
      await receiving(stage);
      const { id, chunks } = await stage.campaign(20_000, 5_000);
      await stage.publish(chunks);
      await stage.untilStatus(id, 'enviado');
      const documents = await stage.messages.find({ campaign_id: id }).sort({ _id: 1 }).toArray();
      const identifiers = documents.map(({ identifier }) => identifier);
      expect(identifiers).toHaveLength(20_000);
      expect(identifiers.filter((identifier) => !/^[a-z][a-z0-9]{23}$/.test(identifier))).toEqual([]);
      expect(new Set(identifiers).size).toBe(20_000);
      expect(new Set(identifiers.map((identifier) => identifier.slice(0, 12))).size, 'the first halves').toBe(20_000);
      expect(new Set(identifiers.map((identifier) => identifier.slice(12))).size, 'the second halves').toBe(20_000);
      // By chance, either of two neighbours is the larger one. With a counter or a clock it would always be the later one.
      const larger = identifiers.filter((identifier, at) => identifier > (identifiers[at - 1] ?? ''));
      expect(larger.length).toBeGreaterThan(9_000);
      expect(larger.length).toBeLessThan(11_000);
    },
  },
  {
    name: 'draws each of the 24 characters of an identifier evenly',
    why: 'Identifiers with a bias are easier to guess, and two consumers come upon the same one sooner than reckoned.',
    async run(scope) {
      const stage = await scope.stage({ declared: false });
      await receiving(stage);
      const { id, chunks } = await stage.campaign(20_000, 5_000);
      await stage.publish(chunks);
      await stage.untilStatus(id, 'enviado');
      const documents = await stage.messages.find({ campaign_id: id }).toArray();
      expect(rareOrFrequent(documents.map(({ identifier }) => identifier))).toEqual([]);
    },
  },
  {
    name: 'stores the same chunk once when it is delivered three times, in one batch or later',
    why: 'RabbitMQ promises at least once: a person would get the same message three times, and the company pay for it.',
    async run(scope) {
      const stage = await scope.stage({ declared: false });
      const { id, chunks } = await stage.campaign(10, 5);
      await (await receiving(stage)).kill();
      await stage.publish([...chunks, ...chunks]);
      const consumer = await receiving(stage);
      await stage.untilStatus(id, 'enviado');
      await stage.publish(chunks);
      await until(() => expect(consumer.sum('messages')).toBe(6));
      expect({ stored: consumer.sum('stored'), repeated: consumer.sum('repeated') }).toEqual({
        stored: 10,
        repeated: 4,
      });
      expect(await stage.storedNumbers(id)).toEqual(allNumbers(10));
      expect(await stage.ledger(id)).toEqual({ status: 'enviado', stored: 10, chunks: 2 });
    },
  },
  {
    name: 'counts documents that were there already as stored',
    why: 'After a crash between store and record the campaign would never become enviado, or be stored a second time.',
    async run(scope) {
      const stage = await scope.stage({ declared: false });
      const consumer = await receiving(stage);
      const { id, chunks } = await stage.campaign(5);
      await stage.publish(chunks);
      await stage.untilStatus(id, 'enviado');
      // The state after a crash between steps 4 and 5.
      await stage.pool.query('UPDATE campaigns SET stored = 0 WHERE id = $1', [id]);
      await stage.pool.query('UPDATE campaign_chunks SET stored_at = NULL WHERE campaign_id = $1', [id]);
      await stage.publish(chunks);
      await stage.untilStatus(id, 'enviado');
      await until(() => expect(consumer.sum('repeated')).toBe(5));
      expect(await stage.storedNumbers(id)).toEqual(allNumbers(5));
    },
  },
  ...LET_GO.map(
    ({ state, change, status, why }): Case => ({
      name: `lets the chunks of a ${state} campaign go and stores nothing`,
      why,
      async run(scope) {
        const stage = await scope.stage({ declared: false });
        const consumer = await receiving(stage);
        const { id, chunks } = await stage.campaign(10, 5);
        await stage.pool.query(`UPDATE campaigns SET ${change} WHERE id = $1`, [id]);
        await stage.publish(chunks);
        await until(() => expect(consumer.sum('let_go')).toBe(2));
        expect(await stage.count()).toBe(0);
        expect(await stage.ledger(id)).toEqual({ status, stored: 0, chunks: 0 });
      },
    }),
  ),
  {
    name: 'takes every partition, and order holds within a campaign',
    why: 'Every company whose campaigns fall into a partition that nobody takes would wait for ever.',
    async run(scope) {
      const stage = await scope.stage({ partitions: 3 });
      await receiving(stage, { PREFETCH: '6' });
      const campaigns = [await stage.campaign(300, 10), await stage.campaign(300, 10), await stage.campaign(300, 10)];
      await Promise.all(campaigns.map(({ chunks }, partition) => stage.publish(chunks, partition)));
      for (const { id } of campaigns) {
        await stage.untilStatus(id, 'enviado');
        expect(await stage.storedNumbers(id)).toEqual(allNumbers(300));
      }
    },
  },
  {
    name: 'takes only the partitions of CONSUMER_PARTITIONS',
    why: 'Who gives each partition a process of its own would get two on one queue, and idle ones that look busy.',
    async run(scope) {
      const stage = await scope.stage({ partitions: 2 });
      const [mine, other] = [await stage.campaign(5), await stage.campaign(5)];
      await stage.publish(mine.chunks, 1);
      await stage.publish(other.chunks, 0);
      await receiving(stage, { CONSUMER_PARTITIONS: '1' });
      await stage.untilStatus(mine.id, 'enviado');
      expect(await stage.ready(stage.names.queue(0))).toBe(1);
      expect((await stage.ledger(other.id)).status).toBe('enfileirado');
    },
  },
  {
    // In every partition, also where another queue was busy.
    name: 'declares a deleted queue again, says so, and stores what comes afterwards',
    why: 'After one wrong click in the console the consumer would live on, take nothing more, and no alarm would ring.',
    async run(scope) {
      const stage = await scope.stage({ partitions: 2 });
      const consumer = await receiving(stage, { PREFETCH: '6' });
      const [busy, later] = [await stage.campaign(1_203, 7), await stage.campaign(10, 5)];
      await stage.publish(busy.chunks, 0);
      await stage.channel.deleteQueue(stage.names.queue(1));
      await until(() => expect(consumer.said('receiving')).toHaveLength(2));
      expect(consumer.said('lost the connection to RabbitMQ')).toHaveLength(1);
      // The consumer has declared the queue with the same arguments, or the broker would refuse this.
      await declareTopology(stage.channel, stage.env.QUEUE_PREFIX, 2);
      await stage.publish(later.chunks, 1);
      for (const { id, total } of [
        { ...busy, total: 1_203 },
        { ...later, total: 10 },
      ]) {
        await stage.untilStatus(id, 'enviado');
        expect(await stage.storedNumbers(id)).toEqual(allNumbers(total));
      }
      expect(await stage.count()).toBe(1_203 + 10);
      expect(consumer.said('receiving')).toHaveLength(2);
    },
  },
]);

/** Starts a consumer and waits until it receives. Where nothing is declared, it makes the topology itself. */
async function receiving(stage: Stage, env: Record<string, string> = {}): Promise<Process> {
  const consumer = stage.consumer(env);
  await consumer.untilSaid('receiving');
  return consumer;
}

/**
 * Characters that are at a position less than half or more than twice as often as by chance. In 20,000 identifiers there is
 * none.
 */
function rareOrFrequent(identifiers: readonly string[]): string[] {
  const letters = 'abcdefghijklmnopqrstuvwxyz';
  return Array.from({ length: 24 }, (_, position) => {
    const possible = position === 0 ? letters : `${letters}0123456789`;
    return [...possible].flatMap((character) => {
      const times = identifiers.filter((identifier) => identifier[position] === character).length;
      const share = (times * possible.length) / identifiers.length;
      return share < 0.5 || share > 2 ? [`${character} at ${position}: ${times} times`] : [];
    });
  }).flat();
}
