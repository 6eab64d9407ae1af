import pg from 'pg';
import { CommandError } from '../../../services/command-error.js';

const LOCK = "hashtext('disparo demo of billing')";

/**
 * Does the work while no other demo of billing may work on these tables: its API would mail the debts of this one to its own
 * catcher. Of what earlier demos left nothing is billed or mailed any more.
 */
export async function alone<T>(databaseUrl: string, work: () => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl });
  // The lock ends with its connection; the demo sees by itself that PostgreSQL is away.
  client.on('error', () => {});
  await client.connect();
  try {
    const { rows } = await client.query<{ taken: boolean }>(`SELECT pg_try_advisory_lock(${LOCK}) AS taken`);
    if (!rows[0]?.taken) throw new CommandError('Another demo of billing runs on this PostgreSQL; one at a time');
    await client.query('UPDATE billing_companies SET deleted = true WHERE NOT deleted');
    return await work();
  } finally {
    await client.end().catch(() => {});
  }
}
