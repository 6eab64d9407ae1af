import { setImmediate as nextTurn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import type { Sql } from '../../platform/stores/postgres.js';
import { type Registered, Registry } from '../registry/registered.js';
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
    let registered = await this.registry.current();
    for (;;) {
      const rows = await triageAll(deliveries, registered);
      const outcomes = sql
        ? await this.#storeAt(registered.version, rows, keep, sql)
        : await this.#divide(registered.version, rows, keep);
      if (outcomes !== 'stale') {
        if (!sql) this.meter.count(outcomes);
        return outcomes;
      }
      registered = await this.registry.newerThan(registered.version);
    }
  }

  /** A batch with a row that PostgreSQL refuses is halved until that row is alone. */
  async #divide(version: string, rows: readonly StoreRow[], keep: boolean): Promise<'stale' | Outcome[]> {
    try {
      return await this.#storeAt(version, rows, keep);
    } catch (error) {
      const code = sqlStateOfRefusal(error);
      if (code === undefined) throw error;
      const [only] = rows;
      if (rows.length === 1 && only) {
        if (only.triaged.kind === 'refused') throw error;
        this.meter.refusedByStore(code);
        return this.#storeAt(version, [{ ...only, triaged: refusedByStore(only.triaged, code) }], keep);
      }
    }
    const half = Math.ceil(rows.length / 2);
    const first = await this.#divide(version, rows.slice(0, half), keep);
    const second = first === 'stale' ? first : await this.#divide(version, rows.slice(half), keep);
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
 * guard: the event loop turns meanwhile. A tenant's schema may take half a second a message: heartbeats go out all the same,
 * the time of a function can be over, and others are answered.
 */
async function triageAll(deliveries: readonly Delivery[], registered: Registered): Promise<StoreRow[]> {
  const rows: StoreRow[] = [];
  let turned = performance.now();
  for (const [n, delivery] of deliveries.entries()) {
    rows.push({ n, triaged: triage(delivery, seenBy(delivery, registered)), body: delivery.body });
    if (performance.now() - turned < TURN_MS) continue;
    await nextTurn();
    turned = performance.now();
  }
  return rows;
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
