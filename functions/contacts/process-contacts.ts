import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Counter } from 'prom-client';
import { withDeadline } from '../platform/deadline.js';
import type { Counts } from '../platform/duties.js';
import { ServiceUnavailable } from '../platform/problem.js';
import { isContended } from '../platform/stores/postgres.js';
import { Log } from '../platform/telemetry/log.js';
import { Metrics } from '../platform/telemetry/metrics.js';
import { ContactsRepository, type EndedBatch } from './contacts.repository.js';
import { FAILURES } from './contacts.schemas.js';

/** Batches of a transaction: 4,000 jobs at most. */
const AT_MOST = 8;
/** Passes that take one batch each after a bug, so that the one with the bug is found and the others go on. */
const ALONE = 8;
/** Without a poke the store is looked at after this time: another process may have accepted and died. */
const LOOK_MS = 1_000;
/** A request in a function waits this long for the end of its job. */
const BEFORE_THE_ANSWER_MS = 1_000;
/** After failures in a row of something that heals by waiting: 100 ms, doubled up to 5 s, each with a random part. */
const BACKOFF = { firstMs: 100, mostMs: 5_000 };
const ENDS = ['completed', ...FAILURES] as const;

/**
 * What one run did. `worked`: batches came to their end. `nothing`: nothing is owed, or others hold it. `again`: the store is
 * away or contended; nothing was done, and the same may be tried again. `bug`: another error, which was logged.
 */
type Ran = { kind: 'worked'; batches: number; jobs: number } | { kind: 'nothing' | 'again' | 'bug' };

/** Brings accepted users into the four tables and their jobs to an end: both in one transaction (C2). */
@Injectable()
export class ProcessContacts {
  readonly #ended: Counter<'end'>;
  /** How many of the next runs take one batch only. */
  #alone = 0;
  #failures = 0;
  #outage: string | undefined;
  #wake: () => void = () => {};

  constructor(
    private readonly repository: ContactsRepository,
    private readonly log: Log,
    { registry }: Metrics,
  ) {
    this.#ended = new Counter({
      name: 'disparo_contacts_ended_total',
      help: 'Jobs that this process brought to their end, by the end.',
      labelNames: ['end'],
      registers: [registry],
    });
    for (const end of ENDS) this.#ended.inc({ end }, 0);
  }

  /** To be called when something was accepted: the loop looks at once. */
  poke(): void {
    this.#wake();
  }

  /** Runs until told to stop, and then ends with the statement that runs. Never dies of an error. */
  async loop(stop: AbortSignal): Promise<void> {
    stop.addEventListener('abort', () => this.poke(), { once: true });
    while (!stop.aborted) {
      // Listens before it looks: a poke that comes meanwhile is not missed.
      const poked = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      const { kind } = await this.runNext();
      if (kind === 'nothing') await withDeadline(LOOK_MS, poked, () => undefined);
      else if (kind !== 'worked') await this.#backOff(stop);
    }
  }

  /** For a function that is called at intervals: runs until told to stop, or until it finds nothing owed. Never rejects. */
  async pass(stop: AbortSignal): Promise<Counts> {
    let jobs = 0;
    while (!stop.aborted) {
      const ran = await this.runNext();
      if (ran.kind === 'nothing') break;
      if (ran.kind === 'worked') jobs += ran.jobs;
      else await this.#backOff(stop);
    }
    return { contacts: jobs };
  }

  /** One run that a request of a function waits for, a second at most: most jobs are done by their first GET. Never throws. */
  async briefly(): Promise<void> {
    await withDeadline<unknown>(BEFORE_THE_ANSWER_MS, this.runNext(), () => undefined);
  }

  /**
   * Shows the oldest batches as active, then brings some to their end. These are two statements on purpose: nobody claims by
   * what is shown. A worker that dies in the second lets its rows go at once, so there is no lease and no time of grace.
   */
  async runNext(): Promise<Ran> {
    const alone = this.#alone > 0;
    try {
      await this.repository.start();
      const ended = await this.repository.process(alone ? 1 : AT_MOST);
      this.#recovered();
      if (alone) this.#alone -= 1;
      if (ended.length === 0) return { kind: 'nothing' };
      await this.#tell(ended);
      return { kind: 'worked', batches: ended.length, jobs: sum(ended, 'size') };
    } catch (error) {
      if (error instanceof ServiceUnavailable || isContended(error)) return this.#again(error);
      return this.#bug(error, alone);
    }
  }

  /** What was stored is told by the log and the metrics. Neither can undo it, so an outage in between is no failure. */
  async #tell(ended: EndedBatch[]): Promise<void> {
    const failures = sum(ended, 'failures');
    const jobs = sum(ended, 'size');
    this.#ended.inc({ end: 'completed' }, jobs - failures);
    this.log.info({ batches: ended.length, jobs, failures }, 'contacts processed');
    if (failures === 0) return;
    const ids = ended.filter((each) => each.failures > 0).map(({ batch }) => batch);
    const batches = await this.repository.batches(ids).catch(() => []);
    for (const [job, reason] of batches.flatMap(({ failed }) => Object.entries(failed))) {
      const [end = '', sqlstate] = reason.split(':');
      this.#ended.inc({ end });
      // What is accepted can be stored: a line that is refused is a bug of ours.
      if (sqlstate) this.log.error({ job, sqlstate }, 'a bug: the store refused a job, which failed');
    }
  }

  #again(error: unknown): Ran {
    this.#failures += 1;
    // A time-out of statements that eight batches do not meet may be one that a single batch meets.
    if (isContended(error)) this.#alone = ALONE;
    const kind = error instanceof ServiceUnavailable ? error.name : 'contended';
    if (this.#outage !== kind) this.log.error({ err: error }, 'contacts cannot be processed now; trying again');
    this.#outage = kind;
    return { kind: 'again' };
  }

  #recovered(): void {
    this.#failures = 0;
    if (this.#outage === undefined) return;
    this.#outage = undefined;
    this.log.info({}, 'contacts are processed again');
  }

  async #bug(error: unknown, alone: boolean): Promise<Ran> {
    // One that meets every batch is not tried, and logged, ten times a second for ever.
    this.#failures += 1;
    this.#alone = ALONE;
    this.log.error({ err: error, alone }, 'a bug: batches of contacts failed; they are processed one by one');
    if (!alone) return { kind: 'bug' };
    try {
      await this.repository.putOff();
      return { kind: 'bug' };
    } catch (failed) {
      return this.#again(failed);
    }
  }

  async #backOff(stop: AbortSignal): Promise<void> {
    const ms = Math.min(BACKOFF.firstMs * 2 ** Math.max(0, this.#failures - 1), BACKOFF.mostMs);
    await pause(ms * (0.5 + Math.random() / 2), undefined, { signal: stop }).catch(() => undefined);
  }
}

function sum(ended: readonly EndedBatch[], of: 'size' | 'failures'): number {
  return ended.reduce((total, each) => total + each[of], 0);
}
