import { Injectable } from '@nestjs/common';
import { Deadline, DeadlinePassed } from '../../platform/deadline.js';
import { ServiceUnavailable } from '../../platform/problem.js';
import { isContended, Postgres, type Sql } from '../../platform/stores/postgres.js';
import { QuarantineNotFound, QuarantineResolved } from '../events.errors.js';
import { EventsMeter } from '../intake/events-meter.js';
import type { Outcome } from '../intake/outcome.js';
import { Overtaken, refusedWith, StoreEvents, type StoreOne, sqlStateOfRefusal } from '../intake/store-events.js';
import {
  type KeptBody,
  type QuarantineFilter,
  QuarantineRepository,
  type QuarantineRow,
  type Whose,
} from './quarantine.repository.js';

const FOREIGN_KEY_VIOLATION = '23503';

/** Which open messages are replayed, oldest first. */
export type OpenFilter = Omit<QuarantineFilter, 'resolved'>;

/** How far a pass over open messages came. */
export interface Pass {
  /** Messages that it ended. */
  count: number;
  /** Messages that it looked at: the others stay as they are. */
  lookedAt: number;
  /** The `after` of the next pass; undefined where there was nothing more. */
  next: string | undefined;
}

/**
 * What is in quarantine, and its end: replayed, once it is an event, or discarded. Whose messages the caller may see and end
 * is an argument.
 */
@Injectable()
export class Quarantine {
  constructor(
    private readonly repository: QuarantineRepository,
    private readonly store: StoreEvents,
    private readonly postgres: Postgres,
    private readonly meter: EventsMeter,
  ) {}

  /** By id, and whether there are more. */
  list(whose: Whose, filter: QuarantineFilter): Promise<{ rows: (QuarantineRow & KeptBody)[]; more: boolean }> {
    return this.repository.list(whose, filter);
  }

  /**
   * Triages and stores the message again, or the body that is given in its place, under the kept key unless the body brings an
   * `id`. It is ended only where that is an event now, and in the transaction that stores it; refused, it stays as it is.
   * Throws QuarantineNotFound, QuarantineResolved and ServiceUnavailable.
   */
  async replay(whose: Whose, id: string, body?: Buffer): Promise<Outcome> {
    const replayed = await this.store
      .storeWithin((store) =>
        this.postgres.transaction(async (sql) => {
          const row = await this.#findOpen(sql, whose, id);
          const outcome = await this.#store(store, sql, row, body ?? row.body);
          if (outcome.kind !== 'refused') await this.#resolve(sql, whose, id, outcome.eventId);
          return outcome;
        }),
      )
      .catch((error: unknown): Outcome => {
        if (error instanceof RefusedByStore) return error.outcome;
        throw isContended(error) ? new ServiceUnavailable('the database is too busy', error) : error;
      });
    this.meter.count([replayed]);
    return replayed;
  }

  /** Ends the message without an event. Throws QuarantineNotFound and QuarantineResolved. */
  async discard(whose: Whose, id: string): Promise<void> {
    if (await this.repository.resolve(this.postgres, whose, id, 'discarded')) return;
    await this.#findOpen(this.postgres, whose, id);
    throw new QuarantineResolved();
  }

  /** Replays one after the other, each in a transaction of its own. What somebody else ends meanwhile is passed over. */
  async replayMany(whose: Whose, filter: OpenFilter, stop?: AbortSignal): Promise<Pass> {
    const ids = await this.repository.open(whose, filter);
    const pass: Pass = { count: 0, lookedAt: 0, next: String(filter.after) };
    for (const id of ids) {
      // A function must answer for what it has done before its time is over.
      if (stop?.aborted || Deadline.current()?.signal.aborted) return pass;
      try {
        if ((await this.replay(whose, id)).kind !== 'refused') pass.count += 1;
      } catch (error) {
        if (error instanceof DeadlinePassed && pass.lookedAt > 0) return pass;
        if (!(error instanceof QuarantineResolved || error instanceof QuarantineNotFound)) throw error;
      }
      pass.lookedAt += 1;
      pass.next = id;
    }
    if (ids.length < filter.limit) pass.next = undefined;
    return pass;
  }

  async #findOpen(sql: Sql, whose: Whose, id: string): Promise<QuarantineRow & KeptBody> {
    const row = await this.repository.find(sql, whose, id);
    if (!row) throw new QuarantineNotFound();
    if (row.resolved_at !== null) throw new QuarantineResolved();
    return row;
  }

  async #resolve(sql: Sql, whose: Whose, id: string, eventId: string): Promise<void> {
    try {
      // guard: no event of a message that somebody else has ended meanwhile; lock order: registry, events, quarantine
      if (!(await this.repository.resolve(sql, whose, id, 'replayed', eventId))) throw new QuarantineResolved();
    } catch (error) {
      // guard: retention deleted the event of which it is a duplicate; begun anew, it is an event of its own
      throw sqlStateOfRefusal(error) === FOREIGN_KEY_VIOLATION ? new Overtaken() : error;
    }
  }

  async #store(
    store: StoreOne,
    sql: Sql,
    { company_id, dedupe_key: key }: QuarantineRow,
    body: Buffer,
  ): Promise<Outcome> {
    // guard: a message of one company never becomes another's event, whatever its new body says
    const own = company_id === null ? {} : { maySend: (_: string, company: string) => company === company_id };
    try {
      return await store(sql, { body, key, ...own });
    } catch (error) {
      const sqlState = sqlStateOfRefusal(error);
      if (sqlState === undefined) throw error;
      this.meter.refusedByStore(sqlState);
      throw new RefusedByStore(sqlState);
    }
  }
}

/** Rolls the transaction back, in which no statement works any more. */
class RefusedByStore extends Error {
  readonly outcome: Outcome;

  constructor(sqlState: string) {
    super(refusedWith(sqlState));
    this.outcome = { kind: 'refused', reason: 'invalid_payload', detail: this.message };
  }
}
