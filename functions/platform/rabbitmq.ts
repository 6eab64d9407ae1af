import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { declareTopology, refusal, type Topology, topology } from '@disparo/contract';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { type ChannelModel, type ConfirmChannel, connect, type Options } from 'amqplib';
import { Config } from './config.js';
import { Runtime } from './runtime.js';

const CONNECT_TIMEOUT_MS = 5_000;
/** Opening is connecting and declaring: a broker that answers the first and not the second is as good as none. */
const OPEN_TIMEOUT_MS = 10_000;
const CONFIRM_TIMEOUT_MS = 10_000;
/** A frozen function cannot answer heartbeats; its broker would close the connection at each thaw. */
const HEARTBEAT_S = { function: 0, server: 30 } as const;
/** After that long a function was likely frozen, and what is between it and the broker has forgotten the connection. */
const FUNCTION_IDLE_MS = 60_000;

/** A message that goes out: `messageId` names it in a return. */
export interface OutgoingMessage {
  content: Buffer;
  properties: Options.Publish;
}

/** What waits on the broker. */
export interface Queues {
  /** By their number. */
  partitions: { queue: string; ready: number; consumers: number }[];
  deadLetters: { queue: string; ready: number };
}

/** The broker does not have the message in a queue, or did not say so in time: it is still owed. */
export class NotPublished extends Error {
  constructor(
    /** `refused`: waiting does not heal it, `text` says what was refused. */
    readonly reason: 'nacked' | 'returned' | 'timeout' | 'unreachable' | 'refused',
    readonly text: string,
    cause?: unknown,
  ) {
    super(`not published, ${reason}: ${text}`, { cause });
    this.name = 'NotPublished';
  }
}

/** RabbitMQ: one connection and one confirm channel a process, opened with the first use and again after each loss. */
@Injectable()
export class Broker implements OnApplicationShutdown {
  readonly #topology: Topology;
  #link: Promise<Link> | undefined;

  constructor(
    private readonly config: Config,
    private readonly runtime: Runtime,
  ) {
    this.#topology = topology(config.queuePrefix, config.queuePartitions);
  }

  /**
   * Resolves when the broker has confirmed the message and it is in a queue, else rejects with NotPublished. Several may
   * be in flight; the caller limits how many, since what the socket does not take at once is held in memory.
   */
  async publish(routingKey: string, message: OutgoingMessage): Promise<void> {
    const link = await this.#open();
    await link.publish(this.#topology.exchange, routingKey, message);
  }

  /** Messages that wait in the queue of a partition; those that a consumer holds are not counted. Rejects with NotPublished. */
  async ready(partition: number): Promise<number> {
    const link = await this.#open();
    return link.ready(this.#topology.queue(partition));
  }

  /** What waits, queue by queue. Rejects with NotPublished, and for a queue that is not there. */
  async queues(): Promise<Queues> {
    const link = await this.#open();
    return link.queues(this.#topology);
  }

  /**
   * A connection of its own for `work`, closed after it, whatever came of it: what is not acknowledged then goes back to its
   * place in the queue. Rejects with NotPublished when it cannot be opened.
   */
  async apart<T>(work: (channel: ConfirmChannel, names: Topology) => Promise<T>): Promise<T> {
    const { connection, channel } = await openChannel(this.config, HEARTBEAT_S.server).catch((error: unknown) => {
      throw notOpened(error);
    });
    try {
      return await work(channel, this.#topology);
    } finally {
      await within(CONNECT_TIMEOUT_MS, closeInOrder(connection, channel)).catch(() => destroy(connection));
    }
  }

  /** A round trip on the channel that publishes. Rejects with NotPublished. */
  async ping(): Promise<void> {
    const link = await this.#open();
    await link.ping(this.#topology.exchange);
  }

  async close(): Promise<void> {
    const opening = this.#link;
    this.#link = undefined;
    await opening?.then((link) => link.close()).catch(() => {});
  }

  onApplicationShutdown(): Promise<void> {
    return this.close();
  }

  async #open(): Promise<Link> {
    const current = await this.#link;
    if (current && this.runtime.kind === 'function' && current.idleMs() > FUNCTION_IDLE_MS)
      current.discard(new NotPublished('unreachable', 'the connection was idle for too long'));
    this.#link ??= this.#connect();
    return this.#link;
  }

  #connect(): Promise<Link> {
    const forget = (): void => {
      if (this.#link === opening) this.#link = undefined;
    };
    const opening = openLink(this.config, HEARTBEAT_S[this.runtime.kind], forget).catch((error: unknown) => {
      forget();
      throw notOpened(error);
    });
    return opening;
  }
}

/** One connection with its confirm channel, from opening to its first failure; never used again after that. */
class Link {
  readonly #inFlight = new Set<(failure: NotPublished) => void>();
  /** Returned messages whose confirm is still to come: the broker sends the return first. */
  readonly #returned = new Map<string, string>();
  #usedAt = Date.now();
  #retired = false;
  #ended = false;

  constructor(
    private readonly connection: ChannelModel,
    private readonly channel: ConfirmChannel,
    /** Called once, when the link is not to be used again. */
    private readonly forget: () => void,
  ) {
    const lost = (error?: Error): void =>
      this.discard(new NotPublished('unreachable', 'the connection was lost', error));
    connection.on('error', lost).on('close', lost);
    channel.on('error', lost).on('close', lost);
    channel.on('return', (message) => {
      const { replyText } = message.fields as unknown as { replyText?: string };
      this.#returned.set(String(message.properties.messageId), replyText ?? 'not routed');
    });
  }

  /** Zero while something is in flight. */
  idleMs(): number {
    return this.#inFlight.size > 0 ? 0 : Date.now() - this.#usedAt;
  }

  publish(exchange: string, routingKey: string, { content, properties }: OutgoingMessage): Promise<void> {
    const messageId = properties.messageId ?? randomUUID();
    return this.#withDeadline((done) => {
      this.channel.publish(exchange, routingKey, content, { ...properties, messageId, mandatory: true }, (nack) => {
        const returned = this.#returned.get(messageId);
        this.#returned.delete(messageId);
        if (nack) return done(new NotPublished('nacked', 'the queue is full or the broker cannot take it', nack));
        if (returned === undefined) return done();
        done(new NotPublished('returned', returned));
        // The queue is gone: only a new link declares it again. What is in flight here is still confirmed here.
        this.#retired = true;
        this.forget();
        this.#closeWhenRetired();
      });
    });
  }

  ping(exchange: string): Promise<void> {
    return this.#asked(() => this.channel.checkExchange(exchange));
  }

  async ready(queue: string): Promise<number> {
    let count = 0;
    await this.#asked(async () => {
      count = (await this.channel.checkQueue(queue)).messageCount;
    });
    return count;
  }

