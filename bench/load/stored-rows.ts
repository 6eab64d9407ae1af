import pg from 'pg';
import { userAt } from './users.js';

/** A table compared with the rows that were sent. */
export interface TableRows {
  table: string;
  sent: number;
  found: number;
  /** Rows that were sent and are not there, and rows that are there and were not sent. A changed row is one of each. */
  missing: number;
  other: number;
}

const SLICE = 1_000;
const CONNECT_MS = 10_000;
const QUERY_MS = 60_000;

/** The tables: what is read of them, and the same rows of a user. The first column is the user's id. */
const TABLES: { table: string; sql: string; rows: (user: ReturnType<typeof userAt>) => unknown[][] }[] = [
  {
    table: 'contacts',
    sql: 'SELECT c.id, c.name, c.age, c.score, c.active, c.country FROM contacts c',
    rows: ({ id, name, age, score, active, country }) => [[id, name, age, score, active, country]],
  },
  {
    table: 'contact_teams',
    sql: 'SELECT c.id, t.name, t.leader FROM contacts c JOIN contact_teams t USING (job)',
    rows: ({ id, team }) => [[id, team.name, team.leader]],
  },
  {
    table: 'contact_projects',
    sql: 'SELECT c.id, p.position, p.name, p.completed FROM contacts c JOIN contact_projects p USING (job)',
    rows: ({ id, team }) => team.projects.map(({ name, completed }, position) => [id, position, name, completed]),
  },
  {
    table: 'contact_logs',
    sql: 'SELECT c.id, l.position, l.date::text, l.action FROM contacts c JOIN contact_logs l USING (job)',
    rows: ({ id, logs }) => logs.map(({ date, action }, position) => [id, position, date, action]),
  },
];

/**
 * Compares each row of the four tables, by the ids of the first `users` of a seed, with what was sent. Only reads. Throws
 * when PostgreSQL does not answer, or has no such tables.
 */
export async function compareRows(databaseUrl: string, seed: number, users: number): Promise<TableRows[]> {
  const limits = { connectionTimeoutMillis: CONNECT_MS, query_timeout: QUERY_MS };
  const client = new pg.Client({ connectionString: databaseUrl, ...limits });
  // A connection that breaks rejects the query that is running.
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('BEGIN READ ONLY');
    const all = TABLES.map(({ table }) => ({ table, sent: 0, found: 0, missing: 0, other: 0 }));
    for (let first = 0; first < users; first += SLICE) {
      const slice = Array.from({ length: Math.min(SLICE, users - first) }, (_, at) => userAt(seed, first + at));
      for (const [at, rows] of all.entries()) await addSlice(client, TABLES[at] as (typeof TABLES)[0], slice, rows);
    }
    return all;
  } finally {
    client.end().catch(() => {});
  }
}

async function addSlice(
  client: pg.Client,
  { sql, rows }: (typeof TABLES)[0],
  slice: readonly ReturnType<typeof userAt>[],
  sums: TableRows,
): Promise<void> {
  const sent = new Set(slice.flatMap((user) => rows(user).map((row) => JSON.stringify(row))));
  const text = `${sql} WHERE c.id = ANY ($1::uuid[])`;
  const found = await client.query<unknown[]>({ text, values: [slice.map(({ id }) => id)], rowMode: 'array' });
  sums.sent += sent.size;
  sums.found += found.rows.length;
  for (const row of found.rows) if (!sent.delete(JSON.stringify(row))) sums.other++;
  sums.missing += sent.size;
}
