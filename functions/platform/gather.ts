import { setImmediate as nextTurn } from 'node:timers/promises';
import { Deadline } from './deadline.js';

/** How large a group may be, and how many may be on their way at a time. */
interface Limits {
  items: number;
  /** Of the sizes that callers give. An item that is larger goes alone. */
  bytes: number;
  inFlight: number;
}

interface Caller<Item, Result> {
  item: Item;
  bytes: number;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/**
 * Makes groups of callers, so that one statement serves many. A group leaves at the next turn of the event loop when fewer
 * than `inFlight` are on their way, else as soon as one of them is back. There is no timer: under load the next group forms
 * meanwhile, and a caller alone waits for nobody. Knows nothing of what is gathered.
 */
export class Gather<Item, Result> {
  readonly #waiting: Caller<Item, Result>[] = [];
  #inFlight = 0;
  #leaving = false;

  /**
   * @param flush Returns a result for each item, in their order. When it rejects, so does each caller of its group. It runs
   * under no deadline: a group is of many callers, and the time of one of them must not end it.
   * @param endsAll Whether callers of the next groups would meet the same error. They are rejected with it, too, so that
   * nobody waits for one failure after another.
   */
  constructor(
    private readonly limits: Limits,
    private readonly flush: (items: Item[]) => Promise<readonly Result[]>,
    private readonly endsAll: (error: unknown) => boolean = () => false,
  ) {}

  /** Resolves with the result of this item. */
  add(item: Item, bytes = 0): Promise<Result> {
    return new Promise((resolve, reject) => {
      // guard: each caller keeps its own resolver, so none is forgotten
      this.#waiting.push({ item, bytes, resolve, reject });
      void this.#leaveSoon();
    });
  }

  /** Lets groups go while there are callers, and places for groups. */
  async #leaveSoon(): Promise<void> {
    if (this.#leaving) return;
    this.#leaving = true;
    await nextTurn();
    while (this.#inFlight < this.limits.inFlight && this.#waiting.length > 0) void this.#send(this.#nextGroup());
    this.#leaving = false;
  }

  #nextGroup(): Caller<Item, Result>[] {
    let size = 0;
    let bytes = 0;
    for (const caller of this.#waiting) {
      bytes += caller.bytes;
      if (size === this.limits.items || (size > 0 && bytes > this.limits.bytes)) break;
      size += 1;
    }
    return this.#waiting.splice(0, size);
  }

  async #send(group: Caller<Item, Result>[]): Promise<void> {
    this.#inFlight += 1;
    try {
      const results = await Deadline.without(() => this.flush(group.map(({ item }) => item)));
      for (const [at, { resolve }] of group.entries()) resolve(results[at] as Result);
    } catch (error) {
      const all = this.endsAll(error) ? [...group, ...this.#waiting.splice(0)] : group;
      for (const { reject } of all) reject(error);
    } finally {
      this.#inFlight -= 1;
      if (this.#waiting.length > 0) void this.#leaveSoon();
    }
  }
}
