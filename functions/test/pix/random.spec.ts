import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openConnections } from '../simulation/connections.js';
import { runsOf } from '../simulation/runs.js';
import { type Connections, Simulation } from './simulation.js';

/** To repeat one run: PIX_SEED=<the seed of the failure> npx vitest run functions/test/pix/random.spec.ts */
const { seeds, timeoutMs } = runsOf('PIX', 80);

let connections: Connections;
let close: () => Promise<void> = async () => {};

beforeAll(async () => {
  const opened = await openConnections(8);
  close = opened.close;
  const [monitor, maker, clock, duty, ...processes] = opened.clients as [pg.Client, pg.Client, pg.Client, pg.Client];
  connections = { monitor, maker, clock, duty, processes };
});

afterAll(() => close());

test(
  'a message is acknowledged once, by the stream whose client has seen it, in any order of events',
  async () => {
    for (const seed of seeds) await new Simulation(seed, connections).run();
    expect(seeds.length).toBeGreaterThan(0);
  },
  timeoutMs,
);
