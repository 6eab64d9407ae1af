import type { Channel } from 'amqplib';
import { contractJson } from './contract-file.js';

/** How the broker keeps a queue: on one node, or copied to several. */
export type QueueType = 'classic' | 'quorum';

interface ExchangeTemplate {
  name: string;
  type: string;
  durable: boolean;
}
interface QueueTemplate {
  name: string;
  routing_key: string;
  durable: boolean;
  arguments: QueueArguments;
}
type QueueArguments = Record<string, string | boolean | number>;
interface TopologyTemplate {
  exchange: ExchangeTemplate;
  queue: QueueTemplate;
  dead_letter: { exchange: ExchangeTemplate; queue: QueueTemplate };
  /** What every queue has in addition to its own arguments, by the word in QUEUE_TYPE. */
  queue_types: Record<QueueType, QueueArguments>;
}

/**
 * Asks whether the broker takes messages: it is published to the campaign exchange, and its confirm awaited, before a
 * message that must not be there twice. No queue is bound to its key, so it is confirmed and dropped. In an alarm it waits
 * in the socket, instead of the message behind it. It has one byte: a broker in an alarm lets the header of a message pass,
 * and stops at its body.
 */
export const QUESTION = { routingKey: 'does-the-broker-take-messages', content: Buffer.from('?') } as const;

const template = contractJson<TopologyTemplate>('topology.json');
const eventsTemplate = contractJson<Pick<TopologyTemplate, 'exchange' | 'queue'>>('events-topology.json');

/** The words that QUEUE_TYPE may have. */
export const QUEUE_TYPES = Object.keys(template.queue_types) as QueueType[];

/** The names on the broker for one prefix. */
export interface Topology {
  exchange: string;
  deadLetterExchange: string;
  deadLetterQueue: string;
  partitions: number;
  queue(partition: number): string;
  routingKey(partition: number): string;
}

/** The names that `topology.json` gives for a prefix and a number of partitions. */
export function topology(prefix: string, partitions: number): Topology {
  return {
    exchange: fill(template.exchange.name, prefix),
    deadLetterExchange: fill(template.dead_letter.exchange.name, prefix),
    deadLetterQueue: fill(template.dead_letter.queue.name, prefix),
    partitions,
    queue: (partition) => fill(template.queue.name, prefix, partition),
    routingKey: (partition) => fill(template.queue.routing_key, prefix, partition),
  };
}

/**
 * Declares exchanges, queues and bindings, all durable and with identical arguments in every app, so that the app that
 * starts first on an empty broker creates them. Idempotent. When one exists with other arguments, or a queue with another
 * type, the broker refuses with 406 and closes the channel. Without a type the vhost's default decides.
 */
export async function declareTopology(
  channel: Channel,
  prefix: string,
  partitions: number,
  type?: QueueType,
): Promise<void> {
  const { exchange, queue, dead_letter: dead } = template;
  const ofType = type === undefined ? {} : template.queue_types[type];
  await declareExchange(channel, dead.exchange, prefix);
  await declareQueue(channel, dead.queue, ofType, dead.exchange, prefix);
  await declareExchange(channel, exchange, prefix);
  for (let partition = 0; partition < partitions; partition++)
    await declareQueue(channel, queue, ofType, exchange, prefix, partition);
}

/** The one name of the exchange of events, of their queue and of its routing key. */
export function eventsQueue(prefix: string): string {
  return fill(eventsTemplate.queue.name, prefix);
}

/** Declares the exchange and the queue of events. Idempotent, and refused with 406, as `declareTopology` is. */
export async function declareEvents(channel: Channel, prefix: string, type?: QueueType): Promise<void> {
  const { exchange, queue } = eventsTemplate;
  await declareExchange(channel, exchange, prefix);
  await declareQueue(channel, queue, type === undefined ? {} : template.queue_types[type], exchange, prefix);
}

async function declareExchange(channel: Channel, exchange: ExchangeTemplate, prefix: string): Promise<void> {
  await channel.assertExchange(fill(exchange.name, prefix), exchange.type, { durable: exchange.durable });
}

async function declareQueue(
  channel: Channel,
  queue: QueueTemplate,
  ofType: QueueArguments,
  exchange: ExchangeTemplate,
  prefix: string,
  partition?: number,
): Promise<void> {
  const name = fill(queue.name, prefix, partition);
  const queueArguments = Object.fromEntries(
    Object.entries({ ...queue.arguments, ...ofType }).map(([key, value]) => [
      key,
      typeof value === 'string' ? fill(value, prefix, partition) : value,
    ]),
  );
  await channel.assertQueue(name, { durable: queue.durable, arguments: queueArguments });
  await channel.bindQueue(name, fill(exchange.name, prefix), fill(queue.routing_key, prefix, partition));
}

function fill(text: string, prefix: string, partition?: number): string {
  return text.replace('{prefix}', () => prefix).replace('{partition}', () => String(partition));
}
