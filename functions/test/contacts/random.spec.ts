import { readEnvironment } from '@disparo/contract';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ownDatabase } from '../../../testing/databases.js';
import { until } from '../../../testing/until.js';
import { migrate } from '../../platform/stores/migrate.js';
import { someContacts } from './fixtures.js';
import { type Connections, REFUSED, Simulation } from './simulation.js';

/** To repeat one run: CONTACTS_SEED=<the seed of the failure> npx vitest run functions/test/contacts/random.spec.ts */
const seedGiven = readEnvironment().CONTACTS_SEED;
const RUNS = seedGiven === undefined ? Number(readEnvironment().CONTACTS_RUNS ?? 150) : 1;
const FIRST_SEED = Number(seedGiven ?? Date.now() % 1_000_000_000);
const TIMEOUT_MS = 60_000 + RUNS * 600;

const clients: pg.Client[] = [];
let connections: Connections;
let drop: () => Promise<unknown> = async () => {};

beforeAll(async () => {
  const database = await ownDatabase({ settings: ['synchronous_commit = off', "deadlock_timeout = '100ms'"] });
  drop = database.drop;
  await migrate(database.url);
  for (let at = 0; at < 7; at++) {
    const client = new pg.Client(database.url);
    await client.connect();
    clients.push(client);
  }
  const [monitor, forgetter, first, second, ...workers] = clients as [pg.Client, pg.Client, pg.Client, pg.Client];
  connections = { monitor, forgetter, accepters: [first, second], workers };
  await monitor.query(`ALTER TABLE contacts ADD CHECK (name <> '${REFUSED}')`);
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()));
  await drop();
});

// The events: statements, commits and crashes.
test(
  'in any order of events every job ends once, as the four tables say',
  async () => {
    console.log(`CONTACTS_SEED from ${FIRST_SEED}, ${RUNS} runs`);
    for (let run = 0; run < RUNS; run++) await new Simulation(FIRST_SEED + run, connections).run();
    expect(RUNS).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

test('users are locked in the order of their ids: two workers never deadlock', async () => {
  const { monitor, forgetter: holder, workers } = connections;
  await monitor.query('TRUNCATE contact_batches, contacts, contact_teams, contact_projects, contact_logs');
  const [a, b, c] = someContacts(3).toSorted((one, other) => (one.id < other.id ? -1 : 1));
  const orders = [
    [a, b, c],
    [c, b, a],
  ];
  await holder.query('BEGIN');
  await holder.query("SELECT store_contacts('{1}', ARRAY[$1])", [JSON.stringify(b)]);
  const ended = orders.map(async (users, at) => {
    const jobs = users.map((_, line) => (at + 1) * 1_000 + line);
    await workers[at]?.query('SELECT store_contacts($1, $2)', [jobs, users.map((user) => JSON.stringify(user))]);
  });
  const waiting = 'SELECT DISTINCT pid FROM pg_locks WHERE NOT granted AND pid = ANY ($1::int[])';
  const pids = workers.map((client) => (client as unknown as { processID: number }).processID);
  await until(async () => expect((await monitor.query(waiting, [pids])).rows).toHaveLength(orders.length));
  await holder.query('COMMIT');
  await Promise.all(ended);
  expect((await monitor.query('SELECT count(*)::int AS contacts FROM contacts')).rows).toEqual([{ contacts: 3 }]);
});
