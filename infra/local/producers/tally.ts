import type { Message, ProducedEvent } from './stream.js';

/** What was confirmed, each message once. */
export interface Summary {
  /** All of them. */
  published: number;
  /** Events among them. */
  distinct: number;
  /** Those that are no events. */
  bad: number;
  /** Those that are an event which was counted before. */
  duplicates: number;
}

/** Counts what is confirmed. */
export class Tally {
  readonly summary: Summary = { published: 0, distinct: 0, bad: 0, duplicates: 0 };
  /** The dedupe keys under which the bad ones are to be found in quarantine. Empty over HTTP, which quarantines nothing. */
  readonly badKeys: string[] = [];
  /** Events that were refused, by the reason. */
  readonly refused = new Map<string, number>();
  readonly #confirmed = new WeakSet<ProducedEvent>();

  /** The broker, or the API, has it. `badKey`: of a bad one that goes into quarantine. */
  confirm({ event }: Message, badKey?: string): void {
    this.summary.published += 1;
    if (badKey !== undefined && event === undefined) this.badKeys.push(badKey);
    if (event === undefined) this.summary.bad += 1;
    else if (this.#confirmed.has(event)) this.summary.duplicates += 1;
    else this.summary.distinct += 1;
    if (event !== undefined) this.#confirmed.add(event);
  }

  /** It was answered that this is no event, or is not to be stored. */
  refuse(reason: string): void {
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1);
  }
}
