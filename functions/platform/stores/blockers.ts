import pg from 'pg';

const LOOK_EVERY_MS = 2_500;
const CONNECT_TIMEOUT_MS = 1_000;
const ANSWER_TIMEOUT_MS = 1_000;

/**
 * Watches, by a connection of its own, what a process of PostgreSQL waits for. Says it when that lasts for seconds, and
 * again when it changes. Ends when the function that it returns is called. `pid` is undefined while a pooler has given us
 * no process yet.
 */
export function reportBlockers(
  databaseUrl: string,
  pid: () => number | undefined,
  say: (line: string) => void,
): () => void {
  let said = '';
  let over = false;
  const look = async (): Promise<void> => {
    const line = await blockers(databaseUrl, pid()).catch(() => 'for an answer of PostgreSQL, which does not say why');
    if (line !== '' && line !== said && !over) say(`The migrations are waiting ${line}`);
    said = line;
  };
  const timer = setInterval(look, LOOK_EVERY_MS).unref();
  return () => {
    over = true;
    clearInterval(timer);
  };
}

/** What the process waits for, in words; empty: for nothing, it works. */
async function blockers(databaseUrl: string, pid: number | undefined): Promise<string> {
  if (pid === undefined) return 'for a free connection to PostgreSQL';
  const client = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    // A user without the right to see what others do gets their pid and names, and no state.
    const { rows } = await client.query<{ blocker: string }>(
      `SELECT concat_ws(', ', 'process ' || pid, 'user ' || usename, nullif(application_name, ''), state) AS blocker
         FROM pg_stat_activity WHERE pid = ANY (pg_blocking_pids($1)) ORDER BY pid`,
      [pid],
    );
    const names = rows.map(({ blocker }) => blocker);
    return names.length === 0 ? '' : `for a lock that another session of PostgreSQL holds (${names.join('; ')})`;
  } finally {
    await client.end().catch(() => {});
  }
}
