import { Injectable } from '@nestjs/common';
import { Deadline, DeadlinePassed } from '../../platform/deadline.js';
import { ServiceUnavailable } from '../../platform/problem.js';
import { isContended, Postgres, type Transaction } from '../../platform/stores/postgres.js';
import { DeliveryNotFound } from '../webhooks.errors.js';
import { Endpoints } from './endpoints.js';
import type { ManyToReplay, ReplayedDeliveries, ReplayedDelivery } from './endpoints.schemas.js';
import { type ReplayedSlice, ReplayRepository, type Span, type Target } from './replay.repository.js';

/** Events of a transaction: a short one lets others pass. */
const SLICE = 1_000;
/** Of a call, so that it ends while its caller waits: what it makes due, and slices, of which some may find nothing. */
const ENOUGH = 20_000;
const MOST_SLICES = 200;

/** Makes deliveries due again, by hand. Those of a disabled endpoint wait until it is enabled. */
@Injectable()
export class Replay {
  constructor(
    private readonly postgres: Postgres,
    private readonly repository: ReplayRepository,
    private readonly endpoints: Endpoints,
  ) {}

  /** As far as it comes, by id. What it counts is committed. Throws EndpointNotFound, ServiceUnavailable. */
  async many(
    userId: string,
    endpointId: string,
    { since, until, only, after }: ManyToReplay,
  ): Promise<ReplayedDeliveries> {
    const target = await this.#target(userId, endpointId);
    const time = { since: new Date(since), until: until === undefined ? null : new Date(until) };
    const span = await this.repository.span(this.postgres, target.companyId, time);
    const replayed = { count: 0, next: Math.max(after, span.after) };
    for (let slices = 0; slices < MOST_SLICES && replayed.count < ENOUGH; slices++) {
      const slice = await this.#next(target, only, { ...span, after: replayed.next }, slices > 0);
      if (slice === 'late') return replayed;
      replayed.count += slice.count;
      if (slice.last === null || slice.lookedAt < SLICE) return { ...replayed, next: null };
      replayed.next = Number(slice.last);
    }
    return replayed;
  }

  /** One event, by its bigint. Throws EndpointNotFound, DeliveryNotFound, ServiceUnavailable. */
  async one(userId: string, endpointId: string, eventId: string): Promise<ReplayedDelivery> {
    const target = await this.#target(userId, endpointId);
    return this.#transaction(async (sql) => {
      const { count, lookedAt } = await this.repository.one(sql, target, eventId);
      // guard: a statement of its own, since each sees what was there when it began: of two replays at once the second one
      // waits for the first, and only a later statement sees the delivery that the first has made.
      if (lookedAt === 0 || (count === 0 && !(await this.repository.isOwed(sql, endpointId, eventId))))
        throw new DeliveryNotFound();
      return { count };
    });
  }

  /** Late: a function must answer for what it has done before its time is over. */
  async #next(target: Target, only: 'dead' | 'all', span: Span, begun: boolean): Promise<ReplayedSlice | 'late'> {
    if (begun && Deadline.current()?.signal.aborted) return 'late';
    try {
      return await this.#transaction((sql) => this.repository[only](sql, target, span, SLICE));
    } catch (error) {
      if (begun && error instanceof DeadlinePassed) return 'late';
      throw error;
    }
  }

  #transaction<T>(work: (sql: Transaction) => Promise<T>): Promise<T> {
    return this.postgres.transaction(work).catch((error: unknown) => {
      throw isContended(error) ? new ServiceUnavailable('the database is too busy', error) : error;
    });
  }

  async #target(userId: string, endpointId: string): Promise<Target> {
    const { company_id: companyId } = await this.endpoints.find(userId, endpointId);
    return { endpointId, companyId };
  }
}
