import { declareTopology, type Topology, topology } from '@disparo/contract';
import type { Channel, ChannelModel, ConfirmChannel, ConsumeMessage } from 'amqplib';
import type { Config } from './config.js';
import { connectBroker } from './connect.js';
import type { Stop } from './drain.js';
import { type Batch, Waiting } from './gather.js';

const CLOSE_TIMEOUT_MS = 2_000;

/** One partition on one channel: where its batches come from and where they are settled. */
export interface Queue {
  name: string;
  session: Session;
  gather(): Promise<Batch | undefined>;
  /** Acknowledges this message and all before it on the channel. */
  acknowledgeUpTo(message: ConsumeMessage): void;
}

/** One connection to the broker with all that hangs on it. Whatever breaks of it ends the whole of it. */
export class Session {
  readonly names: Topology;
  readonly #gone = new AbortController();
  /** Fires when a batch at hand is to be dropped: the session is gone, or working is over. */
  readonly interrupted: AbortSignal;
  /** Fires when no further batch is to be gathered. */
  readonly #over: AbortSignal;
  readonly #channels: Channel[];
  #closing = false;
  /** Batches settled here. */
  settled = 0;

  private constructor(
    private readonly connection: ChannelModel,
    readonly deadLetters: ConfirmChannel,
    private readonly config: Config,
    private readonly stop: Stop,
    private readonly onGone: (error: unknown) => void,
  ) {
    this.names = topology(config.queuePrefix, config.queuePartitions);
    this.interrupted = AbortSignal.any([stop.working, this.#gone.signal]);
    this.#over = AbortSignal.any([stop.receiving, this.#gone.signal]);
    this.#channels = [deadLetters];
    this.#watch(connection, 'connection closed');
    this.#watch(deadLetters, 'channel closed');
  }

  /** Connects and declares. Throws what the broker refuses. */
  static async open(config: Config, stop: Stop, onGone: (error: unknown) => void): Promise<Session> {
    const connection = await connectBroker(config.rabbitmqUrl);
    try {
      const declaring = await connection.createChannel();
      // A refused declaration closes the channel with an `error` event beside the rejection that is thrown here.
      declaring.on('error', () => {});
      await declareTopology(declaring, config.queuePrefix, config.queuePartitions);
      await declaring.close();
      return new Session(connection, await connection.createConfirmChannel(), config, stop, onGone);
    } catch (error) {
      await closeQuietly(connection);
      throw error;
    }
  }

  /** Begins to receive from a partition. */
  async subscribe(partition: number): Promise<Queue> {
    const name = this.names.queue(partition);
    const channel = await this.connection.createChannel();
    this.#channels.push(channel);
    this.#watch(channel, 'channel closed');
    await channel.prefetch(this.config.prefetchEach);
    const waiting = new Waiting(this.config.prefetchEach, this.#over);
    const { consumerTag } = await channel.consume(name, (message) => {
      // Null: the broker cancelled the consumer, as when somebody deletes the queue.
      if (message) waiting.push(message);
      else this.end(new Error('the broker cancelled the consumer'));
    });
    this.#cancelOnDrain(channel, consumerTag);
    return {
      name,
      session: this,
      gather: () => waiting.gather(),
      acknowledgeUpTo: (message) => channel.ack(message, true),
    };
  }

  /** The session is over: what is at hand is dropped. Only the first reason counts. */
  end(error: unknown): void {
    if (this.#closing || this.#gone.signal.aborted) return;
    this.onGone(error);
    this.#gone.abort();
  }

  /** Closes what is left of it; what was fetched and not acknowledged goes back to the queue. */
  async close(): Promise<void> {
    this.#closing = true;
    await closeQuietly(this.connection, this.#channels);
  }

  #watch(emitter: ChannelModel | Channel, what: string): void {
    emitter.on('error', (error: unknown) => this.end(error));
    emitter.on('close', (error?: unknown) => this.end(error ?? new Error(what)));
  }

  #cancelOnDrain(channel: Channel, consumerTag: string): void {
    const cancel = () => {
      if (!this.#gone.signal.aborted && !this.#closing) channel.cancel(consumerTag).catch(() => {});
    };
    if (this.stop.receiving.aborted) cancel();
    else this.stop.receiving.addEventListener('abort', cancel, { signal: this.#gone.signal });
  }
}

/** A broker that does not answer must not hold up the next connection, or the end of the process. */
async function closeQuietly(connection: ChannelModel, channels: readonly Channel[] = []): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_TIMEOUT_MS);
  });
  const closing = async () => {
    // Channels first: amqplib may send the close of the connection before the acknowledgement that a channel still holds.
    await Promise.allSettled(channels.map(async (channel) => channel.close()));
    await connection.close();
  };
  await Promise.race([closing().catch(() => {}), late]);
  clearTimeout(timer);
}
