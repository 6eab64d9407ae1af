import { setImmediate as nextTurn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { isOutage } from '../../platform/problem.js';
import { isAway, type Sql, type Transaction } from '../../platform/stores/postgres.js';
import { type PayloadCheck, type Registered, Registry } from '../registry/registered.js';
import type { Delivery } from './event-source.js';
import { EventsMeter } from './events-meter.js';
import { IntakeRepository, type StoreRow } from './intake.repository.js';
import { type Reason, type Refused, type Triaged, triage } from './triage.js';

/** What became of a message. Of a refused one: the event that holds its key, and the client, where it names one in its form. */
export type Outcome =
  | { kind: 'stored' | 'duplicate'; eventId: string }
  | { kind: 'refused'; reason: Reason; detail: string; eventId?: string; clientId?: string | undefined };

/** data_exception and integrity_constraint_violation: a row that PostgreSQL does not take, however often it is sent. */
const REFUSED_BY_STORE = /^(22|23)/;

/** So often a batch is triaged again, before it waits for no further change of the registry. */
const MAX_STALE = 3;

/** Triage holds the event loop for this time at most, or for one message. */
const TURN_MS = 20;

/** Steps 2 and 3 of the loop, which HTTP and replays have, too: triage, and one call that stores. */
@Injectable()
export class StoreEvents {
  constructor(
    private readonly registry: Registry,
    private readonly repository: IntakeRepository,
    private readonly meter: EventsMeter,
  ) {}

  /**
   * Resolves after the COMMIT, with an outcome for each delivery, in their order. `keep`: what is refused is in quarantine
   * then; else it is only told. With `sql` it is done in that transaction, which the caller commits and counts; then an error
   * of the store is not divided. Rejects with ServiceUnavailable, and an error of SQL: nothing, or a part, is stored then, and the
   * same call may be repeated.
   */
  async store(deliveries: readonly Delivery[], keep: boolean, sql?: Sql): Promise<Outcome[]> {
    try {
      if (sql) return await this.#storeIn(sql, deliveries, keep);
      const outcomes = await this.#store(deliveries, keep);
      this.meter.count(outcomes);
      return outcomes;
    } catch (error) {
      if (isOutage(error) || isAway(error)) this.registry.distrust();
      throw error;
    }
  }

  async #store(deliveries: readonly Delivery[], keep: boolean): Promise<Outcome[]> {
    let registered = await this.registry.current();
    for (let stale = 0; stale < MAX_STALE; stale++) {
      const outcomes = await this.#divide(registered.version, await this.#triageAll(deliveries, registered), keep);
      if (outcomes !== 'stale') return outcomes;
      registered = await this.registry.newerThan(registered.version);
    }
    // guard: a registry that changes all the time does not keep a batch out for ever: from here on the next change waits for us
    return this.registry.holding(async (held, sql) =>
      current(await this.#divide(held.version, await this.#triageAll(deliveries, held, sql), keep, dividable(sql))),
    );
  }

  async #storeIn(sql: Sql, deliveries: readonly Delivery[], keep: boolean): Promise<Outcome[]> {
    const held = await this.registry.held(sql);
    return current(await this.#storeAt(held.version, await this.#triageAll(deliveries, held, sql), keep, sql));
  }

  /** What is `unchecked` is triaged again, type by type, so that one of their schemas at a time has to be in memory. */
  async #triageAll(deliveries: readonly Delivery[], registered: Registered, sql?: Sql): Promise<StoreRow[]> {
    const turns = new Turns();
    const triaged = new Map<Delivery, Triaged>();
    const unchecked = new Map<number, Delivery[]>();
    const judge = (delivery: Delivery, check?: PayloadCheck) => {
      const found = triage(delivery, seenBy(delivery, registered), check);
      if (found.kind !== 'unchecked') triaged.set(delivery, found);
      else if (!unchecked.get(found.typeId)?.push(delivery)) unchecked.set(found.typeId, [delivery]);
    };
    for (const delivery of deliveries) {
      judge(delivery);
      if (turns.isOver) await turns.next();
    }
    if (unchecked.size > 0)
      for await (const [typeId, check] of this.registry.checks([...unchecked.keys()], sql))
        for (const delivery of unchecked.get(typeId) ?? []) {
          judge(delivery, check);
          if (turns.isOver) await turns.next();
        }
    return deliveries.map((delivery, n) => {
      const found = triaged.get(delivery);
      if (!found) throw new Error('a bug: the schema of a type was not found');
      return { n, triaged: found, body: delivery.body };
    });
  }

  /** A batch with a row that PostgreSQL refuses is halved until that row is alone. */
  async #divide(version: string, rows: readonly StoreRow[], keep: boolean, sql?: Sql): Promise<'stale' | Outcome[]> {
    try {
      return await this.#storeAt(version, rows, keep, sql);
    } catch (error) {
      const code = sqlStateOfRefusal(error);
      if (code === undefined) throw error;
      const [only] = rows;
      if (rows.length === 1 && only) {
        if (only.triaged.kind === 'refused') throw error;
        this.meter.refusedByStore(code);
        return this.#storeAt(version, [{ ...only, triaged: refusedByStore(only.triaged, code) }], keep, sql);
      }
    }
    const half = Math.ceil(rows.length / 2);
    const first = await this.#divide(version, rows.slice(0, half), keep, sql);
    const second = first === 'stale' ? first : await this.#divide(version, rows.slice(half), keep, sql);
    // A first half that is stored already is found by its keys when it is triaged again.
    return first === 'stale' || second === 'stale' ? 'stale' : [...first, ...second];
  }

  async #storeAt(version: string, rows: readonly StoreRow[], keep: boolean, sql?: Sql): Promise<'stale' | Outcome[]> {
    // Asked also when no row is sent: what is told must be what is registered now.
    const found = await this.repository.store(version, keep, keep ? rows : rows.filter(isEvent), sql);
    if (found === 'stale') return 'stale';
    const outcomes = new Map<number, Outcome>();
    const put = (n: number, outcome: Outcome) => {
      // guard: one outcome a row, never two
      if (outcomes.has(n)) throw new OutcomesDiffer();
      outcomes.set(n, outcome);
    };
    const refused = new Map(rows.flatMap(({ n, triaged }) => (triaged.kind === 'refused' ? [[n, triaged]] : [])));
    if (!keep) for (const [n, triaged] of refused) put(n, triaged);
    for (const { n, outcome, event_id } of found) put(n, refused.get(n) ?? outcomeOf(outcome, event_id));
    return rows.map(({ n }) => {
      const outcome = outcomes.get(n);
      if (outcome === undefined) throw new OutcomesDiffer();
      return outcome;
    });
  }
}

