import { type Delivery, MAX_BATCH_BYTES } from './event-source.js';

/** What a source has received and nobody has taken yet, in its order. */
export class Inbox<D extends Delivery> {
  readonly #deliveries: D[] = [];
  /** Bytes of the bodies that are in it. */
  bytes = 0;
  /** Bytes of the largest body that ever came. */
  largest = 0;

  get length(): number {
    return this.#deliveries.length;
  }

  put(delivery: D): void {
    this.#deliveries.push(delivery);
    this.bytes += delivery.body.length;
    this.largest = Math.max(this.largest, delivery.body.length);
  }

  /** Takes the first ones: at most so many, and at most MAX_BATCH_BYTES, unless the first alone has more. */
  takeBatch(most: number): D[] {
    let [count, bytes] = [0, 0];
    for (const { body } of this.#deliveries) {
      if (count === most || (count > 0 && bytes + body.length > MAX_BATCH_BYTES)) break;
      count += 1;
      bytes += body.length;
    }
    return this.#take(count);
  }

  takeAll(): D[] {
    return this.#take(this.#deliveries.length);
  }

  #take(count: number): D[] {
    const taken = this.#deliveries.splice(0, count);
    for (const { body } of taken) this.bytes -= body.length;
    return taken;
  }
}
