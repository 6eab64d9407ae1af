import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigurationError, findRoot } from '@disparo/contract';
import { runner } from 'node-pg-migrate';
import pg from 'pg';

const CONNECT_TIMEOUT_MS = 5_000;

/**
 * Brings the schema to its newest version, or one version down; answers the names of what ran. Processes that start
 * together wait for each other.
 */
export async function migrate(databaseUrl: string, direction: 'up' | 'down' = 'up'): Promise<string[]> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  // The runner's own client has no listener: a server that goes between two statements would end the process.
  client.on('error', () => {});
  try {
    await client.connect();
    return await run(client, direction);
  } finally {
    await client.end().catch(() => {});
  }
}

async function run(dbClient: pg.Client, direction: 'up' | 'down'): Promise<string[]> {
  const ran = await runner({
    dbClient,
    dir: migrationsFolder(),
    direction,
    ...(direction === 'up' ? { count: Number.POSITIVE_INFINITY } : {}),
    migrationsTable: 'migrations',
    advisoryLockMode: 'wait',
    checkOrder: true,
    logger: { debug: silent, info: silent, warn: silent, error: silent },
  });
  return ran.map(({ name }) => name);
}

function silent(): void {}

function migrationsFolder(): string {
  const root = findRoot(dirname(fileURLToPath(import.meta.url))) ?? findRoot();
  if (!root)
    throw new ConfigurationError('DATABASE_URL', 'infra/postgres/migrations is not found: run inside the clone');
  return join(root, 'infra', 'postgres', 'migrations');
}
