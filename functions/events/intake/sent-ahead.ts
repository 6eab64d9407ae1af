import type { Channel, ConsumeMessage } from 'amqplib';

/** Bytes that RabbitMQ sends ahead at most, as long as messages are alike. */
const AHEAD_BYTES = 64 * 1_024 * 1_024;
/** How many it sends ahead at first, and as long as large ones come: two batches of the largest events. */
const FEW = 32;

/**
 * What RabbitMQ sends ahead of its acknowledgement. It knows a bound by count alone, and a foreign producer may publish a
 * hundred MiB. So a few come first; the rest of the prefetch follows when so many came in a row of which a whole prefetch
 * fits into AHEAD_BYTES; the first larger one stops the rest. A process that was killed for want of memory gets the same
 * messages again: it begins with a few.
 */
export class SentAhead {
  #state: 'few' | 'all' | 'ending the rest' | 'over' = 'few';
  /** How many came in a row that were not large. */
  #small = 0;
  #unacknowledged = 0;
  readonly #few: number;
  readonly #rest: number;
  readonly #large: number;

  constructor(
    private readonly channel: Channel,
    private readonly queue: string,
    prefetch: number,
    private readonly take: (message: ConsumeMessage | null) => void,
  ) {
    this.#few = Math.min(prefetch, FEW);
    this.#rest = prefetch - this.#few;
    this.#large = AHEAD_BYTES / prefetch;
  }

  /** Begins. Rejects with what the broker refuses. */
  begin(): Promise<unknown> {
    return this.#consume('few', this.#few);
  }

  /** So many were acknowledged. */
  acknowledged(count: number): void {
    this.#unacknowledged -= count;
  }

  /** Nothing more is to come. */
  end(): void {
    void this.#cancel('few');
    if (this.#state === 'all') void this.#cancel('rest');
    this.#state = 'over';
  }

  /** Both are sent at once: a cancel that follows cannot overtake them. */
  #consume(consumerTag: string, count: number): Promise<unknown> {
    const hear = (message: ConsumeMessage | null) => {
      if (message) this.#came(message.content.length);
      this.take(message);
    };
    return Promise.all([this.channel.prefetch(count), this.channel.consume(this.queue, hear, { consumerTag })]);
  }

  #came(bytes: number): void {
    this.#unacknowledged += 1;
    const isLarge = bytes > this.#large;
    this.#small = isLarge ? 0 : this.#small + 1;
    if (this.#rest === 0) return;
    if (this.#state === 'all' && isLarge) void this.#endRest();
    // guard: a consumer that is cancelled leaves what it has, and each new one gets as much again
    const mayWiden = this.#state === 'few' && this.#unacknowledged <= this.#few;
    if (!mayWiden || this.#small < this.#few) return;
    this.#state = 'all';
    // The channel fails with what the broker refuses, and says so itself.
    void this.#consume('rest', this.#rest).catch(() => {});
  }

  /** All that the rest still brings comes before the broker says that it has ended. */
  async #endRest(): Promise<void> {
    this.#state = 'ending the rest';
    await this.#cancel('rest');
    if (this.#state === 'ending the rest') this.#state = 'few';
  }

  async #cancel(consumerTag: string): Promise<void> {
    await this.channel.cancel(consumerTag).catch(() => {});
  }
}
