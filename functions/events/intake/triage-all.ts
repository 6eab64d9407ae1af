import { setImmediate as nextTurn } from 'node:timers/promises';
import { ServiceUnavailable } from '../../platform/problem.js';
import type { Sql } from '../../platform/stores/postgres.js';
import type { PayloadCheck, Registered, Registry } from '../registry/registered.js';
import type { Delivery } from './event-source.js';
import type { StoreRow } from './intake.repository.js';
import { type Triaged, triage } from './triage.js';

/** Triage holds the event loop for this time at most, or for one message. */
const TURN_MS = 20;

/**
 * Triages a batch. What is `unchecked` is triaged again, type by type, so that one of their schemas at a time has to be in
 * memory; with `sql` they are read on that connection. Rejects with ServiceUnavailable.
 */
export async function triageAll(
  deliveries: readonly Delivery[],
  registered: Registered,
  registry: Pick<Registry, 'checks'>,
  sql?: Sql,
): Promise<StoreRow[]> {
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
    for await (const [typeId, check] of registry.checks([...unchecked.keys()], sql))
      for (const delivery of unchecked.get(typeId) ?? []) {
        judge(delivery, check);
        if (turns.isOver) await turns.next();
      }
  return deliveries.map((delivery, n) => {
    const found = triaged.get(delivery);
    // After a failover that nobody has noticed: what is in memory is not what is registered. Who is told of it reads it anew.
    if (!found) throw new ServiceUnavailable('a type in memory is no longer in the database');
    return { n, triaged: found, body: delivery.body, maySend: delivery.maySend };
  });
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
