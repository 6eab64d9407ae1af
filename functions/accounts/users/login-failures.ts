import { Injectable } from '@nestjs/common';
import type { Sql } from '../../platform/stores/postgres.js';

/** All SQL of failed logins. They are kept for as long as they count. */
@Injectable()
export class LoginFailures {
  /** Logins of one e-mail take turns from here to the end of the transaction. */
  async lock(sql: Sql, email: string): Promise<void> {
    await sql.query("SELECT pg_advisory_xact_lock(hashtextextended('login ' || lower($1), 0))", [email]);
  }

  /** The failed logins of an e-mail within the window, and the seconds until the oldest leaves it. */
  async within(sql: Sql, email: string, windowS: number): Promise<{ count: number; oldestLeavesS: number }> {
    const row = await sql.one<{ count: number; oldest_leaves_s: number }>(
      `SELECT count(*)::int AS count,
              coalesce(ceil($2 - extract(epoch FROM clock_timestamp() - min(failed_at))), 0)::int AS oldest_leaves_s
         FROM login_failures
        WHERE email = lower($1) AND failed_at > clock_timestamp() - make_interval(secs => $2)`,
      [email, windowS],
    );
    return { count: row?.count ?? 0, oldestLeavesS: row?.oldest_leaves_s ?? 0 };
  }

  /** Adds a failed login, and removes older ones of any e-mail that are out of the window. */
  async insert(sql: Sql, email: string, windowS: number): Promise<void> {
    await sql.query(
      `DELETE FROM login_failures WHERE ctid = ANY (ARRAY(
         SELECT ctid FROM login_failures WHERE failed_at < clock_timestamp() - make_interval(secs => $1)
          ORDER BY failed_at LIMIT 1000 FOR UPDATE SKIP LOCKED))`,
      [windowS],
    );
    await sql.query('INSERT INTO login_failures (email) VALUES (lower($1))', [email]);
  }
}
