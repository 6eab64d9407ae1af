import pg from 'pg';

/** The naive queue, after the prefix. */
export const QUEUE = '.naive';

/** Where the naive pair works: the variables of every other app. */
export function read() {
  const { DATABASE_URL = '', MONGODB_URL = '', RABBITMQ_URL = '', QUEUE_PREFIX = '' } = process.env;
  return { databaseUrl: DATABASE_URL, mongodbUrl: MONGODB_URL, rabbitmqUrl: RABBITMQ_URL, prefix: QUEUE_PREFIX };
}

/** Its one table; two that start together may both make it. */
export async function openPool(connectionString: string): Promise<pg.Pool> {
  const pool = new pg.Pool({ connectionString });
  await pool.query('CREATE TABLE IF NOT EXISTS naive_campaigns (id text PRIMARY KEY, total int, status text)');
  return pool;
}
