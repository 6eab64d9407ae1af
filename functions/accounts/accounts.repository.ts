import { Injectable } from '@nestjs/common';
import type { Sql } from '../platform/postgres.js';
import type { Page, PageQuery } from '../platform/validation.js';
import type { Role } from './accounts.schemas.js';
import type { Cnpj } from './cnpj.js';

/** A user without the password. */
export interface UserRow {
  id: string;
  email: string;
  created_at: Date;
  updated_at: Date;
  deleted: boolean;
}

export interface CompanyRow {
  id: string;
  name: string;
  document: string;
  created_at: Date;
  updated_at: Date;
  deleted: boolean;
}

export interface MemberRow {
  company_id: string;
  user_id: string;
  email: string;
  role: Role;
  created_at: Date;
  updated_at: Date;
  deleted: boolean;
}

const USER = 'u.id, u.email, u.created_at, u.updated_at, u.deleted';
const COMPANY = 'c.id, c.name, c.document, c.created_at, c.updated_at, c.deleted';
const MEMBER = 'm.company_id, m.user_id, u.email, m.role, m.created_at, m.updated_at, m.deleted';

/** $1 and all who are in a living company with $1. */
const VISIBLE_TO = `
  SELECT $1::text AS id
  UNION
  SELECT theirs.user_id
    FROM memberships mine
    JOIN companies c ON c.id = mine.company_id AND NOT c.deleted
    JOIN memberships theirs ON theirs.company_id = mine.company_id AND NOT theirs.deleted
   WHERE mine.user_id = $1 AND NOT mine.deleted`;

/** All SQL of users, companies and members. The tenant, or who asks, comes first. Deleted rows do not exist here. */
@Injectable()
export class AccountsRepository {
  async insertUser(sql: Sql, user: { id: string; email: string; password: string }): Promise<UserRow> {
    return certain(
      await sql.one(`INSERT INTO users AS u (id, email, password) VALUES ($1, $2, $3) RETURNING ${USER}`, [
        user.id,
        user.email,
        user.password,
      ]),
    );
  }

  /** The stored password too, which stays inside this room. */
  async credentialsByEmail(sql: Sql, email: string): Promise<{ id: string; password: string } | undefined> {
    return sql.one('SELECT id, password FROM users WHERE lower(email) = lower($1) AND NOT deleted', [email]);
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

  /** Keeps all others from the user until the transaction ends. False when there is none. */
  async lockUser(sql: Sql, userId: string): Promise<boolean> {
    return (await sql.query('SELECT FROM users WHERE id = $1 AND NOT deleted FOR UPDATE', [userId])).length > 0;
  }

  /** Locks the living companies that a user owns, in the order of their id; answers their ids. */
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

  async insertCompany(sql: Sql, company: { id: string; name: string; document: Cnpj }): Promise<CompanyRow> {
    return certain(
      await sql.one(`INSERT INTO companies AS c (id, name, document) VALUES ($1, $2, $3) RETURNING ${COMPANY}`, [
        company.id,
        company.name,
        company.document,
      ]),
    );
  }

  async companyOf(sql: Sql, userId: string, companyId: string): Promise<CompanyRow | undefined> {
    return sql.one(
      `SELECT ${COMPANY} FROM companies c JOIN memberships m ON m.company_id = c.id
        WHERE m.user_id = $1 AND c.id = $2 AND NOT m.deleted AND NOT c.deleted`,
      [userId, companyId],
    );
  }

  async companiesOf(sql: Sql, userId: string, page: PageQuery): Promise<Page<CompanyRow>> {
    const from = `SELECT ${COMPANY} FROM companies c JOIN memberships m ON m.company_id = c.id
                   WHERE m.user_id = $1 AND NOT m.deleted AND NOT c.deleted`;
    return pageOfRows(sql, from, 'created_at, id', [userId], page);
  }

  /** What a living user is in a living company; undefined: nothing. */
  async roleIn(sql: Sql, userId: string, companyId: string): Promise<Role | undefined> {
    const row = await sql.one<{ role: Role }>(
      `SELECT m.role FROM memberships m JOIN companies c ON c.id = m.company_id
        WHERE m.user_id = $1 AND m.company_id = $2 AND NOT m.deleted AND NOT c.deleted`,
      [userId, companyId],
    );
    return row?.role;
  }

  /** Who holds this lock is the only one to change the company or its members. */
  async lockCompany(sql: Sql, companyId: string): Promise<void> {
    await sql.query('SELECT FROM companies WHERE id = $1 FOR UPDATE', [companyId]);
  }

  async updateCompany(
    sql: Sql,
    companyId: string,
    change: { name: string | undefined; document: Cnpj | undefined },
  ): Promise<CompanyRow> {
    return certain(
      await sql.one(
        `UPDATE companies c
            SET name = coalesce($2, name), document = coalesce($3, document), updated_at = clock_timestamp()
          WHERE c.id = $1 RETURNING ${COMPANY}`,
        [companyId, change.name ?? null, change.document ?? null],
      ),
    );
  }

  async deleteCompany(sql: Sql, companyId: string): Promise<void> {
    await sql.query('UPDATE companies SET deleted = true, updated_at = clock_timestamp() WHERE id = $1', [companyId]);
  }

  async members(sql: Sql, companyId: string, page: PageQuery): Promise<Page<MemberRow>> {
    const from = `SELECT ${MEMBER} FROM memberships m JOIN users u ON u.id = m.user_id
                   WHERE m.company_id = $1 AND NOT m.deleted AND NOT u.deleted`;
    return pageOfRows(sql, from, 'created_at, user_id', [companyId], page);
  }

  /** Makes a user a member, again if need be, or sets the role of one. */
  async putMember(sql: Sql, companyId: string, userId: string, role: Role): Promise<MemberRow> {
    return certain(
      await sql.one(
        `WITH m AS (
           INSERT INTO memberships AS m (company_id, user_id, role) VALUES ($1, $2, $3)
           ON CONFLICT (company_id, user_id) DO UPDATE
             SET role = excluded.role, deleted = false, updated_at = clock_timestamp(),
                 created_at = CASE WHEN m.deleted THEN clock_timestamp() ELSE m.created_at END
           RETURNING *)
         SELECT ${MEMBER} FROM m JOIN users u ON u.id = m.user_id`,
        [companyId, userId, role],
      ),
    );
  }

  async deleteMember(sql: Sql, companyId: string, userId: string): Promise<void> {
    await sql.query(
      `UPDATE memberships SET deleted = true, updated_at = clock_timestamp()
        WHERE company_id = $1 AND user_id = $2 AND NOT deleted`,
      [companyId, userId],
    );
  }

  async ownersOf(sql: Sql, companyId: string): Promise<number> {
    const row = await sql.one<{ owners: number }>(
      "SELECT count(*)::int AS owners FROM memberships WHERE company_id = $1 AND role = 'owner' AND NOT deleted",
      [companyId],
    );
    return row?.owners ?? 0;
  }
}

/** One page of `from` and its total, of the same moment. `order` ends in something unique. */
async function pageOfRows<T extends object>(
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

function certain<T>(row: T | undefined): T {
  if (row === undefined) throw new Error('a statement that always answers a row did not');
  return row;
}
