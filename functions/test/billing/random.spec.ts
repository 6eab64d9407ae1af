import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openConnections } from '../simulation/connections.js';
import { runsOf } from '../simulation/runs.js';
import { CONNECTIONS, Simulation } from './simulation.js';

/** To repeat one run: BILLING_SEED=<the seed of the failure> npx vitest run functions/test/billing/random.spec.ts */
const { seeds, timeoutMs } = runsOf('BILLING', 25);

let connections: pg.Client[] = [];
let close: () => Promise<void> = async () => {};

beforeAll(async () => {
  const opened = await openConnections(CONNECTIONS);
  close = opened.close;
  connections = opened.clients;
  await connections[0]?.query(`
    INSERT INTO companies (id, name, document) VALUES ('a', 'A', '11222333000181'), ('b', 'B', '11444777000161');
    INSERT INTO billing_companies (company_id) VALUES ('a'), ('b')`);
});

afterAll(() => close());

test(
  'a debt is billed once, mailed once and paid by its payments, in any order of events',
  async () => {
    for (const seed of seeds) await new Simulation(seed, connections).run();
    expect(seeds.length).toBeGreaterThan(0);
  },
  timeoutMs,
);
