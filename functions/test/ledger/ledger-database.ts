import pg from 'pg';
import { ownDatabase } from '../../../testing/databases.js';
import type { Config } from '../../platform/config.js';
import { migrate } from '../../platform/stores/migrate.js';

/** The only user and the only company of a ledger's database. */
export const USER = 'user1';
export const COMPANY = 'company1';

/** A migrated database of its own, with USER as owner of COMPANY. */
export interface LedgerDatabase {
  config: Config;
  connect(): Promise<pg.Client>;
  drop(): Promise<unknown>;
}

/** Commits do not wait for the disk and deadlocks are found at once: neither changes what a statement sees or locks. */
const SETTINGS = ['synchronous_commit = off', "deadlock_timeout = '100ms'"];

/** Creates and migrates it. */
export async function createLedgerDatabase(): Promise<LedgerDatabase> {
  const { url, drop } = await ownDatabase({ settings: SETTINGS });
  await migrate(url);
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client(url);
    client.on('error', () => {});
    await client.connect();
    return client;
  };
  await addTenant(await connect());
  return { config: { databaseUrl: url } as Config, connect, drop };
}

async function addTenant(client: pg.Client): Promise<void> {
  await client.query("INSERT INTO users (id, email, password) VALUES ($1, 'user@example.com', '')", [USER]);
  await client.query("INSERT INTO companies (id, name, document) VALUES ($1, 'Company', '11222333000181')", [COMPANY]);
  await client.query("INSERT INTO memberships (company_id, user_id, role) VALUES ($1, $2, 'owner')", [COMPANY, USER]);
  await client.end();
}
