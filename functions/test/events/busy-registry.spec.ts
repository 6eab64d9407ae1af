import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { EventsMeter } from '../../events/intake/events-meter.js';
import { IntakeRepository } from '../../events/intake/intake.repository.js';
import { StoreEvents } from '../../events/intake/store-events.js';
import { MemoryRegistry } from '../../events/registry/memory-registry.js';
import { RegistryRepository, type RegistryRows } from '../../events/registry/registry.repository.js';
import type { Config } from '../../platform/config.js';
import { Postgres, type Sql } from '../../platform/stores/postgres.js';
import { createLog } from '../../platform/telemetry/log.js';
import { Metrics } from '../../platform/telemetry/metrics.js';
import { addType, envelope, someTenant, storedEvents, type Tenant } from './tenants.js';

const MOST_LOOKS = 20;

let stage: ApiStage;
let postgres: Postgres;
let tenant: Tenant;

beforeAll(async () => {
  stage = await ApiStage.open();
  postgres = new Postgres({ databaseUrl: stage.env.DATABASE_URL } as Config);
});
beforeEach(async () => {
  tenant = await someTenant(stage, await stage.user());
});
afterAll(async () => {
  await postgres?.close();
  await stage?.close();
});

/** Somebody registers something after each look at the registry, before anything can be stored with what it saw. */
class BusyRepository extends RegistryRepository {
  looks = 0;
  changes: Promise<unknown>[] = [];

  override async all(sql: Sql): Promise<RegistryRows> {
    const rows = await super.all(sql);
    this.looks += 1;
    if (this.looks > MOST_LOOKS) throw new Error('it looks again and again');
    const change = postgres.transaction((own) => this.raiseVersion(own));
    this.changes.push(change);
    // Where the version is held, the change waits for it.
    if (sql === postgres) await change;
    return rows;
  }
}

function busy(): { store: StoreEvents; repository: BusyRepository } {
  const repository = new BusyRepository();
  const registry = new MemoryRegistry(postgres, repository);
  const meter = new EventsMeter(createLog('silent'), new Metrics());
  return { store: new StoreEvents(registry, new IntakeRepository(postgres), meter), repository };
}

const delivery = (id: string, over: object = {}) => ({
  body: Buffer.from(JSON.stringify(envelope(tenant, { id, ...over }))),
  key: `b:${id}`,
});

test('a batch is stored though the registry changes all the time, and the change after it, too', async () => {
  const { store, repository } = busy();
  const outcomes = await store.store([delivery('1'), delivery('2', { message: { age: 3 } })], true);
  expect(outcomes.map(({ kind }) => kind)).toEqual(['stored', 'refused']);
  await Promise.all(repository.changes);
  expect((await storedEvents(stage, tenant)).map(({ dedupe_key }) => dedupe_key)).toEqual(['p:1']);
});

test('a row that PostgreSQL refuses is set apart then, too', async () => {
  await stage.sql(`ALTER TABLE events ADD CONSTRAINT no_age_of_99 CHECK (message <> '{"age":99}') NOT VALID`);
  const { store, repository } = busy();
  const batch = ['1', '2', '3', '4', '5'].map((id) => delivery(id, { message: { age: id === '4' ? 99 : 18 } }));
  const outcomes = await store.store(batch, true);
  await Promise.all(repository.changes);
  await stage.sql('ALTER TABLE events DROP CONSTRAINT no_age_of_99');
  expect(outcomes.map((outcome) => (outcome.kind === 'refused' ? outcome.detail : outcome.kind))).toEqual([
    ...['stored', 'stored', 'stored', 'refused_by_store:23514', 'stored'],
  ]);
  expect((await storedEvents(stage, tenant)).map(({ dedupe_key }) => dedupe_key)).toEqual(['p:1', 'p:2', 'p:3', 'p:5']);
});

test('ten who store in transactions of their own need no further connection of the pool', async () => {
  await addType(stage, tenant.company, 'user-app', 3, { type: 'object', required: ['age'] });
  const { store, repository } = busy();
  const each = Array.from({ length: 10 }, (_, at) =>
    store.storeWithin((one) => postgres.transaction((sql) => one(sql, delivery(`own-${at}`)))),
  );
  expect((await Promise.all(each)).map(({ kind }) => kind)).toEqual(each.map(() => 'stored'));
  await Promise.all(repository.changes);
});
