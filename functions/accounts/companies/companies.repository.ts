import { Injectable } from '@nestjs/common';
import type { Page, PageQuery } from '../../platform/http/slices.js';
import type { Sql, Transaction } from '../../platform/stores/postgres.js';
import { pageOfRows, requiredRow } from '../../platform/stores/rows.js';
import type { Role } from '../accounts.schemas.js';
import type { Cnpj } from './cnpj.js';

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
  /** null: invited, and no member yet. */
  accepted_at: Date | null;
  created_at: Date;
  updated_at: Date;
  deleted: boolean;
}

const COMPANY = 'c.id, c.name, c.document, c.created_at, c.updated_at, c.deleted';
const MEMBER = 'm.company_id, m.user_id, u.email, m.role, m.accepted_at, m.created_at, m.updated_at, m.deleted';

/**
 * All SQL of companies and their members. The tenant, or the user who asks, is the first parameter. Deleted rows are not
 * found. Only users who have accepted are in memberships: those who are invited are in another table.
 */
@Injectable()
export class CompaniesRepository {
  /**
   * Until the transaction ends, nobody else takes this CNPJ. Called before each statement that sets one: a unique index that
   * refuses a row writes its value into PostgreSQL's log, so it must have nothing to refuse.
   */
  async lockDocument(sql: Transaction, document: Cnpj): Promise<void> {
    await sql.query("SELECT pg_advisory_xact_lock(hashtextextended('document ' || $1, 0))", [document]);
  }

  /** Called under lockDocument. Whether a living company other than `companyId` has this CNPJ. */
  async isDocumentTaken(sql: Transaction, companyId: string, document: Cnpj): Promise<boolean> {
    const found = await sql.query('SELECT FROM companies WHERE document = $2 AND id <> $1 AND NOT deleted', [
      companyId,
      document,
    ]);
    return found.length > 0;
  }

  async insertCompany(sql: Sql, company: { id: string; name: string; document: Cnpj }): Promise<CompanyRow> {
    return requiredRow(
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

  async idsOf(sql: Sql, userId: string): Promise<string[]> {
    const rows = await sql.query<{ id: string }>(
      `SELECT c.id FROM companies c JOIN memberships m ON m.company_id = c.id
        WHERE m.user_id = $1 AND NOT m.deleted AND NOT c.deleted`,
      [userId],
    );
    return rows.map(({ id }) => id);
  }

  /** The role of a living user in a living company; undefined: no member. */
  async roleIn(sql: Sql, userId: string, companyId: string): Promise<Role | undefined> {
    const row = await sql.one<{ role: Role }>(
      `SELECT m.role FROM memberships m JOIN companies c ON c.id = m.company_id
        WHERE m.user_id = $1 AND m.company_id = $2 AND NOT m.deleted AND NOT c.deleted`,
      [userId, companyId],
    );
    return row?.role;
  }

  /** Until the transaction ends, nobody else changes the company or its members. */
  async lockCompany(sql: Sql, companyId: string): Promise<void> {
    await sql.query('SELECT FROM companies WHERE id = $1 FOR UPDATE', [companyId]);
  }

  async updateCompany(
    sql: Sql,
    companyId: string,
    change: { name: string | undefined; document: Cnpj | undefined },
  ): Promise<CompanyRow> {
    return requiredRow(
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

  /** The members, and the users with an open invitation. */
  async members(sql: Sql, companyId: string, page: PageQuery): Promise<Page<MemberRow>> {
    const from = `SELECT ${MEMBER} FROM memberships m JOIN users u ON u.id = m.user_id
                   WHERE m.company_id = $1 AND NOT m.deleted AND NOT u.deleted
                   UNION ALL
                  SELECT i.company_id, i.user_id, u.email, i.role, NULL, i.created_at, i.updated_at, false
                    FROM invitations i JOIN users u ON u.id = i.user_id
                   WHERE i.company_id = $1 AND i.expires_at > clock_timestamp() AND NOT u.deleted`;
    return pageOfRows(sql, from, 'created_at, user_id', [companyId], page);
  }

  /** A user as a member of a living company. */
  async memberOf(sql: Sql, userId: string, companyId: string): Promise<MemberRow | undefined> {
    return sql.one(
      `SELECT ${MEMBER} FROM memberships m JOIN companies c ON c.id = m.company_id JOIN users u ON u.id = m.user_id
        WHERE m.user_id = $1 AND m.company_id = $2 AND NOT m.deleted AND NOT c.deleted AND NOT u.deleted`,
      [userId, companyId],
    );
  }

  /** Makes a user a member who is none now, or not any more. `since`: when invited; undefined for a founder. */
  async addMember(sql: Sql, companyId: string, userId: string, role: Role, since?: Date): Promise<MemberRow> {
    return requiredRow(
      await sql.one(
        `WITH m AS (
           INSERT INTO memberships AS m (company_id, user_id, role, created_at)
           VALUES ($1, $2, $3, coalesce($4::timestamptz, clock_timestamp()))
           ON CONFLICT (company_id, user_id) DO UPDATE
             SET role = excluded.role, deleted = false, created_at = excluded.created_at,
                 accepted_at = clock_timestamp(), updated_at = clock_timestamp()
           RETURNING *)
         SELECT ${MEMBER} FROM m JOIN users u ON u.id = m.user_id`,
        [companyId, userId, role, since ?? null],
      ),
    );
  }

  /** The user must be a member. */
  async setRole(sql: Sql, companyId: string, userId: string, role: Role): Promise<MemberRow> {
    return requiredRow(
      await sql.one(
        `WITH m AS (
           UPDATE memberships SET role = $3, updated_at = clock_timestamp()
            WHERE company_id = $1 AND user_id = $2 AND NOT deleted RETURNING *)
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
