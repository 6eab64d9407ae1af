import { readEnvironment } from '@disparo/contract';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Steering } from '../../ledger/steer/steering.js';
import { Postgres } from '../../platform/stores/postgres.js';
import { createLedgerDatabase, type LedgerDatabase } from './ledger-database.js';
import { type Connections, Simulation } from './ledger-simulation.js';

/** To repeat one run: LEDGER_SEED=<the seed of the failure> npx vitest run functions/test/ledger/ledger-random.spec.ts */
const seedGiven = readEnvironment().LEDGER_SEED;
const RUNS = seedGiven === undefined ? Number(readEnvironment().LEDGER_RUNS ?? 600) : 1;
const FIRST_SEED = Number(seedGiven ?? Date.now() % 1_000_000_000);
/** Simulations that run in parallel, each with a database of its own: a healer looks at every campaign there is. */
const LANES = 3;
/** They take a minute on two idle cores, and up to ten times as long on busy ones. */
const TIMEOUT_MS = 60_000 + RUNS * 600;

const databases: { database: LedgerDatabase; postgres: Postgres }[] = [];

beforeAll(async () => {
  for (let lane = 0; lane < LANES; lane++) {
    const database = await createLedgerDatabase();
    databases.push({ database, postgres: new Postgres(database.config) });
  }
}, TIMEOUT_MS);

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
    console.log(`LEDGER_SEED from ${FIRST_SEED}, ${RUNS} runs`);
    let begun = 0;
    const lanes = databases.map(async ({ database, postgres }) => {
      const connections = await connect(database, postgres);
      while (begun < RUNS) await new Simulation(FIRST_SEED + begun++, connections).run();
    });
    await Promise.all(lanes);
    expect(begun).toBe(RUNS);
  },
  TIMEOUT_MS,
);

async function connect(database: LedgerDatabase, postgres: Postgres): Promise<Connections> {
  const pair = () => Promise.all([database.connect(), database.connect()]);
  const [publishers, consumers, users, monitor] = await Promise.all([pair(), pair(), pair(), database.connect()]);
  return { publishers, consumers, users, monitor, lastUser: new Steering(postgres) };
}
