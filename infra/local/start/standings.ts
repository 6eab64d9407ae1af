import type pg from 'pg';
import { KeptConnection } from '../status/kept-connection.js';
import { DEADLINE_MS, end, openPostgres } from '../status/status-reader.js';
import type { Standing } from './progress.js';

/** Asks the ledger for the state of campaigns, on one connection that is kept. `ask` rejects when that takes too long. */
export function standings(databaseUrl: string): { ask: (ids: string[]) => Promise<Standing[]>; close: () => void } {
  const postgres = new KeptConnection(() => openPostgres(databaseUrl), end, DEADLINE_MS);
  return { ask: (ids) => postgres.use((client) => read(client, ids)), close: () => postgres.close() };
}

async function read(client: pg.Client, ids: string[]): Promise<Standing[]> {
  const { rows } = await client.query<Standing>(
    'SELECT id, status, total, stored, deleted FROM campaigns WHERE id = ANY($1)',
    [ids],
  );
  return rows;
}
