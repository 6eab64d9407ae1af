import { afterAll, beforeAll, expect, test } from 'vitest';
import { Steering } from '../../ledger/steer/steering.js';
import { Postgres } from '../../platform/stores/postgres.js';
import { runsOf } from '../simulation/runs.js';
import { createLedgerDatabase, type LedgerDatabase } from './ledger-database.js';
import { type Connections, Simulation } from './ledger-simulation.js';

/** To repeat one run: LEDGER_SEED=<the seed of the failure> npx vitest run functions/test/ledger/ledger-random.spec.ts */
const { seeds, timeoutMs } = runsOf('LEDGER', 600);
/** Simulations that run in parallel, each with a database of its own: a healer looks at every campaign there is. */
const LANES = 3;

const databases: { database: LedgerDatabase; postgres: Postgres }[] = [];

beforeAll(async () => {
  for (let lane = 0; lane < LANES; lane++) {
    const database = await createLedgerDatabase();
    databases.push({ database, postgres: new Postgres(database.config) });
  }
}, timeoutMs);

afterAll(async () => {
  for (const { database, postgres } of databases) {
    await postgres.close();
    await database.drop();
  }
});

// The events: statements, commits, crashes and commands.
test(
  'in any order of events the ledger holds together and stores every number once',
  async () => {
    const left = seeds.values();
    const lanes = databases.map(async ({ database, postgres }) => {
      const connections = await connect(database, postgres);
      for (const seed of left) await new Simulation(seed, connections).run();
    });
    await Promise.all(lanes);
    expect(seeds.length).toBeGreaterThan(0);
  },
  timeoutMs,
);

async function connect(database: LedgerDatabase, postgres: Postgres): Promise<Connections> {
  const pair = () => Promise.all([database.connect(), database.connect()]);
  const [publishers, consumers, users, monitor] = await Promise.all([pair(), pair(), pair(), database.connect()]);
  return { publishers, consumers, users, monitor, lastUser: new Steering(postgres) };
}
