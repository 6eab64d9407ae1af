import { type Topology, topology } from '@disparo/contract';
import type { Channel, ChannelModel, ConfirmChannel, ConsumeMessage } from 'amqplib';
import type { Logger } from 'pino';
import type { Config } from './config.js';
import { closeBroker, connectBroker } from './connect.js';
import { DeadLetters } from './dead-letters.js';
import type { Stop } from './drain.js';
import { type Batch, Waiting } from './gather.js';
import { Standby } from './standby.js';
import { declare } from './topology.js';
import { Interrupted, inTurn } from './until-up.js';

/** One partition on one channel: where its batches come from and where they are settled. */
export interface Queue {
  name: string;
  session: Session;
  /** Whether another consumer has it. */
  standby: Standby;
  /** Deliveries that wait, unacknowledged, for their dead letter. The prefetch bounds them. */
  held: number;
  gather(): Promise<Batch | 'over'>;
  /** Acknowledges this message, or all up to it on the channel. */
  acknowledge(message: ConsumeMessage, multiple: boolean): void;
}

/**
 * Two connections to the broker with all that hangs on them: one that receives and acknowledges, one for dead letters.
 * Whatever breaks of it ends the whole of it.
 */
export class Session {
  readonly names: Topology;
  readonly #gone = new AbortController();
  /** Fires when a batch at hand is to be dropped: the session is gone, or working is over. */
  readonly interrupted: AbortSignal;
  /** Fires when no further batch is to be gathered. */
  readonly #over: AbortSignal;
  readonly #channels: Channel[] = [];
  /** What waits for dead letters. */
  readonly #holding = new Set<Promise<void>>();
  #closing = false;
  /** Acknowledgements sent here. */
  settled = 0;

  readonly deadLetters: DeadLetters;

  private constructor(
    private readonly connection: ChannelModel,
    private readonly publishing: ChannelModel,
    letters: ConfirmChannel,
    private readonly config: Config,
    private readonly stop: Stop,
    log: Logger,
    private readonly onGone: (error: unknown) => void,
  ) {
    this.names = topology(config.queuePrefix, config.queuePartitions);
    this.interrupted = AbortSignal.any([stop.working, this.#gone.signal]);
    this.#over = AbortSignal.any([stop.receiving, this.#gone.signal]);
    this.deadLetters = new DeadLetters(letters, this.names, this.interrupted, log);
    for (const one of [connection, publishing]) this.#watch(one, 'connection closed');
    this.#watch(letters, 'channel closed');
  }

  /** Connects and declares. Throws what the broker refuses. */
  static async open(config: Config, stop: Stop, log: Logger, onGone: (error: unknown) => void): Promise<Session> {
    const opened: ChannelModel[] = [];
    const connect = async () => {
      const connection = await connectBroker(config.rabbitmqUrl);
      opened.push(connection);
      return connection;
    };
    try {
      const connection = await connect();
      await declare(connection, config);
      const publishing = await connect();
      const channel = await publishing.createConfirmChannel();
      return new Session(connection, publishing, channel, config, stop, log, onGone);
    } catch (error) {
      await Promise.all(opened.map((connection) => closeBroker(connection)));
      throw error;
    }
  }

  /** What is not settled yet, and nobody waits for before the end. Interrupted is no failure of it. */
  hold(letters: Promise<void>): void {
    const held = letters
      .catch((error: unknown) => {
        if (!(error instanceof Interrupted)) throw error;
      })
      .finally(() => this.#holding.delete(held));
    this.#holding.add(held);
  }

  /** Waits until nothing is held any more, or the session is interrupted. Never throws. */
  async released(): Promise<void> {
    await inTurn(
      this.interrupted,
      Promise.all(this.#holding).then(() => {}),
    ).catch(() => {});
  }

  /** Begins to receive from a partition. */
  async subscribe(partition: number): Promise<Queue> {
    const name = this.names.queue(partition);
    const channel = await this.connection.createChannel();
    this.#channels.push(channel);
    this.#watch(channel, 'channel closed');
    await channel.prefetch(this.config.prefetchEach);
    const waiting = new Waiting(this.config.prefetchEach, this.#over);
    const standby = new Standby();
    const { consumerTag } = await channel.consume(name, (message) => {
      // Null: the broker cancelled the consumer, as when somebody deletes the queue.
      if (!message) return this.end(new Error('the broker cancelled the consumer'));
      standby.end();
      waiting.push(message);
    });
    this.#cancelOnDrain(channel, consumerTag);
    const consumers = async () => (await channel.checkQueue(name)).consumerCount;
    if ((await consumers()) === 1) standby.end();
    void standby.watch(consumers, this.#over);
    return {
      name,
      session: this,
      standby,
      held: 0,
      gather: () => waiting.gather(),
      acknowledge: (message, multiple) => channel.ack(message, multiple),
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
    await Promise.all([closeBroker(this.connection, this.#channels), closeBroker(this.publishing)]);
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
