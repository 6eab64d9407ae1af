import { expect, test } from 'vitest';
import { createLog } from '../../platform/telemetry/log.js';
import { Metrics } from '../../platform/telemetry/metrics.js';
import { type Registered, Registry } from '../registry/registered.js';
import { EventsMeter } from './events-meter.js';
import type { IntakeRepository } from './intake.repository.js';
import { StoreEvents } from './store-events.js';

const SLOW_MS = 25;

/** A registry of one type, whose schema takes long. */
class SlowRegistry extends Registry {
  checked = 0;

  async current(): Promise<Registered> {
    const schema = () => {
      this.checked += 1;
      for (const end = performance.now() + SLOW_MS; performance.now() < end; );
      return undefined;
    };
    return { version: '1', companyOf: () => 'acme', type: () => ({ id: 1, version: 1, schema }) };
  }

  newerThan(): Promise<Registered> {
    return this.current();
  }
}

test('other work goes on while messages with a costly schema are triaged', async () => {
  const registry = new SlowRegistry();
  const repository = {
    store: async (_version: string, _keep: boolean, rows: readonly { n: number }[]) =>
      rows.map(({ n }) => ({ n, outcome: 'stored', event_id: String(n) })),
  };
  const meter = new EventsMeter(createLog('silent'), new Metrics());
  const store = new StoreEvents(registry, repository as unknown as IntakeRepository, meter);
  const body = Buffer.from(JSON.stringify({ event_type: 't', client_id: 'c', message: {} }));
  const deliveries = Array.from({ length: 8 }, (_, n) => ({ body, key: `b:${n}` }));
  const seen: number[] = [];
  const watching = setInterval(() => seen.push(registry.checked), 1);
  const outcomes = await store.store(deliveries, true);
  clearInterval(watching);
  expect(outcomes).toHaveLength(8);
  expect(seen.filter((checked) => checked > 0 && checked < 8).length).toBeGreaterThan(3);
});
