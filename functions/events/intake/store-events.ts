import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { isOutage, ServiceUnavailable } from '../../platform/problem.js';
import { isAway, type Sql, type Transaction } from '../../platform/stores/postgres.js';
import { Registry } from '../registry/registered.js';
import type { Delivery } from './event-source.js';
import { EventsMeter } from './events-meter.js';
import { IntakeRepository, type StoredRow, type StoreRow } from './intake.repository.js';
import type { Outcome } from './outcome.js';
import type { NewEvent, Refused } from './triage.js';
import { triageAll } from './triage-all.js';

/** data_exception and integrity_constraint_violation: a row that PostgreSQL does not take, however often it is sent. */
const REFUSED_BY_STORE = /^(22|23)/;
const SERIALIZATION_FAILURE = '40001';

/** So often a batch is triaged again, before it waits for no further change of the registry. */
const MAX_STALE = 3;
/** So often a transaction is begun anew. Retention cannot overtake it for ever: what it deletes is gone. */
const MAX_OVERTAKEN = 10;

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
   * then; else it is only told. Rejects with ServiceUnavailable, and an error of SQL: nothing, or a part, is stored then, and the
   * same call may be repeated.
   */
  async store(deliveries: readonly Delivery[], keep: boolean): Promise<Outcome[]> {
    const outcomes = await this.#trusted(() => this.#store(deliveries, keep));
    this.meter.count(outcomes);
    return outcomes;
  }

  /**
   * For who has more to do in the transaction that stores: `transact` begins one, stores a delivery in it by the function that
   * it is given, where what is refused is only told, and counts the outcome after its COMMIT. It is called anew where that
   * function, or itself, throws Overtaken. An error of the store is not divided.
   */
  storeWithin<T>(transact: (store: StoreOne) => Promise<T>): Promise<T> {
    return this.#trusted(() => anew(() => transact((sql, delivery) => this.#storeOne(delivery, sql))));
  }

  async #trusted<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isOutage(error) || isAway(error)) this.registry.distrust();
      throw error;
    }
  }

  async #store(deliveries: readonly Delivery[], keep: boolean): Promise<Outcome[]> {
    let registered = await this.registry.current();
    for (let stale = 0; stale < MAX_STALE; stale++) {
      const rows = await triageAll(deliveries, registered, this.registry);
      const outcomes = await this.#divide(registered.version, rows, keep);
      if (outcomes !== 'stale') return outcomes;
      registered = await this.registry.newerThan(registered.version);
    }
    // guard: a registry that changes all the time does not keep a batch out for ever: from here on the next change waits for us
    return anew(() =>
      this.registry.holding(async (held, sql) => {
        const rows = await triageAll(deliveries, held, this.registry, sql);
        return current(await this.#divide(held.version, rows, keep, dividable(sql)));
      }),
    );
  }

  async #storeOne(delivery: Delivery, sql: Sql): Promise<Outcome> {
    const held = await this.registry.held(sql);
    const rows = await triageAll([delivery], held, this.registry, sql);
    const [outcome] = current(await this.#storeAt(held.version, rows, false, sql));
    if (!outcome) throw new OutcomesDiffer();
    return outcome;
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
    const found = await this.#send(version, keep ? rows : rows.filter(mayBeStored), keep, sql);
    if (found === 'stale') return 'stale';
    const refused = new Map(rows.flatMap(({ n, triaged }) => (triaged.kind === 'refused' ? [[n, triaged]] : [])));
    const hidden = await this.#hidden(rows, found, sql);
    const outcomes = new Map<number, Outcome>();
    const put = (n: number, outcome: Outcome) => {
      // guard: one outcome a row, never two
      if (outcomes.has(n)) throw new OutcomesDiffer();
      outcomes.set(n, outcome);
    };
    for (const { n, outcome, event_id } of found) {
      const isRefused = outcome === 'quarantined' || hidden.has(n);
      put(n, (isRefused && refused.get(n)) || outcomeOf(outcome, event_id));
    }
    return rows.map((row) => {
      const { n, triaged } = row;
      if (!keep && triaged.kind === 'refused' && !mayBeStored(row)) put(n, triaged);
      const outcome = outcomes.get(n);
      if (outcome === undefined) throw new OutcomesDiffer();
      return outcome;
    });
  }

  async #send(
    version: string,
    rows: readonly StoreRow[],
    keep: boolean,
    sql?: Sql,
  ): ReturnType<IntakeRepository['store']> {
    try {
      return await this.repository.store(version, keep, rows, sql);
    } catch (error) {
      if (!isOvertaken(error)) throw error;
      if (sql) throw new Overtaken();
      return 'stale';
    }
  }

  /** guard: that a client who is deleted has such an event is told only to who may send for the event's company. */
  async #hidden(rows: readonly StoreRow[], found: readonly StoredRow[], sql?: Sql): Promise<ReadonlySet<number>> {
    const again = new Map(
      found.flatMap(({ n, outcome, event_id }) => (outcome === 'duplicate' ? [[n, event_id ?? '']] : [])),
    );
    const asking = rows.filter(({ n, triaged, maySend }) => triaged.companyId === undefined && maySend && again.has(n));
    if (asking.length === 0) return new Set();
    const companies = await this.repository.companiesOf([...again.values()], sql);
    const isTold = ({ n, triaged, maySend }: StoreRow) => {
      const company = companies.get(again.get(n) ?? '');
      return company !== undefined && maySend?.(triaged.clientId ?? '', company);
    };
    return new Set(asking.filter((row) => !isTold(row)).map(({ n }) => n));
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

/** Runs a transaction, and runs it anew where it was overtaken. */
async function anew<T>(transact: () => Promise<T>): Promise<T> {
  for (let overtaken = 1; ; overtaken++) {
    try {
      return await transact();
    } catch (error) {
      if (!(error instanceof Overtaken)) throw error;
      if (overtaken === MAX_OVERTAKEN) throw new ServiceUnavailable('the database is too busy', error);
    }
  }
}

/** What a transaction met is another one now: nothing of it is stored, and it is to be begun anew. */
export class Overtaken extends Error {}

/** Stores one delivery in a transaction. */
export type StoreOne = (sql: Sql, delivery: Delivery) => Promise<Outcome>;

/** So `store_events` says that retention deleted an event that it met. */
function isOvertaken(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === SERIALIZATION_FAILURE;
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

/** Now, or before it was refused. */
function mayBeStored({ triaged }: StoreRow): boolean {
  return triaged.kind === 'event' || triaged.said !== undefined;
}

function outcomeOf(outcome: 'stored' | 'duplicate' | 'quarantined', eventId: string | null): Outcome {
  if (eventId === null) throw new OutcomesDiffer();
  if (outcome !== 'quarantined') return { kind: outcome, eventId };
  return { kind: 'refused', reason: 'conflicting_duplicate', detail: `event ${eventId}`, eventId };
}

function refusedByStore({ key, clientId, companyId, typeName, message }: NewEvent, sqlState: string): Refused {
  return {
    kind: 'refused',
    reason: 'invalid_payload',
    detail: refusedWith(sqlState),
    key,
    clientId,
    companyId,
    said: { typeName, message },
  };
}
