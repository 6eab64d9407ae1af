const BLOCK = 1_000;

/**
 * Ids of batches, of which the store gives out a thousand at a time. So an id is known before its insert, and an insert whose
 * answer was lost can be sent again with the SAME id. Those left over when the process ends are a gap.
 */
export class BatchIds {
  #next = 0n;
  #left = 0;
  #following: Promise<bigint> | undefined;

  constructor(private readonly nextBlock: () => Promise<bigint>) {}

  /** An id that no one else has. Rejects when the store gives no block. */
  async next(): Promise<bigint> {
    while (this.#left === 0) {
      const asked = this.#ask();
      const block = await asked;
      // guard: another caller has begun this block meanwhile, or it was dropped: begun twice, it would give out an id twice
      if (this.#following !== asked) continue;
      this.#following = undefined;
      this.#next = block;
      this.#left = BLOCK;
    }
    const id = this.#next;
    this.#next += 1n;
    this.#left -= 1;
    // Half of the block is left, while the next one is asked for: nobody waits.
    if (this.#left <= BLOCK / 2 && !this.#following) void this.#ask().catch(() => undefined);
    return id;
  }

  /** Forgets what is left: after an outage the store may be another one, which gives out these ids again. */
  drop(): void {
    this.#left = 0;
    this.#following = undefined;
  }

  #ask(): Promise<bigint> {
    this.#following ??= this.nextBlock().catch((error: unknown) => {
      this.#following = undefined;
      throw error;
    });
    return this.#following;
  }
}
