import { backoffMs, Interrupted, pause, QUESTION, type Topology } from '@disparo/contract';
import type { ConfirmChannel, Options } from 'amqplib';
import type { Logger } from 'pino';
import type { DeadReason, Delivery } from './decode.js';

/** After this long without a confirm, one warning says that dead letters wait. */
const SLOW_CONFIRM_MS = 10_000;

/** A delivery that becomes a dead letter, and why. */
export interface DeadLetter extends DeadReason {
  delivery: Delivery;
}

/**
 * The way to the dead-letter exchange, on a connection of its own: a broker in an alarm blocks a connection that publishes,
 * and nothing could be acknowledged on it any more.
 *
 * A dead letter goes out only after the broker has confirmed a question that no queue gets. In an alarm the question waits
 * in the socket, not the dead letter. So a process that ends meanwhile leaves no copy of a message that is delivered again.
 */
export class DeadLetters {
  #answer: Promise<boolean> | undefined;
  #loggedWaiting = false;

  constructor(
    private readonly channel: ConfirmChannel,
    private readonly names: Topology,
    /** Fires when the session is gone: nothing more is published, as the messages are delivered again. */
    private readonly interrupted: AbortSignal,
    private readonly log: Logger,
  ) {}

  /** Resolves when the broker has it, however long that takes. Throws Interrupted when the session is gone before. */
  async publish(deadLetter: DeadLetter, sourceQueue: string): Promise<void> {
    const slow = setTimeout(() => this.#logWaiting(), SLOW_CONFIRM_MS);
    try {
      for (let failures = 1; !(await this.#publishOnce(deadLetter, sourceQueue)); failures++)
        await pause(this.interrupted, backoffMs(failures));
      this.#logAccepted();
    } finally {
      clearTimeout(slow);
    }
  }

  /**
   * False when the broker refused it or its question, as it does when a queue is full: it is not there, and is published
   * again.
   */
  async #publishOnce(deadLetter: DeadLetter, sourceQueue: string): Promise<boolean> {
    if (this.interrupted.aborted) throw new Interrupted();
    this.#answer ??= this.#ask();
    const taken = await this.#answer;
    if (this.interrupted.aborted) throw new Interrupted();
    return taken && this.#send(deadLetter, sourceQueue);
  }

  async #ask(): Promise<boolean> {
    const taken = await this.#confirmed(this.names.exchange, QUESTION.routingKey, QUESTION.content, {});
    this.#answer = undefined;
    return taken;
  }

  #send({ delivery: { message }, reason, detail }: DeadLetter, sourceQueue: string): Promise<boolean> {
    const added = { reason, detail, source_queue: sourceQueue };
    const send = (options: Options.Publish) =>
      this.#confirmed(this.names.deadLetterExchange, '', message.content, options);
    return send(asItCame(message.properties, added)).catch((error: unknown) => {
      // amqplib cannot write every header that it can read, and the message must not be delivered again for ever.
      if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
      return send({ ...asItCame(message.properties, added), headers: { ...added, headers_dropped: true } });
    });
  }

  #confirmed(exchange: string, key: string, content: Buffer, options: Options.Publish): Promise<boolean> {
    return new Promise((resolve) => {
      this.channel.publish(exchange, key, content, options, (refused) => resolve(!refused));
    });
  }

  #logWaiting(): void {
    if (this.#loggedWaiting || this.interrupted.aborted) return;
    this.#loggedWaiting = true;
    this.log.warn('RabbitMQ does not accept dead letters; they wait, and everything else continues');
  }

  #logAccepted(): void {
    if (this.#loggedWaiting) this.log.info('RabbitMQ accepts dead letters again');
    this.#loggedWaiting = false;
  }
}

/**
 * The properties of the message, persistent. Two are left out, because the broker acts on them: `expiration` would make the
 * dead letter vanish, and another user's `user-id` makes the broker close the channel, batch after batch.
 */
function asItCame(properties: Delivery['message']['properties'], added: Record<string, string>): Options.Publish {
  const {
    expiration: _expiration,
    userId: _userId,
    clusterId: _clusterId,
    deliveryMode: _mode,
    headers,
    ...rest
  } = properties;
  return { ...rest, persistent: true, headers: { ...headers, ...added } };
}
