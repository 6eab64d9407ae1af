import { ServiceUnavailable } from '../../platform/problem.js';

/**
 * Places for work that keeps a connection for long: without a limit the pool would have none for others. One too many waits in
 * line.
 */
export class Places {
  readonly #line: (() => void)[] = [];
  #free: number;

  /** `patienceMs`: who waits longer is refused. */
  constructor(
    places: number,
    private readonly patienceMs: number,
    private readonly refusal: string,
  ) {
    this.#free = places;
  }

  /** Runs `work` in a place. Throws ServiceUnavailable when none becomes free in time; then `work` has not begun. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.#take();
    try {
      return await work();
    } finally {
      const next = this.#line.shift();
      if (next) next();
      else this.#free += 1;
    }
  }

  async #take(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const go = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#line.splice(this.#line.indexOf(go), 1);
        reject(new ServiceUnavailable(this.refusal));
      }, this.patienceMs);
      this.#line.push(go);
    });
  }
}