  /** On a channel of its own: asking for a queue that is not there closes the channel. */
  async queues({ partitions, queue, deadLetterQueue }: Topology): Promise<Queues> {
    const channel = await answered(this.connection.createChannel());
    channel.on('error', () => {});
    const counts = async (name: string) => {
      const { messageCount, consumerCount } = await answered(channel.checkQueue(name));
      return { queue: name, ready: messageCount, consumers: consumerCount };
    };
    try {
      const names = Array.from({ length: partitions }, (_, partition) => queue(partition));
      const { queue: dead, ready } = await counts(deadLetterQueue);
      return { partitions: await Promise.all(names.map(counts)), deadLetters: { queue: dead, ready } };
    } finally {
      // Closed already where a queue is missing, and with its connection.
      await answered(channel.close()).catch(() => {});
    }
  }

  /** Gives the connection up at once and fails what is in flight. */
  discard(failure: NotPublished): void {
    if (this.#ended) return;
    this.#ended = true;
    this.forget();
    for (const fail of [...this.#inFlight]) fail(failure);
    destroy(this.connection);
  }

  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.forget();
    for (const fail of [...this.#inFlight]) fail(new NotPublished('unreachable', 'the connection is closing'));
    // A connection that dies while it is closing answers nothing more, and says so by this event only.
    const gone = new Promise<void>((resolve) => this.connection.once('close', () => resolve()));
    const closed = Promise.race([gone, this.connection.close()]);
    await within(CONNECT_TIMEOUT_MS, closed).catch(() => destroy(this.connection));
  }

  #asked(question: () => Promise<unknown>): Promise<void> {
    return this.#withDeadline((done) => {
      question().then(
        () => done(),
        (error: unknown) => done(notOpened(error)),
      );
    });
  }

  #closeWhenRetired(): void {
    if (this.#retired && this.#inFlight.size === 0) void this.close();
  }

  #withDeadline(start: (done: (failure?: NotPublished) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (failure?: NotPublished): void => {
        if (!this.#inFlight.delete(done)) return;
        clearTimeout(timer);
        this.#usedAt = Date.now();
        if (failure) reject(failure);
        else resolve();
        this.#closeWhenRetired();
      };
      const timer = setTimeout(() => {
        const failure = new NotPublished('timeout', `no confirm within ${CONFIRM_TIMEOUT_MS / 1_000} s`);
        done(failure);
        this.discard(failure);
      }, CONFIRM_TIMEOUT_MS);
      this.#inFlight.add(done);
      try {
        start(done);
      } catch (error) {
        // amqplib throws where the channel has just closed.
        done(new NotPublished('unreachable', 'the connection was lost', error));
      }
    });
  }
}

/** What the broker answers to one question. Rejects with NotPublished, also when it stays silent. */
export async function answered<T>(question: Promise<T>): Promise<T> {
  return within(CONFIRM_TIMEOUT_MS, question).catch((error: unknown) => {
    throw notOpened(error);
  });
}

async function openLink(config: Config, heartbeatS: number, forget: () => void): Promise<Link> {
  const { connection, channel } = await openChannel(config, heartbeatS);
  return new Link(connection, channel, forget);
}

async function openChannel(
  config: Config,
  heartbeatS: number,
): Promise<{ connection: ChannelModel; channel: ConfirmChannel }> {
  const url = new URL(config.rabbitmqUrl);
  url.searchParams.set('heartbeat', String(heartbeatS));
  const connection = await connect(url.href, { noDelay: true, keepAlive: true, timeout: CONNECT_TIMEOUT_MS });
  // Without a listener an error event ends the process; the promises below reject all the same.
  connection.on('error', () => {});
  try {
    return { connection, channel: await within(OPEN_TIMEOUT_MS, declared(connection, config)) };
  } catch (error) {
    destroy(connection);
    throw error;
  }
}

async function declared(connection: ChannelModel, config: Config): Promise<ConfirmChannel> {
  const channel = await connection.createConfirmChannel();
  channel.on('error', () => {});
  await declareTopology(channel, config.queuePrefix, config.queuePartitions);
  return channel;
}

function notOpened(error: unknown): NotPublished {
  const refused = refusal(error);
  if (refused) return new NotPublished('refused', refused, error);
  return new NotPublished('unreachable', error instanceof Error ? error.message : String(error), error);
}

/** The channel first: the close of its connection may overtake an acknowledgement. */
async function closeInOrder(connection: ChannelModel, channel: ConfirmChannel): Promise<void> {
  await channel.close();
  await connection.close();
}

/** Ends the socket without asking the broker, which may be the one that does not answer. */
function destroy(connection: ChannelModel): void {
  (connection.connection as unknown as { stream?: Socket }).stream?.destroy();
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms / 1_000} s`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
