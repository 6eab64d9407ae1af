import { LRUCache } from 'lru-cache';

/** How long what was read is kept, from when it was asked for. */
export const KEEP_MS = 10_000;
/** Those that were not asked for the longest go first. */
const MOST = 10_000;

interface Kept<Found> {
  askedAt: number;
  found: Promise<Found>;
}

/** Keeps what `read` found for ten seconds. Callers of one name who come meanwhile share one read. */
export class BriefMemory<Found> {
  readonly #kept: LRUCache<string, Kept<Found>>;

  /**
   * @param now The time by the clock on the wall, in milliseconds: the other clock may stand still while a function is
   * frozen, and what was read before would count as young.
   */
  constructor(
    private readonly read: (name: string) => Promise<Found>,
    private readonly now: () => number = Date.now,
    most = MOST,
  ) {
    this.#kept = new LRUCache({ max: most });
  }

  /** Rejects as `read` does. */
  get(name: string): Promise<Found> {
    const last = this.#kept.get(name);
    if (last && this.#isYoung(last)) return last.found;
    const next = { askedAt: this.now(), found: this.read(name) };
    this.#kept.set(name, next);
    // guard: a failure is not kept
    next.found.catch(() => {
      if (this.#kept.peek(name) === next) this.#kept.delete(name);
    });
    return next.found;
  }

  /** The next caller reads. A read that is under way is shared no longer: it may have begun before the change. */
  forget(name: string): void {
    this.#kept.delete(name);
  }

  /** guard: after the clock was set back, nothing is young for longer than it may be. */
  #isYoung({ askedAt }: Kept<Found>): boolean {
    const age = this.now() - askedAt;
    return age >= 0 && age < KEEP_MS;
  }
}
