import { randomUUID } from 'node:crypto';
import type { Topology } from '@disparo/contract';
import type { Channel, ChannelModel, ConfirmChannel, Options } from 'amqplib';
import type { Config } from '../config.js';
import {
  ANSWER_TIMEOUT_MS,
  closeConnection,
  destroy,
  NotPublished,
  notPublished,
  openChannel,
  withAnswerTimeout,
} from './rabbitmq-channel.js';

const NOT_FOUND = 404;

/** An outgoing message. Its `messageId` identifies it when the broker returns it. */
export interface OutgoingMessage {
  content: Buffer;
  properties: Options.Publish;
}

/** What waits in the queues of the broker. */
export interface Queues {
  /** Indexed by the number of the partition. */
  partitions: { queue: string; ready: number; consumers: number }[];
  deadLetters: { queue: string; ready: number };
}

/** Opens a link to the broker. It calls `forget` when it must not be used again. Rejects with NotPublished. */
export async function openLink(config: Config, heartbeatS: number, forget: () => void): Promise<Link> {
  const { connection, channel } = await openChannel(config, heartbeatS);
  return new Link(connection, channel, forget);
}

/** One connection with its confirm channel, from opening to its first failure; never used again after that. */
export class Link {
  readonly #inFlight = new Set<(failure: NotPublished) => void>();
  /** Returned messages whose confirm is still to come: the broker sends the return first. */
  readonly #returned = new Map<string, string>();
  #usedAt = Date.now();
  #retired = false;
  #ended = false;

  constructor(
    private readonly connection: ChannelModel,
    private readonly channel: ConfirmChannel,
    /** Called when the link must not be used again, perhaps more than once. */
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

  /** Milliseconds since the last use; zero while something is in flight. */
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
    return this.#roundTrip(() => this.channel.checkExchange(exchange));
  }

  async ready(queue: string): Promise<number> {
    let count = 0;
    await this.#roundTrip(async () => {
      count = (await this.channel.checkQueue(queue)).messageCount;
    });
    return count;
  }

  queues({ partitions, queue, deadLetterQueue }: Topology): Promise<Queues> {
    return this.#onOwnChannel(async (channel) => {
      const counts = async (name: string) => {
        const { messageCount, consumerCount } = await withAnswerTimeout(channel.checkQueue(name));
        return { queue: name, ready: messageCount, consumers: consumerCount };
      };
      const names = Array.from({ length: partitions }, (_, partition) => queue(partition));
      const { queue: dead, ready } = await counts(deadLetterQueue);
      return { partitions: await Promise.all(names.map(counts)), deadLetters: { queue: dead, ready } };
    });
  }

  /** Undefined: there is no such queue. */
  async readyIn(queue: string): Promise<number | undefined> {
    try {
      return await this.#onOwnChannel(
        async (channel) => (await withAnswerTimeout(channel.checkQueue(queue))).messageCount,
      );
    } catch (error) {
      if (error instanceof NotPublished && (error.cause as { code?: unknown })?.code === NOT_FOUND) return undefined;
      throw error;
    }
  }

  /** Asking for a queue that is not there closes the channel, which must not be the one that publishes. */
  async #onOwnChannel<T>(work: (channel: Channel) => Promise<T>): Promise<T> {
    const channel = await withAnswerTimeout(this.connection.createChannel());
    channel.on('error', () => {});
    try {
      return await work(channel);
    } finally {
      // The channel is closed already where a queue is missing or the connection is lost.
      await withAnswerTimeout(channel.close()).catch(() => {});
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
    await closeConnection(this.connection);
  }

  #roundTrip(question: () => Promise<unknown>): Promise<void> {
    return this.#withDeadline((done) => {
      question().then(
        () => done(),
        (error: unknown) => done(notPublished(error)),
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
        const failure = new NotPublished('timeout', `no confirm within ${ANSWER_TIMEOUT_MS / 1_000} s`);
        done(failure);
        this.discard(failure);
      }, ANSWER_TIMEOUT_MS);
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
