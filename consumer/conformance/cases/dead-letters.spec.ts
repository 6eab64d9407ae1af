import { readdirSync, readFileSync } from 'node:fs';
import { chunkMessage, MAX_CHUNK_BYTES, MESSAGES } from '@disparo/contract';
import type { GetMessage } from 'amqplib';
import { expect } from 'vitest';
import { allNumbers } from '../../../testing/seeds.js';
import { TRACEPARENT } from '../../../testing/stage.js';
import { until } from '../../../testing/until.js';
import { prove } from '../runner/cases.js';

const INVALID = new URL('../../contract/examples/invalid/', import.meta.url);
const REASONS = read('reasons.json');
const DETAILS = read('../details.json');

prove('one bad message stops nothing', [
  {
    name: 'dead-letters every invalid example unchanged, with its reason, and stores its neighbours',
    why: 'One message of a faulty publisher would hold up the campaigns of every company, or vanish without a trace.',
    async run(scope) {
      const stage = await scope.stage();
      const files = readdirSync(INVALID).filter((file) => file !== 'reasons.json');
      const bodies = new Map(files.map((file) => [file, readFileSync(new URL(file, INVALID))]));
      bodies.set('too large', Buffer.alloc(MAX_CHUNK_BYTES + 1, '7'));
      const { id, chunks } = await stage.campaign(5 * (bodies.size + 1), 5);
      let next = 0;
      for (const [file, body] of bodies) {
        await stage.publish(chunks.slice(next, ++next));
        await stage.publishRaw(body, {
          messageId: file,
          contentType: 'application/json',
          headers: { traceparent: TRACEPARENT },
        });
      }
      await stage.publish(chunks.slice(next));
      const consumer = stage.consumer();
      await stage.untilStatus(id, 'enviado');

      const dead = await stage.deadLetters(bodies.size);
      const byId = (of: (message: GetMessage) => unknown) =>
        Object.fromEntries(dead.map((message) => [message.properties.messageId, of(message)]));
      expect(byId(reasonOf)).toEqual({ ...REASONS, 'too large': 'too_large' });
      expect(byId(detailOf)).toEqual({ ...DETAILS, 'too large': 'max_bytes' });
      for (const { content, properties } of dead) {
        expect(content.equals(bodies.get(properties.messageId) ?? Buffer.of()), properties.messageId).toBe(true);
        const source_queue = stage.names.queue(0);
        expect(properties).toMatchObject({
          contentType: 'application/json',
          deliveryMode: 2,
          headers: { traceparent: TRACEPARENT, source_queue },
        });
      }
      expect(await stage.storedNumbers(id)).toEqual(allNumbers(5 * (bodies.size + 1)));
      await until(() => expect(consumer.sum('dead')).toBe(bodies.size));
      expect(consumer.said('dead letter').map(({ level }) => level)).toEqual(Array(bodies.size).fill(40));
      expect(await stage.ready()).toBe(0);
    },
  },
  {
    name: 'gets rid of a message whose headers it cannot write again',
    why: 'A message that a client library reads and cannot write would be delivered for ever, and all behind it would wait.',
    async run(scope) {
      const stage = await scope.stage();
      const { id, chunks } = await stage.campaign(10, 5);
      await stage.publish(chunks.slice(0, 1));
      // The largest possible timestamp: amqplib can read it, and refuses to write it.
      const headers = { when: { '!': 'timestamp', value: 2n ** 64n - 1n } };
      await stage.publishRaw(Buffer.from('not json'), { headers });
      await stage.publish(chunks.slice(1));
      stage.consumer();
      await stage.untilStatus(id, 'enviado');
      expect((await stage.deadLetters(1)).map(reasonOf)).toEqual(['not_json']);
      expect(await stage.ready()).toBe(0);
    },
  },
  {
    name: 'calls an unknown campaign, an unknown chunk and another size by their names',
    why: 'Stored without a campaign in the ledger, they would be sent to people on nobody’s account.',
    async run(scope) {
      const stage = await scope.stage();
      const { id, chunks } = await stage.campaign(10, 5);
      const [first, second] = chunks;
      if (!first || !second) throw new Error('two chunks');
      await stage.publish([
        { ...first, campaign_id: 'nobodyknowsthis' },
        { ...first, first_sequence: 3 },
        { ...first, phone_numbers: first.phone_numbers.slice(1) },
        first,
        second,
      ]);
      stage.consumer();
      await stage.untilStatus(id, 'enviado');
      const dead = await stage.deadLetters(3);
      expect(dead.map(reasonOf)).toEqual(['unknown_campaign', 'unknown_chunk', 'unknown_chunk']);
      const fields = ['campaign_id', 'first_sequence', 'phone_numbers'];
      expect(dead.map(detailOf)).toEqual(fields.map((field) => `ledger /${field}`));
      expect(await stage.storedNumbers(id)).toEqual(allNumbers(10));
    },
  },
  {
    name: 'does not record a chunk that the validator refuses',
    why: 'A campaign would be enviado, and charged, with numbers that stand in no document.',
    async run(scope) {
      const stage = await scope.stage();
      const [good, bad] = [await stage.campaign(5), await stage.campaign(5)];
      const consumer = stage.consumer();
      await consumer.untilSaid('receiving');
      const refusal = { $nor: [{ campaign_id: bad.id, sequence: 3 }] };
      await stage.mongo.command({ collMod: MESSAGES, validator: refusal });
      await stage.publish([...bad.chunks, ...good.chunks]);
      await stage.untilStatus(good.id, 'enviado');
      const dead = await stage.deadLetters(1);
      expect(dead.map(reasonOf)).toEqual(['refused_by_store']);
      expect(await stage.ledger(bad.id)).toEqual({ status: 'enfileirado', stored: 0, chunks: 0 });
      await consumer.untilSaid('dead letter');
      expect(consumer.said('dead letter')).toEqual([
        expect.objectContaining({ level: 50, reason: 'refused_by_store', detail: 'mongodb 121' }),
      ]);
    },
  },
  {
    name: 'keeps a dead letter whose message would have expired',
    why: 'The broker would throw the dead letter away before anybody has looked at it.',
    async run(scope) {
      const stage = await scope.stage();
      await stage.publishRaw(Buffer.from('{'), { expiration: '60000', messageId: 'expires' });
      stage.consumer();
      const [dead] = await stage.deadLetters(1);
      expect(dead?.properties).toMatchObject({
        messageId: 'expires',
        expiration: undefined,
        headers: { reason: 'not_json' },
      });
    },
  },
  {
    name: 'declares again and loses nothing when the dead-letter exchange is deleted under it',
    why: 'A bad message acknowledged without its dead letter is gone for good, and the company is never told.',
    async run(scope) {
      const stage = await scope.stage();
      const consumer = stage.consumer();
      await consumer.untilSaid('receiving');
      await stage.channel.deleteExchange(stage.names.deadLetterExchange);
      const { id, chunks } = await stage.campaign(10, 5);
      await stage.publish(chunks.slice(0, 1));
      await stage.publishRaw(Buffer.from('{'), { messageId: 'bad' });
      await stage.publish(chunks.slice(1));
      expect((await stage.deadLetters(1)).map(({ properties }) => properties.messageId)).toEqual(['bad']);
      await stage.untilStatus(id, 'enviado');
      expect(await stage.storedNumbers(id)).toEqual(allNumbers(10));
      expect(consumer.said('lost the connection to RabbitMQ')).toHaveLength(1);
    },
  },
  {
    name: 'goes on when the queue is deleted under it',
    why: 'The broker cancels the consumer without an error: one that does not notice stands still, with health up.',
    async run(scope) {
      const stage = await scope.stage();
      const { id, chunks } = await stage.campaign(10, 5);
      const consumer = stage.consumer();
      await consumer.untilSaid('receiving');
      await stage.channel.deleteQueue(stage.names.queue(0));
      await until(() => expect(consumer.said('receiving')).toHaveLength(2));
      for (const chunk of chunks) {
        const { content, properties } = chunkMessage(chunk, TRACEPARENT);
        await stage.publishRaw(content, properties);
      }
      await stage.untilStatus(id, 'enviado');
    },
  },
]);

function read(name: string): Record<string, string> {
  return JSON.parse(readFileSync(new URL(name, INVALID), 'utf8'));
}

function reasonOf(message: GetMessage): unknown {
  return message.properties.headers?.reason;
}

function detailOf(message: GetMessage): unknown {
  return message.properties.headers?.detail;
}
