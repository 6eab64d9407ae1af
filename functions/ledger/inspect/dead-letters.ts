import { QUESTION, type Topology } from '@disparo/contract';
import { Injectable } from '@nestjs/common';
import type { ConfirmChannel, GetMessage, Options } from 'amqplib';
import { Broker } from '../../platform/stores/rabbitmq.js';
import { withAnswerTimeout } from '../../platform/stores/rabbitmq-channel.js';

/** A dead letter as the operator sees it. A field is undefined where the message does not have it. */
export interface DeadLetter {
  /** Its place in the queue, from 1. */
  place: number;
  reason: string | undefined;
  detail: string | undefined;
  campaignId: string | undefined;
  /** When it was published. */
  publishedAt: Date | undefined;
  sourceQueue: string | undefined;
  bytes: number;
}

/** A dead letter with its properties and its body. */
interface WholeDeadLetter extends DeadLetter {
  properties: Record<string, unknown>;
  body: string;
}

/**
 * The result of a replay: dead letters sent again, those that stay because their queue is unknown, and how many were not
 * reached.
 */
interface Replayed {
  sent: number;
  stay: DeadLetter[];
  left: number;
}

/** The result of a drop: dead letters taken out, and how many were not reached. */
interface Dropped {
  dropped: number;
  left: number;
}

/**
 * Dead letters held at a time, and the last place that can be named. CloudAMQP's free plan closes a connection that holds
 * over 1,000.
 */
export const MAX_HELD = 500;
const ADDED_HEADERS = ['reason', 'detail', 'source_queue', 'headers_dropped'];

/**
 * The dead-letter queue. A dead letter that is only looked at keeps its place: it is taken, and goes back when the channel
 * closes.
 */
@Injectable()
export class DeadLetters {
  constructor(private readonly broker: Broker) {}

  /** The oldest dead letters, 500 at most, and how many there are in all. */
  list(): Promise<{ oldest: DeadLetter[]; total: number }> {
    return this.broker.onOwnConnection(async (channel, names) => {
      const total = await count(channel, names);
      const oldest: DeadLetter[] = [];
      for await (const message of take(channel, names, Math.min(total, MAX_HELD)))
        oldest.push(deadLetterOf(message, oldest.length + 1));
      return { oldest, total };
    });
  }

  /** Undefined when there is none at that place. */
  show(place: number): Promise<WholeDeadLetter | undefined> {
    return this.broker.onOwnConnection(async (channel, names) => {
      const message = await at(channel, names, place);
      if (!message) return undefined;
      const { content, properties } = message;
      const said = Object.entries(properties).filter(([, value]) => value !== undefined);
      return {
        ...deadLetterOf(message, place),
        properties: Object.fromEntries(said),
        body: content.toString('utf8'),
      };
    });
  }

  /**
   * Sends one dead letter, or all that are there now, to the queue that it came from, without the headers that were added to
   * it. Each is confirmed before it is taken out: a process that dies in between leaves a second copy, which a consumer lets
   * go. Told to stop, it ends between two dead letters. Rejects with NotPublished.
   */
  replay(place: number | undefined, stop: AbortSignal): Promise<Replayed> {
    return this.broker.onOwnConnection(async (channel, names) => {
      const replayed: Replayed = { sent: 0, stay: [], left: 0 };
      replayed.left = await each(channel, names, place, stop, async (message, at) => {
        const routingKey = partitionOf(message, names);
        if (routingKey === undefined) {
          replayed.stay.push(deadLetterOf(message, at));
          return false;
        }
        await askWhetherItTakes(channel, names.exchange);
        await send(channel, names.exchange, routingKey, message);
        replayed.sent++;
        return true;
      });
      return replayed;
    });
  }

  /**
   * Takes one dead letter, or all that are there now, out of the queue for good. Told to stop, it ends between two of them.
   */
  drop(place: number | undefined, stop: AbortSignal): Promise<Dropped> {
    return this.broker.onOwnConnection(async (channel, names) => {
      let dropped = 0;
      const left = await each(channel, names, place, stop, async () => {
        dropped++;
        return true;
      });
      return { dropped, left };
    });
  }
}

