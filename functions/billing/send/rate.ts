const MINUTE_MS = 60_000;

/** At most so many mails begun in any 60 s of this process. */
export class MailRate {
  /** When those of the last minute were begun, the oldest first. */
  readonly #begun: number[] = [];

  /** @param perMinute Undefined: no limit. */
  constructor(
    private readonly perMinute: number | undefined,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** How many may begin now. */
  get free(): number {
    if (this.perMinute === undefined) return Number.POSITIVE_INFINITY;
    const now = this.now();
    while (this.#begun[0] !== undefined && now - this.#begun[0] >= MINUTE_MS) this.#begun.shift();
    return this.perMinute - this.#begun.length;
  }

  /** Until one may begin. */
  get waitMs(): number {
    const [oldest] = this.#begun;
    return this.free > 0 || oldest === undefined ? 0 : oldest + MINUTE_MS - this.now();
  }

  /** So many are begun now. */
  took(count: number): void {
    if (this.perMinute === undefined) return;
    const now = this.now();
    for (let each = 0; each < count; each += 1) this.#begun.push(now);
  }
}
