import { readEnvironment } from '@disparo/contract';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { someCnpj } from '../../../testing/cnpj.js';
import { ownDatabase } from '../../../testing/databases.js';
import { until } from '../../../testing/until.js';
import { IntakeRepository } from '../../events/intake/intake.repository.js';
import { migrate } from '../../platform/stores/migrate.js';
import type { Postgres } from '../../platform/stores/postgres.js';
import { type Connections, Simulation } from './simulation.js';

/** To repeat one run: EVENTS_SEED=<the seed of the failure> npx vitest run functions/test/events/random.spec.ts */
const seedGiven = readEnvironment().EVENTS_SEED;
const RUNS = seedGiven === undefined ? Number(readEnvironment().EVENTS_RUNS ?? 150) : 1;
const FIRST_SEED = Number(seedGiven ?? Date.now() % 1_000_000_000);
const TIMEOUT_MS = 60_000 + RUNS * 600;

const clients: pg.Client[] = [];
let connections: Connections;
let drop: () => Promise<unknown> = async () => {};

beforeAll(async () => {
  const database = await ownDatabase({ settings: ['synchronous_commit = off', "deadlock_timeout = '100ms'"] });
  drop = database.drop;
  await migrate(database.url);
  for (let at = 0; at < 6; at++) {
    const client = new pg.Client(database.url);
    await client.connect();
    clients.push(client);
  }
  const [monitor, registrar, sender, ...processors] = clients as [pg.Client, pg.Client, pg.Client];
  connections = { monitor, registrar, sender, processors };
  await monitor.query(`INSERT INTO companies (id, name, document) VALUES ('acme', 'Acme', $1)`, [someCnpj()]);
  await monitor.query(`INSERT INTO event_clients (client_id, company_id) SELECT unnest('{a,b,c}'::text[]), 'acme'`);
  await monitor.query(`INSERT INTO event_types (company_id, name, version) VALUES ('acme', 't', 1)`);
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()));
  await drop();
});

test(
  'in any order of statements, commits and crashes a message is one row, by what is registered then',
  async () => {
    console.log(`EVENTS_SEED from ${FIRST_SEED}, ${RUNS} runs`);
    for (let run = 0; run < RUNS; run++) await new Simulation(FIRST_SEED + run, connections).run();
    expect(RUNS).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

test('events are locked in the order of their keys: two processors never deadlock', async () => {
  const { monitor, sender: holder, processors } = connections;
  await monitor.query('TRUNCATE events, event_quarantine, event_deliveries');
  const [registry] = (await monitor.query<{ version: string }>('SELECT version FROM event_registry')).rows;
  const [type] = (await monitor.query<{ id: number }>(`SELECT id FROM event_types WHERE name = 't'`)).rows;
  const store = (client: pg.Client, keys: string[]) =>
    repositoryOn(client).store(
      registry?.version ?? '',
      true,
      keys.map((key, n) => ({
        n,
        body: Buffer.from(key),
        triaged: { ...EVENT, typeId: type?.id ?? 0, key },
      })),
    );
  await holder.query('BEGIN');
  await store(holder, ['b']);
  const [first, second] = processors as [pg.Client, pg.Client];
  const ended = [store(first, ['a', 'b', 'c']), store(second, ['c', 'b', 'a'])];
  const waiting = 'SELECT DISTINCT pid FROM pg_locks WHERE NOT granted AND pid = ANY ($1::int[])';
  const pids = [first, second].map((client) => (client as unknown as { processID: number }).processID);
  await until(async () => expect((await monitor.query(waiting, [pids])).rows).toHaveLength(2));
  await holder.query('COMMIT');
  await Promise.all(ended);
  expect((await monitor.query('SELECT count(*)::int AS events FROM events')).rows).toEqual([{ events: 3 }]);
});

const EVENT = { kind: 'event', companyId: 'acme', clientId: 'a', message: 'x', occurredAt: undefined } as const;

function repositoryOn(client: pg.Client): IntakeRepository {
  const query = async (text: string, values: unknown[]) => (await client.query(text, values)).rows;
  return new IntakeRepository({ query } as unknown as Postgres);
}