async function count(channel: ConfirmChannel, names: Topology): Promise<number> {
  return (await withAnswerTimeout(channel.checkQueue(names.deadLetterQueue))).messageCount;
}

async function* take(channel: ConfirmChannel, names: Topology, upTo: number): AsyncGenerator<GetMessage> {
  for (let taken = 0; taken < upTo; taken++) {
    const message = await withAnswerTimeout(channel.get(names.deadLetterQueue));
    if (!message) return;
    yield message;
  }
}

/** The dead letter at a place. Those before it are held until the channel closes. */
async function at(channel: ConfirmChannel, names: Topology, place: number): Promise<GetMessage | undefined> {
  let last: GetMessage | undefined;
  let seen = 0;
  for await (const message of take(channel, names, place)) {
    seen++;
    last = message;
  }
  return seen === place ? last : undefined;
}

/**
 * Takes one dead letter, or all that are there now. `work` returns whether to take it out of the queue. Returns how many
 * were not reached, because it was told to stop or as many stay as may be held.
 */
async function each(
  channel: ConfirmChannel,
  names: Topology,
  place: number | undefined,
  stop: AbortSignal,
  work: (message: GetMessage, place: number) => Promise<boolean>,
): Promise<number> {
  if (place !== undefined) {
    const message = await at(channel, names, place);
    if (message && (await work(message, place))) channel.ack(message);
    return 0;
  }
  const total = await count(channel, names);
  let held = 0;
  let seen = 0;
  for await (const message of take(channel, names, total)) {
    if (stop.aborted || held >= MAX_HELD) return total - seen;
    if (await work(message, ++seen)) channel.ack(message);
    else held++;
  }
  return 0;
}

/**
 * Rejects with NotPublished for a broker in an alarm. It would take a message sent now later, and the dead letter would stay
 * too.
 */
async function askWhetherItTakes(channel: ConfirmChannel, exchange: string): Promise<void> {
  channel.publish(exchange, QUESTION.routingKey, QUESTION.content);
  await withAnswerTimeout(channel.waitForConfirms());
}

/** Resolves when the broker has confirmed it and it is in a queue. */
async function send(channel: ConfirmChannel, exchange: string, routingKey: string, message: GetMessage): Promise<void> {
  const { headers, clusterId: _clusterId, deliveryMode: _mode, ...properties } = message.properties;
  const own = Object.entries(headers ?? {}).filter(([name]) => !ADDED_HEADERS.includes(name));
  const options: Options.Publish = {
    ...properties,
    headers: Object.fromEntries(own),
    persistent: true,
    mandatory: true,
  };
  let returned = false;
  const onReturn = (): void => {
    returned = true;
  };
  channel.once('return', onReturn);
  channel.publish(exchange, routingKey, message.content, options);
  await withAnswerTimeout(channel.waitForConfirms());
  channel.off('return', onReturn);
  if (returned) throw new Error(`the broker has no queue for partition ${routingKey}`);
}

/** The routing key of the queue that a dead letter came from; undefined when the queue is not ours. */
function partitionOf(message: GetMessage, names: Topology): string | undefined {
  const source: unknown = message.properties.headers?.source_queue;
  const partitions = Array.from({ length: names.partitions }, (_, partition) => partition);
  const found = partitions.find((partition) => names.queue(partition) === source);
  return found === undefined ? undefined : names.routingKey(found);
}

function deadLetterOf({ content, properties }: GetMessage, place: number): DeadLetter {
  const { reason, detail, source_queue: sourceQueue } = (properties.headers ?? {}) as Record<string, unknown>;
  const { timestamp } = properties as { timestamp?: unknown };
  return {
    place,
    reason: text(reason),
    detail: text(detail),
    campaignId: campaignIn(content) ?? text(properties.messageId)?.split(':')[0],
    publishedAt: typeof timestamp === 'number' && timestamp > 0 ? new Date(timestamp * 1_000) : undefined,
    sourceQueue: text(sourceQueue),
    bytes: content.length,
  };
}

function campaignIn(content: Buffer): string | undefined {
  try {
    const { campaign_id } = JSON.parse(content.toString('utf8')) as { campaign_id?: unknown };
    return text(campaign_id);
  } catch {
    return undefined;
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
