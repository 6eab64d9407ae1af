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
  /** How many came in a row that were not large. */
  #small = 0;
  #isWide = false;
  #isOver = false;
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

  /** Nothing more is to come. */
  end(): void {
    this.#isOver = true;
    this.#cancel('few');
    if (this.#isWide) this.#cancel('rest');
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
    this.#small = bytes > this.#large ? 0 : this.#small + 1;
    if (this.#rest === 0 || this.#isOver) return;
    // The channel fails with what the broker refuses, and says so itself.
    if (!this.#isWide && this.#small >= this.#few) {
      this.#isWide = true;
      void this.#consume('rest', this.#rest).catch(() => {});
    } else if (this.#isWide && this.#small === 0) {
      this.#isWide = false;
      this.#cancel('rest');
    }
  }

  #cancel(consumerTag: string): void {
    void this.channel.cancel(consumerTag).catch(() => {});
  }
}
