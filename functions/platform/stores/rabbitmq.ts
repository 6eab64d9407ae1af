import { type Topology, topology } from '@disparo/contract';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { ConfirmChannel } from 'amqplib';
import { Config } from '../config.js';
import { Runtime } from '../runtime.js';
import { closeChannel, NotPublished, openChannel } from './rabbitmq-channel.js';
import { type Link, type OutgoingMessage, openLink, type Queues } from './rabbitmq-link.js';

/** A frozen function cannot answer heartbeats; its broker would close the connection at each thaw. */
const HEARTBEAT_S = { function: 0, server: 30 } as const;
/** A function that was idle for this long was probably frozen, and the network to the broker has dropped the connection. */
const FUNCTION_IDLE_MS = 60_000;

/** RabbitMQ: one connection and one confirm channel a process, opened at the first use and again after each loss. */
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

  /** As `ready`, of any queue; undefined: it is not there. Rejects with NotPublished. */
  async readyIn(queue: string): Promise<number | undefined> {
    const link = await this.#open();
    return link.readyIn(queue);
  }

  /** What waits, queue by queue. Rejects with NotPublished, also for a queue that is not there. */
  async queues(): Promise<Queues> {
    const link = await this.#open();
    return link.queues(this.#topology);
  }

  /**
   * Runs `work` on a connection of its own, which is closed after it, even when it fails. What is not acknowledged then goes
   * back to its place in the queue. Rejects with NotPublished when the connection cannot be opened.
   */
  async onOwnConnection<T>(work: (channel: ConfirmChannel, names: Topology) => Promise<T>): Promise<T> {
    const open = await openChannel(this.config, HEARTBEAT_S.server);
    try {
      return await work(open.channel, this.#topology);
    } finally {
      await closeChannel(open);
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
      throw error;
    });
    return opening;
  }
}