/**
 * guard: the event loop turns between messages. A tenant's schema may take half a second a message: heartbeats go out all the
 * same, the time of a function can be over, and others are answered.
 */
class Turns {
  #began = performance.now();

  get isOver(): boolean {
    return performance.now() - this.#began >= TURN_MS;
  }

  async next(): Promise<void> {
    await nextTurn();
    this.#began = performance.now();
  }
}

/** A transaction in which a batch may be divided: what PostgreSQL refuses is undone, and the rest goes on. */
function dividable(sql: Transaction): Sql {
  const query = async <T>(text: string, values?: unknown[]): Promise<T[]> => {
    await sql.query('SAVEPOINT part');
    try {
      return await sql.query<T>(text, values);
    } catch (error) {
      await sql.query('ROLLBACK TO SAVEPOINT part');
      throw error;
    }
  };
  return { query, one: async <T>(text: string, values?: unknown[]) => (await query<T>(text, values))[0] };
}

function current(outcomes: 'stale' | Outcome[]): Outcome[] {
  if (outcomes === 'stale') throw new Error('a bug: the registry moved while it was held');
  return outcomes;
}

/** A bug: the store did not return exactly one outcome for each row. Nothing of the batch may be acknowledged. */
class OutcomesDiffer extends Error {
  constructor() {
    super('a bug: store_events did not return one outcome for each row');
  }
}

/** The SQLSTATE by which PostgreSQL refuses a row for good, however often it is sent; undefined for every other error. */
export function sqlStateOfRefusal(error: unknown): string | undefined {
  const code = (error instanceof pg.DatabaseError && error.code) || '';
  return REFUSED_BY_STORE.test(code) ? code : undefined;
}

/** The `detail` of a row that PostgreSQL refuses. */
export function refusedWith(sqlState: string): string {
  return `refused_by_store:${sqlState}`;
}

// guard: nobody learns of another company's client, nor sends for it
function seenBy({ maySend }: Delivery, registered: Registered): Registered {
  if (!maySend) return registered;
  return {
    version: registered.version,
    companyOf: (clientId) => {
      const companyId = registered.companyOf(clientId);
      return companyId !== undefined && maySend(clientId, companyId) ? companyId : undefined;
    },
    type: (companyId, name, version) => registered.type(companyId, name, version),
  };
}

function isEvent({ triaged }: StoreRow): boolean {
  return triaged.kind === 'event';
}

function outcomeOf(outcome: 'stored' | 'duplicate' | 'quarantined', eventId: string | null): Outcome {
  if (eventId === null) throw new OutcomesDiffer();
  if (outcome !== 'quarantined') return { kind: outcome, eventId };
  return { kind: 'refused', reason: 'conflicting_duplicate', detail: `event ${eventId}`, eventId };
}

function refusedByStore({ key, clientId, companyId }: Triaged, sqlState: string): Refused {
  return { kind: 'refused', reason: 'invalid_payload', detail: refusedWith(sqlState), key, clientId, companyId };
}
