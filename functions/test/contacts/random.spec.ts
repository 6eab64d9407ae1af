import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openConnections, untilWaiting } from '../simulation/connections.js';
import { runsOf } from '../simulation/runs.js';
import { someContacts } from './fixtures.js';
import { type Connections, REFUSED, Simulation } from './simulation.js';

/** To repeat one run: CONTACTS_SEED=<the seed of the failure> npx vitest run functions/test/contacts/random.spec.ts */
const { seeds, timeoutMs } = runsOf('CONTACTS', 150);

let connections: Connections;
let close: () => Promise<void> = async () => {};

beforeAll(async () => {
  const opened = await openConnections(7);
  close = opened.close;
  const [monitor, forgetter, first, second, ...workers] = opened.clients as [
    pg.Client,
    pg.Client,
    pg.Client,
    pg.Client,
  ];
  connections = { monitor, forgetter, accepters: [first, second], workers };
  await monitor.query(`ALTER TABLE contacts ADD CHECK (name <> '${REFUSED}')`);
});

afterAll(() => close());

// The events: statements, commits and crashes.
test(
  'in any order of events every job ends once, as the four tables say',
  async () => {
    for (const seed of seeds) await new Simulation(seed, connections).run();
    expect(seeds.length).toBeGreaterThan(0);
  },
  timeoutMs,
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
  await untilWaiting(monitor, workers.slice(0, orders.length));
  await holder.query('COMMIT');
  await Promise.all(ended);
  expect((await monitor.query('SELECT count(*)::int AS contacts FROM contacts')).rows).toEqual([{ contacts: 3 }]);
});
