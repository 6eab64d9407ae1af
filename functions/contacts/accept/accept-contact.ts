import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Histogram } from 'prom-client';
import { Deadline } from '../../platform/deadline.js';
import { Gather } from '../../platform/gather.js';
import { isOutage, ServiceUnavailable } from '../../platform/problem.js';
import { Runtime } from '../../platform/runtime.js';
import { isContended } from '../../platform/stores/postgres.js';
import { Log } from '../../platform/telemetry/log.js';
import { Metrics } from '../../platform/telemetry/metrics.js';
import { ContactsBusy } from '../contacts.errors.js';
import { ContactsRepository } from '../contacts.repository.js';
import { canonicalLine, type NewContact } from '../contacts.schemas.js';
import { jobOf } from '../job-number.js';
import { ProcessContacts } from '../process-contacts.js';
import { BatchIds } from './batch-ids.js';
import { ContactsBacklog } from './contacts-backlog.js';
import { Places } from './places.js';

const MIB = 2 ** 20;
/** A batch has 1,000 lines at most; 500 already cost less a line than the HTTP around them. */
const GROUP = { items: 500, bytes: MIB, inFlight: 2 };
/**
 * Callers that this process holds and has not committed. One more stands in line, and is refused when the store stands still;
 * one more than that is refused at once, and so are lines beyond these bytes: the process stays small.
 */
const CALLERS_LIMIT = 5_000;
const LINE_LIMIT = 20_000;
const BYTES_LIMIT = 64 * MIB;
const REFUSED_FOR_S = 1;
/** Between two log lines about refusals, of which there may be thousands a second. */
const TELL_MS = 10_000;
/** How long the store may fail before the callers of a group are told. */
const GIVE_UP_MS = 5_000;
/** After so long without a failure, as nobody came, the next one is given its time again. */
const NEW_OUTAGE_MS = 2 * GIVE_UP_MS;
/** Between two tries; each waits a random part of it more. */
const AGAIN_MS = 100;

/** Takes users in: a request is answered after the COMMIT of its group, and never before (C1). */
@Injectable()
export class AcceptContact {
  readonly #groups = new Gather<string, string>(GROUP, (lines) => this.#commit(lines), isOutage);
  readonly #ids: BatchIds;
  readonly #places = new Places(CALLERS_LIMIT, LINE_LIMIT);
  /** Of the lines of all callers that have no answer yet. */
  #bytes = 0;
  #refusals = 0;
  #telling: NodeJS.Timeout | undefined;
  /** The first and the last failure since the last success, by `performance.now()`. */
  #outage: { first: number; last: number } | undefined;
  readonly #groupSize: Histogram;
  readonly #flushSeconds: Histogram;

  constructor(
    private readonly repository: ContactsRepository,
    private readonly backlog: ContactsBacklog,
    private readonly processing: ProcessContacts,
    private readonly runtime: Runtime,
    private readonly log: Log,
    { registry }: Metrics,
  ) {
    this.#ids = new BatchIds(() => repository.nextBlock());
    this.#groupSize = new Histogram({
      name: 'disparo_contacts_group_size',
      help: 'Requests that were committed together.',
      buckets: [1, 2, 5, 10, 25, 50, 100, 250, 500],
      registers: [registry],
    });
    this.#flushSeconds = new Histogram({
      name: 'disparo_contacts_flush_seconds',
      help: 'From the first try to commit a group to its end, repeats included.',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers: [registry],
    });
  }

  /** Stores a user and returns the number of its job. Throws ContactsBusy and ServiceUnavailable: the user may be sent again. */
  async accept(contact: NewContact): Promise<string> {
    const line = canonicalLine(contact);
    const bytes = Buffer.byteLength(line);
    this.#bytes += bytes;
    try {
      if (this.#bytes > BYTES_LIMIT) throw new ContactsBusy(REFUSED_FOR_S);
      await this.#places.take();
      try {
        return await this.#store(line, bytes);
      } finally {
        this.#places.free();
      }
    } catch (error) {
      if (error instanceof ContactsBusy) this.#refused();
      throw error;
    } finally {
      this.#bytes -= bytes;
    }
  }

  async #store(line: string, bytes: number): Promise<string> {
    await this.backlog.requireRoom(this.#places.callers);
    // From here on nothing holds the COMMIT back: it is of many callers.
    Deadline.current()?.storing();
    const job = await this.#groups.add(line, bytes);
    if (this.runtime.kind === 'function') await Deadline.without(() => this.processing.briefly());
    return job;
  }

  async #commit(lines: string[]): Promise<string[]> {
    const begun = performance.now();
    const slow = setTimeout(() => {
      this.log.warn({ jobs: lines.length, for_ms: GIVE_UP_MS }, 'a group of contacts still waits for its commit');
    }, GIVE_UP_MS);
    const id = await this.#untilStored(lines).finally(() => clearTimeout(slow));
    const flushMs = performance.now() - begun;
    this.backlog.added(lines.length);
    this.processing.poke();
    this.#groupSize.observe(lines.length);
    this.#flushSeconds.observe(flushMs / 1_000);
    this.log.info({ batch: String(id), jobs: lines.length, flush_ms: Math.round(flushMs) }, 'contacts accepted');
    return lines.map((_, line) => jobOf(id, line));
  }

  /** One line at the first refusal, and then one for all of the next ten seconds. */
  #refused(): void {
    this.#refusals += 1;
    if (this.#telling) return;
    const tell = () => {
      this.#telling = undefined;
      if (this.#refusals === 0) return;
      this.log.warn({ refused: this.#refusals }, 'contacts were refused: too many wait');
      this.#refusals = 0;
      this.#telling = setTimeout(tell, TELL_MS).unref();
    };
    tell();
  }

  /** Only failures count against the time: an insert that runs, or waits for a lock, is waited for. */
  async #untilStored(lines: string[]): Promise<bigint> {
    let id: bigint | undefined;
    // guard: at a repeat the id that is there may be our own, as the answer may have been lost. Else it is a stranger's
    for (let repeats = false; ; ) {
      try {
        id ??= await this.#ids.next();
        const stored = await this.repository.accept(id, lines);
        this.#recovered();
        if (stored || (repeats && (await this.repository.holds(id, lines)))) return id;
        id = undefined;
        repeats = false;
        this.#ids.drop();
      } catch (error) {
        if (!(error instanceof ServiceUnavailable) && !isContended(error)) throw error;
        repeats ||= id !== undefined;
        this.#ids.drop();
        if (this.#isOutFor(error) >= GIVE_UP_MS)
          throw error instanceof ServiceUnavailable ? error : new ServiceUnavailable('the database is too busy', error);
        await pause(AGAIN_MS * (1 + Math.random()));
      }
    }
  }

  /** Notes a failure; returns for how many milliseconds commits have failed, those of other groups too. */
  #isOutFor(error: unknown): number {
    const now = performance.now();
    if (this.#outage === undefined) this.log.error({ err: error }, 'contacts cannot be committed now; trying again');
    if (this.#outage === undefined || now - this.#outage.last > NEW_OUTAGE_MS) this.#outage = { first: now, last: now };
    this.#outage.last = now;
    return now - this.#outage.first;
  }

  #recovered(): void {
    if (this.#outage) this.log.info({}, 'contacts are committed again');
    this.#outage = undefined;
  }
}
