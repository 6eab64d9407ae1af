import pg from 'pg';
import { expect } from 'vitest';
import { ownDatabase } from '../../../testing/databases.js';
import { until } from '../../../testing/until.js';
import { migrate } from '../../platform/stores/migrate.js';

/** Connections to a migrated database of their own, on which a crash of the server is not played. */
export async function openConnections(count: number): Promise<{ clients: pg.Client[]; close(): Promise<void> }> {
  const database = await ownDatabase({ settings: ['synchronous_commit = off', "deadlock_timeout = '100ms'"] });
  await migrate(database.url);
  const clients = Array.from({ length: count }, () => new pg.Client(database.url));
  for (const client of clients) await client.connect();
  const close = async () => {
    await Promise.all(clients.map((client) => client.end()));
    await database.drop();
  };
  return { clients, close };
}

/** Resolves when each of these waits for a lock. */
export async function untilWaiting(monitor: pg.Client, clients: readonly pg.Client[]): Promise<void> {
  const pids = clients.map((client) => (client as unknown as { processID: number }).processID);
  const waiting = 'SELECT DISTINCT pid FROM pg_locks WHERE NOT granted AND pid = ANY ($1::int[])';
  await until(async () => expect((await monitor.query(waiting, [pids])).rows).toHaveLength(clients.length));
}
