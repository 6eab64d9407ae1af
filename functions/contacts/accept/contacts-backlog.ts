import { Injectable } from '@nestjs/common';
import { Config } from '../../platform/config.js';
import { Deadline } from '../../platform/deadline.js';
import { ContactsBusy } from '../contacts.errors.js';
import { type Backlog, ContactsRepository } from '../contacts.repository.js';

const FRESH_MS = 1_000;
/** The time of `Backlog.done`. */
const DONE_WITHIN_S = 10;
const LONGEST_S = 60;

/**
 * How many jobs are accepted and not done: read once a second, with what this process has added since. Several processes may
 * together pass the limit by what they take in within a second.
 */
@Injectable()
export class ContactsBacklog {
  #known: Backlog | undefined;
  /** A time of `performance.now()`. */
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;
  #added = 0;

  constructor(
    private readonly repository: ContactsRepository,
    private readonly config: Config,
  ) {}

  /** To be called when jobs were committed. */
  added(jobs: number): void {
    this.#added += jobs;
  }

  /**
   * Throws ContactsBusy when the jobs that wait and those of `callers`, the caller itself included, are over the limit.
   * Nobody is refused by what is old, so then it reads first. When it cannot be read, the store itself will refuse.
   */
  async requireRoom(callers: number): Promise<void> {
    if (performance.now() - this.#readAt >= FRESH_MS) {
      const reading = this.#read();
      if (this.#excess(callers) !== 0 || this.#known === undefined) await reading;
    }
    const excess = this.#excess(callers);
    if (excess > 0) throw new ContactsBusy(this.#retryAfterS(excess));
  }

  /** Jobs over the limit; 0 while there is room. */
  #excess(callers: number): number {
    const waiting = (this.#known?.waiting ?? 0) + this.#added + callers;
    return Math.max(0, waiting - this.config.contactsMaxWaiting);
  }

  #retryAfterS(excess: number): number {
    const { waiting = 0, done = 0 } = this.#known ?? {};
    // Nobody waited when it was last read, so its pace is not known yet; it is not that nothing gets on.
    if (waiting === 0 && done === 0) return 1;
    const doneASecond = done / DONE_WITHIN_S;
    return Math.min(Math.max(Math.ceil(excess / doneASecond), 1), LONGEST_S);
  }

  /** Never rejects. Asked by many at once, it reads once. */
  #read(): Promise<void> {
    // Jobs that are added while it is read count twice until the next time, and never not at all.
    const before = this.#added;
    this.#reading ??= Deadline.without(() => this.repository.backlog())
      .then(
        (backlog) => {
          this.#known = backlog;
          this.#added -= before;
        },
        () => undefined,
      )
      .finally(() => {
        this.#readAt = performance.now();
        this.#reading = undefined;
      });
    return this.#reading;
  }
}
