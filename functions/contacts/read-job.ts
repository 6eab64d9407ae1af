import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Config } from '../platform/config.js';
import { withDeadline } from '../platform/deadline.js';
import { Gather } from '../platform/gather.js';
import { isOutage, ServiceUnavailable } from '../platform/problem.js';
import { Runtime } from '../platform/runtime.js';
import { PostgresListener } from '../platform/stores/postgres-listener.js';
import { Log } from '../platform/telemetry/log.js';
import { type BatchRow, ContactsRepository } from './contacts.repository.js';
import type { ContactStats, Failure, JobStatus } from './contacts.schemas.js';
import { type Job, parseJob } from './job-number.js';

/** Readers share a statement, as writers do. */
const GROUP = { items: 500, bytes: Number.POSITIVE_INFINITY, inFlight: 2 };
/** Callers that wait at a time. One more is answered at once, with the state as it is. */
const WAITING_LIMIT = 10_000;
/** A notification can be missed: at a reconnect, and always behind a pooler that shares connections by transactions. */
const LOOK_MS = 1_000;
/** A function is frozen between requests, so it hears no notification: it looks, and not for long. */
const IN_A_FUNCTION = { lookMs: 500, mostS: 5 };
const STATS_MS = 1_000;
/** A look that takes longer is given up: a database that is frozen reports no error. */
const ANSWER_MS = 5_000;
/** The payload of a notification: ids of batches with a blank between them. */
const CHANNEL = 'contacts_done';

/** What became of a job; `unknown`: there is none of this number, or it is kept no longer. */
export type Found = { status: 'unknown' } | { status: JobStatus; reason?: Failure };

/** A caller that waits for the end of a job. */
interface Waiting {
  job: Job;
  /** To be called at its end, at the end of its time, and when it leaves. */
  wake(found?: Found): void;
}

/** Tells what became of jobs, at once or at their end. */
@Injectable()
export class ReadJob {
  readonly #groups = new Gather<string, BatchRow | undefined>(GROUP, (ids) => this.#batches(ids), isOutage);
  /** By batch. */
  readonly #waiting = new Map<string, Set<Waiting>>();
  #waitingCallers = 0;
  #stats: Promise<ContactStats> | undefined;

  constructor(
    private readonly repository: ContactsRepository,
    private readonly runtime: Runtime,
    private readonly config: Config,
    private readonly log: Log,
  ) {}

  /**
   * The state of the job of this number; with `waitS`, at its end or after so many seconds. `left` settles when the caller
   * is gone. Throws ServiceUnavailable.
   */
  async find(number: string, waitS: number, left: () => Promise<unknown>): Promise<Found> {
    const job = parseJob(number);
    if (!job) return { status: 'unknown' };
    if (waitS === 0 || this.#waitingCallers >= WAITING_LIMIT) return this.#read(job);
    return this.runtime.kind === 'function' ? this.#poll(job, waitS) : this.#wait(job, waitS, left);
  }

  /** Counts of all jobs that are kept; at most a second old. */
  stats(): Promise<ContactStats> {
    const forget = () => {
      this.#stats = undefined;
    };
    // Kept from its end on: a scan that takes long is not begun again beside itself. A failure is not kept.
    this.#stats ??= this.repository.stats().then(
      (stats) => {
        setTimeout(forget, STATS_MS).unref();
        return stats;
      },
      (error: unknown) => {
        forget();
        throw error;
      },
    );
    return this.#stats;
  }

  /** Wakes those that wait, until told to stop. Then it answers all of them at once, and waits for no statement. */
  async loop(stop: AbortSignal): Promise<void> {
    const listener = new PostgresListener({
      databaseUrl: this.config.databaseUrl,
      channel: CHANNEL,
      onNotice: (ids) => void this.#look(ids.split(' ')),
      onListening: () => void this.#look([...this.#waiting.keys()]),
      log: this.log,
    });
    const listening = listener.run(stop);
    let isLooking = false;
    while (!stop.aborted) {
      await pause(LOOK_MS, undefined, { signal: stop }).catch(() => undefined);
      if (isLooking) continue;
      isLooking = true;
      void this.#look([...this.#waiting.keys()]).then(() => {
        isLooking = false;
      });
    }
    for (const waiting of this.#waiting.values()) for (const each of waiting) each.wake();
    await listening;
  }

  async #read(job: Job): Promise<Found> {
    return found(job, await this.#groups.add(job.batch));
  }

  /** Listens first, THEN reads, then waits: an end between the two would be heard by nobody. */
  async #wait(job: Job, waitS: number, left: () => Promise<unknown>): Promise<Found> {
    const waiting: Waiting = { job, wake: () => {} };
    const woken = new Promise<Found | undefined>((resolve) => {
      waiting.wake = resolve;
    });
    this.#add(waiting);
    const timer = setTimeout(waiting.wake, waitS * 1_000);
    const leave = () => waiting.wake();
    void left().then(leave, leave);
    try {
      const now = await this.#read(job);
      if (isEnd(now) || this.runtime.stopping.aborted) return now;
      const end = await woken;
      return end ?? (this.runtime.stopping.aborted ? now : this.#read(job));
    } finally {
      clearTimeout(timer);
      this.#remove(waiting);
    }
  }

  async #poll(job: Job, waitS: number): Promise<Found> {
    const until = performance.now() + Math.min(waitS, IN_A_FUNCTION.mostS) * 1_000;
    for (;;) {
      const now = await this.#read(job);
      if (isEnd(now) || performance.now() + IN_A_FUNCTION.lookMs > until) return now;
      await pause(IN_A_FUNCTION.lookMs);
    }
  }

  /** Reads those of these batches that somebody waits for, and wakes whose job is at its end. */
  async #look(ids: readonly string[]): Promise<void> {
    await Promise.all(
      ids.map(async (id) => {
        if (!this.#waiting.has(id)) return;
        // When it cannot be read now, the next look reads it.
        const batch = await this.#groups.add(id).catch(() => undefined);
        if (!batch) return;
        for (const { job, wake } of this.#waiting.get(id) ?? []) {
          const now = found(job, batch);
          if (isEnd(now)) wake(now);
        }
      }),
    );
  }

  async #batches(ids: string[]): Promise<(BatchRow | undefined)[]> {
    const rows = await withDeadline(ANSWER_MS, this.repository.batches([...new Set(ids)]), () => {
      throw new ServiceUnavailable('the database does not answer');
    });
    const byId = new Map(rows.map((row) => [row.id, row]));
    return ids.map((id) => byId.get(id));
  }

  #add(waiting: Waiting): void {
    const { batch } = waiting.job;
    const others = this.#waiting.get(batch) ?? new Set();
    this.#waiting.set(batch, others.add(waiting));
    this.#waitingCallers += 1;
  }

  #remove(waiting: Waiting): void {
    const { batch } = waiting.job;
    const others = this.#waiting.get(batch);
    others?.delete(waiting);
    if (others?.size === 0) this.#waiting.delete(batch);
    this.#waitingCallers -= 1;
  }
}

/** The state of a job is computed from its batch: failed, done, begun, in this order (C6). */
function found({ job, line }: Job, batch: BatchRow | undefined): Found {
  if (!batch || line >= batch.size) return { status: 'unknown' };
  const reason = batch.failed[job]?.split(':')[0] as Failure | undefined;
  if (reason) return { status: 'failed', reason };
  if (batch.done) return { status: 'completed' };
  return { status: batch.started ? 'active' : 'waiting' };
}

function isEnd({ status }: Found): boolean {
  return status === 'unknown' || status === 'completed' || status === 'failed';
}
