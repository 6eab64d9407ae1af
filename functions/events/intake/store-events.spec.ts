import { expect, test } from 'vitest';
import { ServiceUnavailable } from '../../platform/problem.js';
import type { Sql } from '../../platform/stores/postgres.js';
import { createLog } from '../../platform/telemetry/log.js';
import { Metrics } from '../../platform/telemetry/metrics.js';
import { type PayloadCheck, type Registered, Registry } from '../registry/registered.js';
import type { Delivery } from './event-source.js';
import { EventsMeter } from './events-meter.js';
import type { IntakeRepository } from './intake.repository.js';
import { Overtaken, StoreEvents } from './store-events.js';

const SLOW_MS = 25;

/** A registry of one type, whose schema takes long, and has to be loaded first. */
class SlowRegistry extends Registry {
  checked = 0;
  distrusted = 0;

  async current(): Promise<Registered> {
    return { version: '1', companyOf: () => 'acme', type: () => ({ id: 1, version: 1, schema: 'unloaded' }) };
  }

  newerThan(): Promise<Registered> {
    return this.current();
  }

  held(): Promise<Registered> {
    return this.current();
  }

  holding<T>(): Promise<T> {
    throw new Error('not needed here');
  }

  async *checks(): AsyncIterable<[number, PayloadCheck]> {
    const check = () => {
      this.checked += 1;
      for (const end = performance.now() + SLOW_MS; performance.now() < end; );
      return undefined;
    };
    yield [1, check];
  }

  distrust(): void {
    this.distrusted += 1;
  }
}

function storing(registry: Registry, store: () => Promise<unknown>): StoreEvents {
  const repository = { store } as unknown as IntakeRepository;
  return new StoreEvents(registry, repository, new EventsMeter(createLog('silent'), new Metrics()));
}

const body = Buffer.from(JSON.stringify({ event_type: 't', client_id: 'c', message: {} }));
const EIGHT = Array.from({ length: 8 }, (_, n) => ({ body, key: `b:${n}` }));

test('other work goes on while messages with a costly schema are triaged', async () => {
  const registry = new SlowRegistry();
  const store = storing(registry, async () => EIGHT.map((_, n) => ({ n, outcome: 'stored', event_id: String(n) })));
  const seen: number[] = [];
  const watching = setInterval(() => seen.push(registry.checked), 1);
  const outcomes = await store.store(EIGHT, true);
  clearInterval(watching);
  expect(outcomes).toHaveLength(8);
  expect(seen.filter((checked) => checked > 0 && checked < 8).length).toBeGreaterThan(3);
});

test('what is in memory of the registry is distrusted when PostgreSQL was away, and not for another error', async () => {
  const registry = new SlowRegistry();
  const failing = (error: Error, within = false) => {
    const store = storing(registry, () => Promise.reject(error));
    const [first] = EIGHT as [Delivery];
    const stored = within ? store.storeWithin((one) => one({} as Sql, first)) : store.store([first], true);
    return stored.catch((thrown: unknown) => thrown);
  };
  const [away, lost, bug] = [
    new ServiceUnavailable('the database is away'),
    new Error('Connection terminated unexpectedly'),
    new Error('a bug'),
  ];
  expect([await failing(bug), registry.distrusted]).toEqual([bug, 0]);
  expect([await failing(away), registry.distrusted]).toEqual([away, 1]);
  expect([await failing(lost, true), registry.distrusted]).toEqual([lost, 2]);
});

test('a type in memory whose schema the database no longer has is an outage, after which the registry is read anew', async () => {
  const registry = new SlowRegistry();
  registry.checks = async function* () {};
  const failing = storing(registry, () => Promise.reject(new Error('not reached'))).store(EIGHT, true);
  await expect(failing).rejects.toThrow(ServiceUnavailable);
  expect(registry.distrusted).toBe(1);
});

test('a transaction that is overtaken again and again gives up, and may be tried again', async () => {
  let begun = 0;
  const failing = storing(new SlowRegistry(), () => Promise.reject(new Error('not reached'))).storeWithin(() => {
    begun += 1;
    return Promise.reject(new Overtaken());
  });
  await expect(failing).rejects.toThrow(ServiceUnavailable);
  expect(begun).toBeGreaterThan(1);
});
