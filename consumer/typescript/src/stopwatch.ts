type Step = 'gather' | 'admit' | 'store' | 'record' | 'settle';

/** The time of each step of one batch. A step that was repeated counts with all its attempts and waits. */
export class Stopwatch {
  readonly #ms: Record<Step, number> = { gather: 0, admit: 0, store: 0, record: 0, settle: 0 };

  /** Begins when the first delivery was there, by `performance.now()`; the time until now is the gathering. */
  constructor(private readonly since: number) {
    this.#ms.gather = performance.now() - since;
  }

  async time<T>(step: Step, action: () => Promise<T>): Promise<T> {
    const begin = performance.now();
    const result = await action();
    this.#ms[step] += performance.now() - begin;
    return result;
  }

  /** `gather_ms` and so on, to a tenth of a millisecond. */
  timings(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.#ms).map(([step, ms]) => [`${step}_ms`, Math.round(ms * 10) / 10]));
  }

  /** Seconds since the first delivery was there. */
  seconds(): number {
    return (performance.now() - this.since) / 1_000;
  }
}
