import pg from 'pg';

/** The name of the naive queue, behind the prefix. */
export const QUEUE = '.naive';

/** The stores, the broker and the prefix of the naive pair, from the same variables as every app. */
export function read() {
  const { DATABASE_URL = '', MONGODB_URL = '', RABBITMQ_URL = '', QUEUE_PREFIX = '' } = process.env;
  return { databaseUrl: DATABASE_URL, mongodbUrl: MONGODB_URL, rabbitmqUrl: RABBITMQ_URL, prefix: QUEUE_PREFIX };
}

/** A pool on the database, with its one table. Two processes that start together may both make it. */
export async function openPool(connectionString: string): Promise<pg.Pool> {
  const pool = new pg.Pool({ connectionString });
  await pool.query('CREATE TABLE IF NOT EXISTS naive_campaigns (id text PRIMARY KEY, total int, status text)');
  return pool;
}
