import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted } from '@disparo/contract';
import type { Channel, ConsumeMessage } from 'amqplib';
import type { BatchLimits, Delivery, EventSource } from './event-source.js';
import { Inbox } from './inbox.js';
import { SentAhead } from './sent-ahead.js';

const PRINTABLE = /^[\x20-\x7e]+$/;

/** A message of RabbitMQ; `tag` acknowledges it, on the channel that it came on. */
export interface RabbitmqDelivery extends Delivery {
  readonly message: ConsumeMessage;
}

/** The queue of events on one channel of RabbitMQ. It closes with its channel, and what is not acknowledged goes back. */
export class RabbitmqSource implements EventSource<RabbitmqDelivery> {
  readonly #inbox = new Inbox<RabbitmqDelivery>();
  readonly #ahead: SentAhead;
  /** Batches that were received and not acknowledged, in the order of the channel. */
  #batches: { deliveries: readonly RabbitmqDelivery[]; isDone: boolean }[] = [];
  #receiving: Promise<unknown> = Promise.resolve();
  #wake: () => void = () => {};
  readonly #gone = new AbortController();

  private constructor(
    readonly queue: string,
    private readonly channel: Channel,
    prefetch: number,
    private readonly stop: AbortSignal,
  ) {
    this.#ahead = new SentAhead(channel, queue, prefetch, (message) => this.#came(message));
    this.lost.addEventListener('abort', () => this.#wake(), { once: true });
    // `stop` lives as long as the process, a lost session does not.
    stop.addEventListener('abort', () => this.#wake(), { signal: this.lost });
    channel.on('error', (error: unknown) => this.#gone.abort(error));
    channel.on('close', () => this.#gone.abort(new Error('the channel was closed')));
  }

  /** Begins to receive. Rejects with what the broker refuses. */
  static async open(channel: Channel, queue: string, prefetch: number, stop: AbortSignal): Promise<RabbitmqSource> {
    const source = new RabbitmqSource(queue, channel, prefetch, stop);
    await source.#ahead.begin();
    const end = () => source.#ahead.end();
    if (stop.aborted) end();
    else stop.addEventListener('abort', end, { signal: source.lost });
    return source;
  }

  get lost(): AbortSignal {
    return this.#gone.signal;
  }

  receive(limits: BatchLimits): Promise<RabbitmqDelivery[]> {
    // One after another: a batch is the first of what is there.
    const received = this.#receiving.then(() => this.#receiveNext(limits));
    this.#receiving = received.catch(() => {});
    return received;
  }

  async #receiveNext({ deliveries: most, lingerMs }: BatchLimits): Promise<RabbitmqDelivery[]> {
    while (this.#inbox.length === 0 && !this.#isOver())
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    if (!this.#isOver() && this.#inbox.length < most) await sleep(lingerMs);
    if (this.lost.aborted) throw new Interrupted();
    if (this.stop.aborted) return [];
    const deliveries = this.#inbox.takeBatch(most);
    this.#batches.push({ deliveries, isDone: false });
    return deliveries;
  }

  /**
   * guard: an acknowledgement takes all before it on the channel with it, so a batch waits for those before it. One
   * acknowledgement for all that are done.
   */
  async done(deliveries: readonly RabbitmqDelivery[]): Promise<void> {
    if (this.lost.aborted) throw new Interrupted();
    for (const batch of this.#batches) if (batch.deliveries === deliveries) batch.isDone = true;
    const open = this.#batches.findIndex(({ isDone }) => !isDone);
    const settled = this.#batches.splice(0, open < 0 ? this.#batches.length : open);
    const last = settled.at(-1)?.deliveries.at(-1);
    if (last === undefined) return;
    try {
      this.channel.ack(last.message, true);
      this.#ahead.acknowledged(settled.reduce((sum, { deliveries }) => sum + deliveries.length, 0));
    } catch (error) {
      this.#gone.abort(error);
      throw new Interrupted();
    }
  }

  /** Nothing to do: the channel closes, and with it they go back to their place in the queue. */
  async release(): Promise<void> {}

  #came(message: ConsumeMessage | null): void {
    // Null: the broker cancelled the consumer, as when somebody deletes the queue.
    if (!message) this.#gone.abort(new Error('the broker cancelled the consumer'));
    else this.#inbox.put({ body: message.content, key: keyOf(message), message });
    this.#wake();
  }

  #isOver(): boolean {
    return this.stop.aborted || this.lost.aborted;
  }
}

/** The same for a message that is delivered again. Without an id of the producer, two equal bodies of one second are one. */
function keyOf({ content, properties }: ConsumeMessage): string {
  const { messageId, timestamp } = properties as { messageId?: unknown; timestamp?: unknown };
  const id = typeof messageId === 'string' ? messageId : '';
  if (PRINTABLE.test(id)) return `b:${id}`;
  // An id that PostgreSQL may not hold still tells messages apart.
  const hash = createHash('sha256')
    .update(content)
    .update(`\n${String(timestamp ?? '')}\n${id}`);
  return `h:${hash.digest('hex')}`;
}
