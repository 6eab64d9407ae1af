import { ContactsBusy } from '../contacts.errors.js';

const TICK_MS = 100;
/** So many ticks in a row without a place that became free: the store stands still. */
const TICKS = 50;
const RETRY_AFTER_S = 1;

/**
 * Places for callers. One too many stands in line. The line is refused when no place has become free for five seconds.
 * While places do become free it is served in order, since Node may read ten thousand requests in one turn of its loop: then
 * nothing is slow but the reading, and nobody has to be sent away.
 */
export class Places {
  readonly #line: { go(): void; refuse(): void }[] = [];
  #taken = 0;
  #ticks = 0;
  #clock: NodeJS.Timeout | undefined;

  /** @param line How many may stand in line; one more is refused at once. */
  constructor(
    private readonly places: number,
    private readonly line: number,
  ) {}

  /** How many have a place, or stand in line for one. */
  get callers(): number {
    return this.#taken + this.#line.length;
  }

  /** Resolves when the caller has a place, which it must give back. Throws ContactsBusy. */
  async take(): Promise<void> {
    if (this.#taken < this.places) {
      this.#taken += 1;
      return;
    }
    if (this.#line.length >= this.line) throw new ContactsBusy(RETRY_AFTER_S);
    await new Promise<void>((go, reject) => {
      this.#line.push({ go, refuse: () => reject(new ContactsBusy(RETRY_AFTER_S)) });
      // Ticks, not one long timer: while the loop is busy with reading, no place can become free, and that counts once.
      this.#clock ??= setInterval(() => this.#tick(), TICK_MS);
    });
  }

  /** Gives a place to the first in line. */
  free(): void {
    this.#ticks = 0;
    const next = this.#line.shift();
    if (next) next.go();
    else this.#taken -= 1;
    if (this.#line.length === 0) this.#stop();
  }

  #tick(): void {
    this.#ticks += 1;
    if (this.#ticks < TICKS) return;
    for (const { refuse } of this.#line.splice(0)) refuse();
    this.#stop();
  }

  #stop(): void {
    clearInterval(this.#clock);
    this.#clock = undefined;
    this.#ticks = 0;
  }
}
