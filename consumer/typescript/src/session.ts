import { Interrupted, type Service, type Topology, topology, unlessInterrupted } from '@disparo/contract';
import type { Channel, ChannelModel, ConfirmChannel } from 'amqplib';
import type { Logger } from 'pino';
import type { Config } from './config.js';
import { closeBroker, connectBroker } from './connect.js';
import { DeadLetters } from './dead-letters.js';
import type { Delivery } from './decode.js';
import type { Stop } from './drain.js';
import { type Batch, Inbox } from './gather.js';
import { Standby } from './standby.js';
import { declare } from './topology.js';

/** One partition on one channel: where its batches come from and where they are settled. */
export class Queue {
  /** Deliveries that wait, unacknowledged, for their dead letter. The prefetch bounds them. */
  held = 0;

  constructor(
    readonly name: string,
    readonly session: Session,
    private readonly channel: Channel,
    private readonly inbox: Inbox,
    /** Whether another consumer has it. */
    readonly standby: Standby,
  ) {}

  /** Step 1. */
  gather(): Promise<Batch | 'over'> {
    return this.inbox.gather();
  }

  /**
   * Acknowledges a delivery, or all up to it on the channel. The broker does not confirm an acknowledgement: if it is lost,
   * the message is delivered again and step 3 finds it stored. Throws Interrupted when the session is gone.
   */
  acknowledge({ message }: Delivery, multiple: boolean): void {
    const { session } = this;
    if (session.interrupted.aborted) throw new Interrupted();
    try {
      this.channel.ack(message, multiple);
    } catch (error) {
      if (error instanceof TypeError) throw error;
      session.end(error);
      throw new Interrupted();
    }
    session.acknowledgements++;
  }
}

/**
 * Two connections to the broker with everything on them: one receives and acknowledges, one is for dead letters. When any
 * part of it breaks, the whole session ends.
 */
export class Session {
  readonly #names: Topology;
  readonly #gone = new AbortController();
  /** Fires when the current batches are to be dropped: the session is gone, or working is over. */
  readonly interrupted: AbortSignal;
  /** Fires when no further batch is to be gathered. */
  readonly #over: AbortSignal;
  /** The channels of its queues. */
  readonly #channels: Channel[] = [];
  /** What waits for dead letters. */
  readonly #holding = new Set<Promise<void>>();
  #closing = false;
  /** How many acknowledgements this session has sent. */
  acknowledgements = 0;
  readonly deadLetters: DeadLetters;

  private constructor(
    private readonly receiving: ChannelModel,
    private readonly publishing: ChannelModel,
    confirming: ConfirmChannel,
    config: Config,
    private readonly stop: Stop,
    private readonly service: Service,
    log: Logger,
  ) {
    this.#names = topology(config.queuePrefix, config.queuePartitions);
    this.interrupted = AbortSignal.any([stop.working, this.#gone.signal]);
    this.#over = AbortSignal.any([stop.receiving, this.#gone.signal]);
    this.deadLetters = new DeadLetters(confirming, this.#names, this.interrupted, log);
    for (const connection of [receiving, publishing]) this.#watch(connection, 'connection closed');
    this.#watch(confirming, 'channel closed');
  }

  /** Connects and declares. Throws what the broker refuses. */
  static async open(config: Config, stop: Stop, service: Service, log: Logger): Promise<Session> {
    const opened: ChannelModel[] = [];
    const connect = async () => {
      const connection = await connectBroker(config.rabbitmqUrl);
      opened.push(connection);
      return connection;
    };
    try {
      const receiving = await connect();
      await declare(receiving, config);
      const publishing = await connect();
      const confirming = await publishing.createConfirmChannel();
      return new Session(receiving, publishing, confirming, config, stop, service, log);
    } catch (error) {
      await Promise.all(opened.map((connection) => closeBroker(connection)));
      throw error;
    }
  }

  /** Begins to receive from a partition. */
  async subscribe(partition: number, prefetch: number): Promise<Queue> {
    const name = this.#names.queue(partition);
    const channel = await this.receiving.createChannel();
    this.#channels.push(channel);
    this.#watch(channel, 'channel closed');
    await channel.prefetch(prefetch);
    const inbox = new Inbox(prefetch, this.#over);
    const standby = new Standby();
    const { consumerTag } = await channel.consume(name, (message) => {
      // Null: the broker cancelled the consumer, as when somebody deletes the queue.
      if (!message) return this.end(new Error('the broker cancelled the consumer'));
      standby.end();
      inbox.push(message);
    });
    this.#cancelOnDrain(channel, consumerTag);
    const consumers = async () => (await channel.checkQueue(name)).consumerCount;
    if ((await consumers()) === 1) standby.end();
    void standby.watch(consumers, this.#over);
    return new Queue(name, this, channel, inbox, standby);
  }

  /**
   * Runs work that is not settled yet; only the end of the session waits for it. Interrupted does not count as a failure.
   */
  hold(work: () => Promise<void>): void {
    const held = work()
      .catch((error: unknown) => {
        if (!(error instanceof Interrupted)) throw error;
      })
      .finally(() => this.#holding.delete(held));
    this.#holding.add(held);
  }

  /** Waits until nothing is held any more, or the session is interrupted. Never throws. */
  async awaitHeld(): Promise<void> {
    const nothingHeld = Promise.all(this.#holding).then(() => {});
    await unlessInterrupted(this.interrupted, nothingHeld).catch(() => {});
  }

  /** Ends the session: the current batches are dropped. Only the first reason counts. */
  end(error: unknown): void {
    if (this.#closing || this.#gone.signal.aborted) return;
    this.service.lost(error);
    this.#gone.abort();
  }

  /** Closes what is left of it; what was fetched and not acknowledged goes back to the queue. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all([closeBroker(this.receiving, this.#channels), closeBroker(this.publishing)]);
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
