import type { Page, PageQuery } from '../http/slices.js';
import type { Postgres, Sql } from './postgres.js';

/** One page of the rows of `from`, and their total at the same moment. `order` must end in something unique. */
export async function pageOfRows<T extends object>(
  sql: Sql,
  from: string,
  order: string,
  values: unknown[],
  { page, page_size }: PageQuery,
): Promise<Page<T>> {
  const limit = values.length + 1;
  const rows = await sql.query<{ total: number; row: boolean | null } & T>(
    `WITH found AS (${from})
     SELECT counted.total, cut.*
       FROM (SELECT count(*)::int AS total FROM found) counted
       LEFT JOIN LATERAL (SELECT true AS row, found.* FROM found ORDER BY ${order} LIMIT $${limit} OFFSET $${limit + 1}) cut
         ON true
      ORDER BY ${order}`,
    [...values, page_size, (page - 1) * page_size],
  );
  const data = rows.filter(({ row }) => row).map(({ total: _, row: __, ...rest }) => rest as unknown as T);
  return { data, page, page_size, total: rows[0]?.total ?? 0 };
}

/** The row of a statement that always returns one. */
export function requiredRow<T>(row: T | undefined): T {
  if (row === undefined) throw new Error('a statement that always returns a row did not');
  return row;
}

/**
 * The rows of a statement that takes the first ones of an order which an index has. guard: after a large change there are no
 * statistics for minutes. The planner then expects few rows, so it reads and sorts all that there are, again for each slice.
 * Without sorting it walks the index until it has enough.
 */
export function rowsInIndexOrder<T>(postgres: Postgres, text: string, values: unknown[] = []): Promise<T[]> {
  return postgres.transaction(async (sql) => {
    await sql.query('SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off');
    return sql.query<T>(text, values);
  });
}
