import { withDeadline } from '../deadline.js';

/**
 * Something that a scrape asks of a service, within a deadline and once at a time. So a service that does not answer is not
 * asked again, on one more connection, by each scrape.
 */
export class Question<T> {
  #underWay: Promise<T | undefined> | undefined;

  constructor(
    private readonly ask: () => Promise<T | undefined>,
    private readonly deadlineMs: number,
  ) {}

  /** Undefined when the service fails or is late. All who ask while it is under way get the same answer. */
  async answer(): Promise<T | undefined> {
    this.#underWay ??= this.ask()
      .catch(() => undefined)
      .finally(() => {
        this.#underWay = undefined;
      });
    return withDeadline(this.deadlineMs, this.#underWay, () => undefined);
  }
}
