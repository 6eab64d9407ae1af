import type { Channel } from 'amqplib';
import { expect, test } from 'vitest';
import { rowOf } from './keys.js';
import { declareEvents, declareTopology, eventsQueue, QUEUE_TYPES, type QueueType } from './topology.js';

const OWN = { 'x-overflow': 'reject-publish' };
const CAMPAIGN = { ...OWN, 'x-single-active-consumer': true, 'x-dead-letter-exchange': 'p.dead' };

test.each<[QueueType | undefined, object]>([
  [undefined, {}],
  ['classic', { 'x-queue-type': 'classic' }],
  // Never -1: RabbitMQ before 4.0 takes it and drops a message that comes back once.
  ['quorum', { 'x-queue-type': 'quorum', 'x-delivery-limit': 1_000_000_000 }],
])('each queue is of the type %s, the one of dead letters too', async (type, ofType) => {
  const asserted: unknown[] = [];
  const channel = {
    assertExchange: async () => {},
    assertQueue: async (name: string, options: object) => asserted.push([name, options]),
    bindQueue: async () => {},
  };
  await declareTopology(channel as unknown as Channel, 'p', 1, type);
  expect(asserted).toEqual([
    ['p.dead', { durable: true, arguments: { ...OWN, ...ofType } }],
    ['p.campaigns.0', { durable: true, arguments: { ...CAMPAIGN, ...ofType } }],
  ]);
});

test('events have a queue that refuses when it is full, and no dead letters', async () => {
  const declared: unknown[] = [];
  const channel = {
    assertExchange: async (...exchange: unknown[]) => declared.push(exchange),
    assertQueue: async (...queue: unknown[]) => declared.push(queue),
    bindQueue: async (...binding: unknown[]) => declared.push(binding),
  };
  await declareEvents(channel as unknown as Channel, 'p');
  expect(eventsQueue('p')).toBe('p.events');
  expect(declared).toEqual([
    ['p.events', 'direct', { durable: true }],
    ['p.events', { durable: true, arguments: OWN }],
    ['p.events', 'p.events', 'p.events'],
  ]);
});

test('the types are the words that QUEUE_TYPE takes', () => {
  expect(QUEUE_TYPES).toEqual(rowOf('QUEUE_TYPE', 'word').words);
});
