import { ServiceUnavailable } from '../platform/problem.js';
import type { Log } from '../platform/telemetry/log.js';

/** After failures in a row of one kind of work: 2 s, doubled up to a minute. */
const REST_MS = { first: 2_000, most: 60_000 };

/**
 * Which work fails, of which company. What failed rests, for longer each time, while all other work goes on. The log tells when
 * an outage begins and when it ends.
 */
export class Outages {
  readonly #failing = new Map<string, { inRow: number; until: number; kind: string }>();

  constructor(private readonly log: Log) {}

  /**
   * Runs work that may fail for reasons of its own, unless it rests. Whether it moved anything. Rejects only when PostgreSQL is
   * away, which is nobody's outage but all work's.
   */
  async run(work: string, run: () => Promise<{ moved: boolean; failure?: unknown }>): Promise<boolean> {
    if (this.rests(work)) return false;
    try {
      const { moved, failure } = await run();
      if (failure !== undefined) this.failed(work, failure);
      else if (moved) this.over(work);
      return moved;
    } catch (error) {
      if (error instanceof ServiceUnavailable) throw error;
      this.failed(work, error);
      return false;
    }
  }

  /** Whether the last run of this work failed. */
  has(work: string): boolean {
    return this.#failing.has(work);
  }

  /** Whether this work is not to be tried yet. */
  rests(work: string): boolean {
    return (this.#failing.get(work)?.until ?? 0) > performance.now();
  }

  failed(work: string, error: unknown): void {
    const kind = error instanceof Error ? error.name : typeof error;
    const before = this.#failing.get(work);
    const inRow = (before?.inRow ?? 0) + 1;
    const restMs = Math.min(REST_MS.first * 2 ** (inRow - 1), REST_MS.most);
    if (before?.kind !== kind) this.log.error({ work, err: error }, 'billing: this work fails; it is tried again');
    this.#failing.set(work, { inRow, until: performance.now() + restMs, kind });
  }

  /** The work has succeeded. */
  over(work: string): void {
    if (this.#failing.delete(work)) this.log.info({ work }, 'billing: this work goes on');
  }
}
