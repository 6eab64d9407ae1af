import { Injectable } from '@nestjs/common';
import { NO_LEASE } from '../../platform/lease.js';
import { Postgres, type Sql, type Transaction } from '../../platform/stores/postgres.js';
import { type CampaignView, OF_USER, VIEW_COLUMNS } from '../read/campaign-row.js';

/**
 * What users do to an accepted campaign. Each statement begins with the tenant, and is guarded by the state that it changes.
 */
@Injectable()
export class Steering {
  constructor(private readonly postgres: Postgres) {}

  rename(userId: string, id: string, name: string): Promise<CampaignView | undefined> {
    return this.postgres.one<CampaignView>(
      `UPDATE campaigns SET name = $3, updated_at = clock_timestamp() WHERE ${OF_USER} AND id = $2 RETURNING ${VIEW_COLUMNS}`,
      [userId, id, name],
    );
  }

  /** R9, guard: runs and owes; one statement, nothing read before. Returns whether a row changed. */
  pause(userId: string, id: string): Promise<boolean> {
    return this.changes(
      this.postgres,
      `UPDATE campaigns SET paused_at = clock_timestamp(), updated_at = clock_timestamp()
        WHERE ${OF_USER} AND id = $2 AND cancelled_at IS NULL AND paused_at IS NULL AND stored < total RETURNING id`,
      [userId, id],
    );
  }

  /**
   * R6: lock, THEN a second statement with a fresh snapshot. Everything unstored goes back to the outbox; the new epoch
   * voids late stamps.
   */
  resume(userId: string, id: string): Promise<boolean> {
    return this.postgres.transaction(async (sql) => {
      // guard: paused, not cancelled
      const locked = await this.changes(
        sql,
        `SELECT id FROM campaigns WHERE ${OF_USER} AND id = $2 AND cancelled_at IS NULL AND paused_at IS NOT NULL
            FOR UPDATE`,
        [userId, id],
      );
      if (!locked) return false;
      await sql.query(
        `WITH back AS (
           UPDATE campaign_chunks SET published_at = NULL
            WHERE campaign_id = $1 AND stored_at IS NULL AND published_at IS NOT NULL RETURNING size)
         UPDATE campaigns
            SET paused_at = NULL, epoch = epoch + 1, ${NO_LEASE}, updated_at = clock_timestamp(),
                published = published - (SELECT coalesce(sum(size), 0) FROM back)
          WHERE id = $1`,
        [id],
      );
      return true;
    });
  }

  /** R9, guard: not yet cancelled, owes. */
  cancel(userId: string, id: string): Promise<boolean> {
    return this.changes(
      this.postgres,
      `UPDATE campaigns SET cancelled_at = clock_timestamp(), updated_at = clock_timestamp(),
              sweep_at = clock_timestamp()
        WHERE ${OF_USER} AND id = $2 AND cancelled_at IS NULL AND stored < total RETURNING id`,
      [userId, id],
    );
  }

  /** Guard: not yet deleted. */
  delete(userId: string, id: string): Promise<boolean> {
    return this.changes(
      this.postgres,
      `UPDATE campaigns SET deleted = true, deleted_at = clock_timestamp(), updated_at = clock_timestamp(),
              sweep_at = clock_timestamp()
        WHERE ${OF_USER} AND id = $2 RETURNING id`,
      [userId, id],
    );
  }

  /** All campaigns of a company that is being deleted. Locks in the order of id, as record_stored does (R2). */
  async deleteOfCompany(sql: Transaction, companyId: string): Promise<string[]> {
    const rows = await sql.query<{ id: string }>(
      'SELECT id FROM campaigns WHERE company_id = $1 AND NOT deleted ORDER BY id FOR UPDATE',
      [companyId],
    );
    const ids = rows.map(({ id }) => id);
    await sql.query(
      `UPDATE campaigns SET deleted = true, deleted_at = clock_timestamp(), updated_at = clock_timestamp(),
              sweep_at = clock_timestamp()
        WHERE id = ANY ($1::text[])`,
      [ids],
    );
    return ids;
  }

  private async changes(sql: Sql, statement: string, values: unknown[]): Promise<boolean> {
    return (await sql.query(statement, values)).length > 0;
  }
}
