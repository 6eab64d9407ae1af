import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import { MemoryRegistry } from '../../events/registry/memory-registry.js';
import type { PayloadCheck, RegisteredType } from '../../events/registry/registered.js';
import { RegistryRepository, type RegistryRows } from '../../events/registry/registry.repository.js';
import type { Config } from '../../platform/config.js';
import { ServiceUnavailable } from '../../platform/problem.js';
import { Postgres, type Sql } from '../../platform/stores/postgres.js';

const CHANGES = 40;

/** Counts its looks, each of which has its rows before `wait` and ends after it. */
class CountedRepository extends RegistryRepository {
  looks = 0;
  wait = async () => {};

  override async all(sql: Sql): Promise<RegistryRows> {
    const rows = await super.all(sql);
    this.looks += 1;
    await this.wait();
    return rows;
  }
}

let stage: ApiStage;
let postgres: Postgres;
let ana: TestUser;
let acme: TestCompany;

beforeAll(async () => {
  stage = await ApiStage.open();
  ana = await stage.user();
  acme = await stage.company(ana);
  postgres = new Postgres({ databaseUrl: stage.env.DATABASE_URL } as Config);
});

afterAll(async () => {
  await postgres?.close();
  await stage?.close();
});

function opened(): { registry: MemoryRegistry; repository: CountedRepository } {
  const repository = new CountedRepository();
  return { registry: new MemoryRegistry(postgres, repository), repository };
}

async function post(path: string, body: object): Promise<void> {
  const answer = await stage.api('POST', path, { token: ana.token, body: { company_id: acme.id, ...body } });
  expect(answer.status).toBe(201);
}

const addClient = (clientId: string) => post('/api/events/clients', { client_id: clientId });
const addType = (name: string, more: object = {}) => post('/api/events/types', { name, ...more });

/** A promise, and what fulfils it. */
function gate(): { closed: Promise<void>; open: () => void } {
  let open = () => {};
  const closed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { closed, open };
}

test('a snapshot has the rows of its version, while they change', async () => {
  const { registry } = opened();
  const first = await registry.current();
  let changing = true;
  const changes = async () => {
    for (let at = 1; at <= CHANGES; at++) await addClient(`change-${at}`);
    changing = false;
  };
  const torn: string[] = [];
  const seen = new Set<string>();
  const reads = async () => {
    for (let last = first; changing; ) {
      last = await registry.newerThan(last.version);
      seen.add(last.version);
      const expected = Number(BigInt(last.version) - BigInt(first.version));
      const there = Array.from({ length: CHANGES }, (_, at) => last.companyOf(`change-${at + 1}`) !== undefined);
      if (there.filter(Boolean).length !== expected) torn.push(`${last.version}: ${there.filter(Boolean).length}`);
    }
  };
  await Promise.all([changes(), reads(), reads()]);
  expect(torn).toEqual([]);
  expect(seen.size).toBeGreaterThan(2);
});

test('a client is of its company, and of none once it is deleted', async () => {
  const { registry } = opened();
  await addClient('of-acme');
  const before = await registry.current();
  expect([before.companyOf('of-acme'), before.companyOf('nobody')]).toEqual([acme.id, undefined]);
  await stage.api('DELETE', '/api/events/clients/of-acme', { token: ana.token });
  const after = await registry.newerThan(before.version);
  expect([before.companyOf('of-acme'), after.companyOf('of-acme')]).toEqual([acme.id, undefined]);
});

/** The check of a type that was not loaded. */
async function checkOf(registry: MemoryRegistry, type: RegisteredType | undefined): Promise<PayloadCheck> {
  expect(type?.schema).toBe('unloaded');
  for await (const [id, check] of registry.checks([type?.id ?? 0])) if (id === type?.id) return check;
  throw new Error('no such type');
}

test('a type is found by version or as its newest, and is compiled once over all snapshots', async () => {
  const { registry } = opened();
  await addType('t', { schema: { type: 'object', required: ['a'] } });
  const before = await registry.current();
  const check = await checkOf(registry, before.type(acme.id, 't'));
  expect([check({}, 2), check({ a: 1 }, 7)]).toEqual(['/a required', undefined]);
  const one = before.type(acme.id, 't', 1);
  expect([before.type(acme.id, 't'), one?.schema]).toEqual([one, check]);
  await addType('t');
  const after = await registry.newerThan(before.version);
  expect(after.type(acme.id, 't')).toMatchObject({ version: 2, schema: undefined });
  expect(after.type(acme.id, 't', 1)).toEqual(one);
  expect(after.type(acme.id, 't', 1)?.schema).toBe(check);
  const none = [after.type(acme.id, 't', 3), after.type('other', 't'), after.type(acme.id, 'u')];
  const names = ['t 1', '1 t', 'newest t', ' t', 't '].map((name) => after.type(acme.id, name));
  expect([...none, ...names].filter((type) => type !== undefined)).toEqual([]);
  await stage.api('DELETE', `/api/events/types/t?company_id=${acme.id}`, { token: ana.token });
  expect((await registry.newerThan(after.version)).type(acme.id, 't', 1)).toBeUndefined();
});

test('callers at the same time have one look between them', async () => {
  const { registry, repository } = opened();
  const snapshots = await Promise.all(Array.from({ length: 10 }, () => registry.current()));
  expect([new Set(snapshots).size, repository.looks]).toEqual([1, 1]);
  const [known] = snapshots;
  expect(await registry.newerThan('0')).toBe(known);
  expect(repository.looks).toBe(1);
});

