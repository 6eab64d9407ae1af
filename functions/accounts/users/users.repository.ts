import { Injectable } from '@nestjs/common';
import type { Page, PageQuery } from '../../platform/http/slices.js';
import type { Sql, Transaction } from '../../platform/stores/postgres.js';
import { pageOfRows, requiredRow } from '../../platform/stores/rows.js';

/** A user without the password. */
export interface UserRow {
  id: string;
  email: string;
  created_at: Date;
  updated_at: Date;
  deleted: boolean;
}

const USER = 'u.id, u.email, u.created_at, u.updated_at, u.deleted';

/** $1 and all who are in a living company with $1. */
const VISIBLE_TO = `
  SELECT $1::text AS id
  UNION
  SELECT theirs.user_id
    FROM memberships mine
    JOIN companies c ON c.id = mine.company_id AND NOT c.deleted
    JOIN memberships theirs ON theirs.company_id = mine.company_id AND NOT theirs.deleted
   WHERE mine.user_id = $1 AND NOT mine.deleted`;

/**
 * All SQL of users, and of the companies and memberships that deleting a user touches. The user who asks is the first
 * parameter. Deleted rows are not found.
 */
@Injectable()
export class UsersRepository {
  /**
   * Until the transaction ends, nobody else takes this e-mail. Called before each statement that sets one: a unique index
   * that refuses a row writes its value into PostgreSQL's log, so it must have nothing to refuse.
   */
  async lockEmail(sql: Transaction, email: string): Promise<void> {
    await sql.query("SELECT pg_advisory_xact_lock(hashtextextended('email ' || lower($1), 0))", [email]);
  }

  /** Called under lockEmail. Whether a living user other than `userId` has this e-mail. */
  async isEmailTaken(sql: Transaction, userId: string, email: string): Promise<boolean> {
    const found = await sql.query('SELECT FROM users WHERE lower(email) = lower($2) AND id <> $1 AND NOT deleted', [
      userId,
      email,
    ]);
    return found.length > 0;
  }

  async insertUser(sql: Sql, user: { id: string; email: string; password: string }): Promise<UserRow> {
    return requiredRow(
      await sql.one(`INSERT INTO users AS u (id, email, password) VALUES ($1, $2, $3) RETURNING ${USER}`, [
        user.id,
        user.email,
        user.password,
      ]),
    );
  }

  /** With the stored password, which stays inside this module. */
  async credentialsByEmail(sql: Sql, email: string): Promise<{ id: string; password: string } | undefined> {
    return sql.one('SELECT id, password FROM users WHERE lower(email) = lower($1) AND NOT deleted', [email]);
  }

  async credentials(sql: Sql, userId: string): Promise<{ email: string; password: string } | undefined> {
    return sql.one('SELECT email, password FROM users WHERE id = $1 AND NOT deleted', [userId]);
  }

  async passwordOf(sql: Sql, userId: string): Promise<string | undefined> {
    const row = await sql.one<{ password: string }>('SELECT password FROM users WHERE id = $1 AND NOT deleted', [
      userId,
    ]);
    return row?.password;
  }

  async visibleUser(sql: Sql, viewerId: string, userId: string): Promise<UserRow | undefined> {
    return sql.one(`SELECT ${USER} FROM users u WHERE u.id = $2 AND u.id IN (${VISIBLE_TO}) AND NOT u.deleted`, [
      viewerId,
      userId,
    ]);
  }

  async visibleUsers(sql: Sql, viewerId: string, page: PageQuery): Promise<Page<UserRow>> {
    const from = `SELECT ${USER} FROM users u WHERE u.id IN (${VISIBLE_TO}) AND NOT u.deleted`;
    return pageOfRows(sql, from, 'created_at, id', [viewerId], page);
  }

  /** What is undefined stays as it is. */
  async updateUser(
    sql: Sql,
    userId: string,
    change: { email: string | undefined; password: string | undefined },
  ): Promise<UserRow | undefined> {
    return sql.one(
      `UPDATE users u
          SET email = coalesce($2, email), password = coalesce($3, password), updated_at = clock_timestamp()
        WHERE u.id = $1 AND NOT u.deleted RETURNING ${USER}`,
      [userId, change.email ?? null, change.password ?? null],
    );
  }

  /** Keeps the user from being deleted until the transaction ends. False when there is none. */
  async holdUser(sql: Sql, userId: string): Promise<boolean> {
    return (await sql.query('SELECT FROM users WHERE id = $1 AND NOT deleted FOR SHARE', [userId])).length > 0;
  }

  /** The same by e-mail, which the user keeps for as long too. Returns the id. */
  async holdUserByEmail(sql: Sql, email: string): Promise<string | undefined> {
    const row = await sql.one<{ id: string }>(
      'SELECT id FROM users WHERE lower(email) = lower($1) AND NOT deleted FOR SHARE',
      [email],
    );
    return row?.id;
  }

  /** Locks the user until the transaction ends. Returns e-mail and stored password; undefined: there is no such user. */
  async lockUser(sql: Sql, userId: string): Promise<{ email: string; password: string } | undefined> {
    return sql.one('SELECT email, password FROM users WHERE id = $1 AND NOT deleted FOR UPDATE', [userId]);
  }

  /** Locks the living companies that a user owns, in the order of their ids; returns these. */
  async lockOwnedCompanies(sql: Sql, userId: string): Promise<string[]> {
    const rows = await sql.query<{ id: string }>(
      `SELECT c.id FROM companies c
        WHERE c.id IN (SELECT company_id FROM memberships WHERE user_id = $1 AND role = 'owner' AND NOT deleted)
          AND NOT c.deleted
        ORDER BY c.id FOR UPDATE OF c`,
      [userId],
    );
    return rows.map(({ id }) => id);
  }

  /** The living companies that a user owns, and how many owners each has. */
  async ownedCompanies(sql: Sql, userId: string): Promise<{ id: string; owners: number }[]> {
    return sql.query(
      `SELECT c.id, (SELECT count(*)::int FROM memberships o
                      WHERE o.company_id = c.id AND o.role = 'owner' AND NOT o.deleted) AS owners
         FROM companies c JOIN memberships m ON m.company_id = c.id
        WHERE m.user_id = $1 AND m.role = 'owner' AND NOT m.deleted AND NOT c.deleted`,
      [userId],
    );
  }

  async deleteUser(sql: Sql, userId: string): Promise<void> {
    await sql.query(
      'UPDATE memberships SET deleted = true, updated_at = clock_timestamp() WHERE user_id = $1 AND NOT deleted',
      [userId],
    );
    await sql.query('UPDATE users SET deleted = true, updated_at = clock_timestamp() WHERE id = $1', [userId]);
  }
}
