import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { someCnpj } from '../../../testing/cnpj.js';
import { openConnections } from '../simulation/connections.js';
import { runsOf } from '../simulation/runs.js';
import { type Connections, Simulation } from './simulation.js';

/** To repeat one run: WEBHOOKS_SEED=<the seed of the failure> npx vitest run functions/test/webhooks/random.spec.ts */
const { seeds, timeoutMs } = runsOf('WEBHOOKS', 60);

let connections: Connections;
let close: () => Promise<void> = async () => {};

beforeAll(async () => {
  const opened = await openConnections(7);
  close = opened.close;
  const [monitor, client, member, clock, ...senders] = opened.clients as [pg.Client, pg.Client, pg.Client, pg.Client];
  connections = { monitor, client, member, clock, senders };
  await monitor.query(`INSERT INTO companies (id, name, document) VALUES ('acme', 'Acme', $1)`, [someCnpj()]);
  await monitor.query(`INSERT INTO event_clients (client_id, company_id) VALUES ('a', 'acme')`);
  await monitor.query(`INSERT INTO event_types (company_id, name, version) VALUES ('acme', 'u', 1)`);
});

afterAll(() => close());

test(
  'in any order of claims, answers, crashes and changes a delivery is settled once a round, and none is forgotten',
  async () => {
    for (const seed of seeds) await new Simulation(seed, connections).run();
    expect(seeds.length).toBeGreaterThan(0);
  },
  timeoutMs,
);