test('a look that began before the change is not what a caller after it gets', async () => {
  const { registry, repository } = opened();
  const { version } = await registry.current();
  const { closed, open } = gate();
  repository.wait = () => closed;
  const early = registry.newerThan(version);
  await expect.poll(() => repository.looks).toBe(2);
  await addClient('after-the-look');
  const late = registry.newerThan(version);
  open();
  expect((await early).companyOf('after-the-look')).toBeUndefined();
  expect((await late).companyOf('after-the-look')).toBe(acme.id);
});

test('a look that fails is told to those who wait, and the next one looks again', async () => {
  const { registry, repository } = opened();
  repository.wait = () => Promise.reject(new ServiceUnavailable('the database is away'));
  const failed = await Promise.allSettled([registry.current(), registry.current()]);
  expect(failed.map((each) => each.status === 'rejected' && each.reason instanceof ServiceUnavailable)).toEqual([
    true,
    true,
  ]);
  repository.wait = async () => {};
  expect((await registry.current()).version).toMatch(/^\d+$/);
});

test('a schema is read when it is needed first, a slice of them by one query', async () => {
  const { registry, repository } = opened();
  const schemas = vi.spyOn(repository, 'schemas');
  const names = Array.from({ length: 70 }, (_, at) => `many-${at}`);
  for (const name of names) await addType(name, { schema: { const: name } });
  const registered = await registry.current();
  expect(schemas).not.toHaveBeenCalled();
  const ids = names.map((name) => registered.type(acme.id, name)?.id ?? 0);
  const found = new Map<number, PayloadCheck>();
  for await (const [id, check] of registry.checks(ids)) found.set(id, check);
  expect(schemas.mock.calls.map(([, asked]) => asked.length)).toEqual([64, 6]);
  expect(ids.map((id, at) => found.get(id)?.(names[at], 9))).toEqual(ids.map(() => undefined));
  expect(names.map((name) => registered.type(acme.id, name)?.schema)).toEqual(ids.map((id) => found.get(id)));
});

test('nothing is believed any more after PostgreSQL was away: version and ids may be those of other rows', async () => {
  const { registry, repository } = opened();
  await addClient('before-failover');
  await addType('of-failover', { schema: { const: 1 } });
  await addType('kept', { schema: { const: 1 } });
  const before = await registry.current();
  const [old, kept] = [
    await checkOf(registry, before.type(acme.id, 'of-failover')),
    await checkOf(registry, before.type(acme.id, 'kept')),
  ];
  const { closed, open } = gate();
  repository.wait = () => closed;
  const looking = registry.newerThan(before.version);
  await expect.poll(() => repository.looks).toBe(2);
  await stage.sql(`UPDATE event_clients SET deleted = true WHERE client_id = 'before-failover'`);
  await stage.sql(`UPDATE event_types SET schema = '{"const": 2}' WHERE name = 'of-failover'`);
  registry.distrust();
  open();
  await looking;
  const after = await registry.current();
  expect([after.version, after.companyOf('before-failover')]).toEqual([before.version, undefined]);
  const check = await checkOf(registry, after.type(acme.id, 'of-failover'));
  expect([old(1, 1), check(1, 1), check(2, 1)]).toEqual([undefined, '/ const', undefined]);
  expect(await checkOf(registry, after.type(acme.id, 'kept'))).toBe(kept);
});

test('what a transaction read before an outage is not kept either', async () => {
  const { registry, repository } = opened();
  await registry.current();
  await stage.sql('UPDATE event_registry SET version = version + 1');
  const looked = gate();
  const reading = gate();
  repository.wait = () => {
    looked.open();
    return reading.closed;
  };
  const held = postgres.transaction((sql) => registry.held(sql));
  await looked.closed;
  registry.distrust();
  reading.open();
  const old = await held;
  repository.wait = async () => {};
  const looks = repository.looks;
  expect((await registry.current()).version).toBe(old.version);
  expect(repository.looks).toBe(looks + 1);
});

test('a change waits for batches that began before it, and later ones wait for the change', async () => {
  const repository = new RegistryRepository();
  const { version } = await repository.all(postgres);
  const store = `SELECT outcome FROM store_events(${version}, true, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')`;
  const order: string[] = [];
  const [began, first] = [gate(), gate()];
  const before = postgres.transaction(async (sql) => {
    await sql.query(store);
    began.open();
    await first.closed;
    order.push('first batch');
  });
  await began.closed;
  const change = postgres.transaction((sql) => repository.raiseVersion(sql)).then(() => order.push('change'));
  const untilWaiting = (count: number) =>
    stage.until(
      async () => {
        const waiting = `SELECT count(DISTINCT l.pid)::int AS pids FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                        WHERE NOT l.granted AND a.datname = current_database()`;
        return (await stage.sql<{ pids: number }>(waiting))[0]?.pids === count;
      },
      `${count} wait`,
      5_000,
    );
  await untilWaiting(1);
  const after = postgres.query<{ outcome: string }>(store).then((rows) => {
    order.push('second batch');
    return rows;
  });
  // Opened also when the second one does not wait: nothing must hold the test up.
  await untilWaiting(2).finally(first.open);
  await Promise.all([before, change]);
  expect(await after).toEqual([{ outcome: 'stale_registry' }]);
  expect(order.slice(0, 2)).toEqual(['first batch', 'change']);
});
