import { Injectable } from '@nestjs/common';
import type { Page, PageQuery } from '../../platform/http/slices.js';
import type { Sql } from '../../platform/stores/postgres.js';
import { pageOfRows, requiredRow } from '../../platform/stores/rows.js';
import type { Role } from '../accounts.schemas.js';
import type { MemberRow } from '../companies/companies.repository.js';

/** An invitation as the invited user sees it. */
export interface InvitationRow {
  company_id: string;
  company_name: string;
  role: Role;
  expires_at: Date;
  created_at: Date;
  updated_at: Date;
  deleted: boolean;
}

/** How long an invitation may be answered. */
const LIFE = '7 days';
/** One statement erases no more than this; the next pass takes the rest. */
const ERASED_AT_ONCE = 10_000;

/** All SQL of invitations, but for the list of members, which shows the open ones too. Who asks is the first parameter. */
@Injectable()
export class InvitationsRepository {
  /** Invites a user who is no member, for the whole LIFE from now on. Once more: renews the invitation and sets the role. */
  async put(sql: Sql, companyId: string, userId: string, role: Role): Promise<MemberRow> {
    return requiredRow(
      await sql.one(
        `WITH i AS (
           INSERT INTO invitations AS i (company_id, user_id, role, expires_at)
           VALUES ($1, $2, $3, clock_timestamp() + $4::interval)
           ON CONFLICT (company_id, user_id) DO UPDATE
             SET role = excluded.role, updated_at = clock_timestamp(), expires_at = excluded.expires_at,
                 created_at = CASE WHEN i.expires_at > clock_timestamp() THEN i.created_at ELSE clock_timestamp() END
           RETURNING *)
         SELECT i.company_id, i.user_id, u.email, i.role, NULL AS accepted_at, i.created_at, i.updated_at, false AS deleted
           FROM i JOIN users u ON u.id = i.user_id`,
        [companyId, userId, role, LIFE],
      ),
    );
  }

  /** The open invitations of a user to living companies. */
  async openOf(sql: Sql, userId: string, page: PageQuery): Promise<Page<InvitationRow>> {
    const from = `SELECT i.company_id, c.name AS company_name, i.role, i.expires_at, i.created_at, i.updated_at, false AS deleted
                    FROM invitations i JOIN companies c ON c.id = i.company_id
                   WHERE i.user_id = $1 AND i.expires_at > clock_timestamp() AND NOT c.deleted`;
    return pageOfRows(sql, from, 'created_at, company_id', [userId], page);
  }

  async isOpen(sql: Sql, userId: string, companyId: string): Promise<boolean> {
    const found = await sql.query(
      `SELECT FROM invitations i JOIN companies c ON c.id = i.company_id
        WHERE i.user_id = $1 AND i.company_id = $2 AND i.expires_at > clock_timestamp() AND NOT c.deleted`,
      [userId, companyId],
    );
    return found.length > 0;
  }

  /** Deletes an open invitation to a living company and returns it. Of several calls at once, one gets it. */
  async take(sql: Sql, userId: string, companyId: string): Promise<{ role: Role; created_at: Date } | undefined> {
    return sql.one(
      `DELETE FROM invitations i USING companies c
        WHERE c.id = i.company_id AND i.user_id = $1 AND i.company_id = $2 AND i.expires_at > clock_timestamp()
          AND NOT c.deleted
       RETURNING i.role, i.created_at`,
      [userId, companyId],
    );
  }

  async deleteOfUser(sql: Sql, userId: string): Promise<void> {
    await sql.query('DELETE FROM invitations WHERE user_id = $1', [userId]);
  }

  async deleteOfCompany(sql: Sql, companyId: string): Promise<void> {
    await sql.query('DELETE FROM invitations WHERE company_id = $1', [companyId]);
  }

  /** Erases those that have expired, and skips one that is just being renewed. Returns how many. */
  async eraseExpired(sql: Sql): Promise<number> {
    const erased = await sql.query(
      `DELETE FROM invitations WHERE ctid = ANY (ARRAY(
         SELECT ctid FROM invitations WHERE expires_at < clock_timestamp()
          ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED))
       RETURNING 1`,
      [ERASED_AT_ONCE],
    );
    return erased.length;
  }
}
