import { Injectable } from '@nestjs/common';
import { newHolder } from '../platform/lease.js';
import type { Problem } from '../platform/problem.js';
import type { StoredObject } from '../platform/stores/object-store.js';
import { Postgres, type Transaction } from '../platform/stores/postgres.js';
import {
  type Becomes,
  CAMPAIGN,
  type Decided,
  type DueUpload,
  type MadeOfFile,
  type Reader,
  type UploadRequest,
  type UploadRow,
} from './upload.js';

/** How long a reader may be silent before another one begins anew. */
const LEASE = '60 seconds';
/**
 * The store is asked again after a quarter of the upload's age: at least SHORTEST_INTERVAL, and at most LONGEST_INTERVAL
 * while its file is waited for.
 */
const SHORTEST_INTERVAL = '2 seconds';
const LONGEST_INTERVAL = '60 seconds';
/** A PUT is checked when it begins: one that began in time may go on for so long after the URL has expired. */
const LATE_PUT = '1 hour';

const OPEN = 'NOT deleted AND campaign_id IS NULL AND import_id IS NULL AND refusal IS NULL';
/**
 * guard: a file of debts has a lease of its own. In lease_until it has one that never ends, so that a process of the version before,
 * which knows no purpose and reads each file for a campaign, does not touch it (migration 0017).
 */
const LEASE_IS_FREE = `coalesce(CASE purpose WHEN '${CAMPAIGN}' THEN lease_until ELSE import_lease_until END < clock_timestamp(), true)`;
const leaseUntil = (until: string) =>
  `lease_until = CASE purpose WHEN '${CAMPAIGN}' THEN ${until} ELSE lease_until END,
   import_lease_until = CASE purpose WHEN '${CAMPAIGN}' THEN NULL ELSE ${until} END`;
const NO_LEASE = `${leaseUntil('NULL::timestamptz')}, lease_holder = NULL`;

/** It may name a person. Once an upload is decided, its import alone has it, and erases it with its age. */
const NO_FILE_NAME = 'file_name = NULL';

/** The SQL of uploads. Statements for users begin with the tenant; those about the store go by the object's key. */
@Injectable()
export class UploadsRepository {
  constructor(private readonly postgres: Postgres) {}

  /**
   * Guard: the user is a member, and the company is not deleted until the commit. Returns whether the upload was inserted.
   */
  async insert(upload: UploadRequest): Promise<boolean> {
    const { id, companyId, userId, becomes, size, objectKey, traceparent, expiresAt } = upload;
    const row = await this.postgres.one(
      `INSERT INTO uploads (id, company_id, user_id, size, object_key, traceparent, expires_at, look_at, purpose,
                            name, message, allow_duplicates, phone_column, file_name, lease_until)
       SELECT $1, c.id, $3, $4::bigint, $5, $6, $7::timestamptz, clock_timestamp() + $8::interval, $9,
              $10, $11, $12::boolean, $13::jsonb, $14, CASE WHEN $9 <> '${CAMPAIGN}' THEN 'infinity'::timestamptz END
         FROM companies c
        WHERE c.id = $2 AND NOT c.deleted
          AND EXISTS (SELECT FROM living_memberships WHERE user_id = $3 AND company_id = $2)
          FOR SHARE OF c
       RETURNING id`,
      [...[id, companyId, userId, size, objectKey, traceparent, expiresAt, SHORTEST_INTERVAL], ...columnsOf(becomes)],
    );
    return row !== undefined;
  }

  /** One upload of the user's companies. */
  find(userId: string, id: string): Promise<UploadRow | undefined> {
    return this.postgres.one<UploadRow>(
      `SELECT status, campaign_id, import_id, file, problem FROM uploads
        WHERE NOT deleted AND company_id IN (SELECT company_id FROM living_memberships WHERE user_id = $1) AND id = $2`,
      [userId, id],
    );
  }

  /**
   * Guard: open, no live lease, of a purpose that this process knows. Undefined: another reads, it is decided, or there is no such
   * upload. Does not wait for a row lock, which a committing reader holds.
   */
  claim(objectKey: string, purposes: readonly string[]): Promise<Reader | undefined> {
    return this.postgres.one<Reader>(
      `UPDATE uploads SET ${leaseUntil('clock_timestamp() + $2::interval')}, lease_holder = $3, attempts = attempts + 1
        WHERE id = (SELECT id FROM uploads
                     WHERE object_key = $1 AND ${OPEN} AND ${LEASE_IS_FREE} AND purpose = ANY ($4)
                       FOR UPDATE SKIP LOCKED)
       RETURNING id, company_id, user_id, purpose, name, message, allow_duplicates, phone_column, file_name,
                 size::float8 AS size, object_key, traceparent, lease_holder, attempts`,
      [objectKey, LEASE, newHolder(), purposes],
    );
  }

  /** Renews the lease of a holder that still has it. A row that is locked needs no renewal. */
  async renew({ id, lease_holder }: Reader): Promise<void> {
    await this.postgres.query(
      `UPDATE uploads SET ${leaseUntil('clock_timestamp() + $3::interval')}
        WHERE id = (SELECT id FROM uploads WHERE id = $1 AND lease_holder = $2 FOR UPDATE SKIP LOCKED)`,
      [id, lease_holder, LEASE],
    );
  }

  /** The object is there and is being read (`true`), or it is not there. */
  async mark({ id, lease_holder }: Reader, isThere: boolean): Promise<void> {
    await this.postgres.query(
      `UPDATE uploads SET received_at = CASE WHEN $3 THEN coalesce(received_at, clock_timestamp()) END,
              updated_at = clock_timestamp()
        WHERE id = $1 AND lease_holder = $2 AND ${OPEN} AND (received_at IS NOT NULL) <> $3`,
      [id, lease_holder, isThere],
    );
  }

  /** Gives a lease back. `counts`: the attempt failed by itself, and not because a store was away. */
  async release({ id, lease_holder }: Reader, { counts }: { counts: boolean }): Promise<void> {
    await this.postgres.query(
      `UPDATE uploads SET ${NO_LEASE}, attempts = attempts - CASE WHEN $3 THEN 0 ELSE 1 END
        WHERE id = $1 AND lease_holder = $2`,
      [id, lease_holder, counts],
    );
  }

  /** The company first, as its deletion locks it first; then the upload. False: it is decided, or one of them is gone. */
  async lock(sql: Transaction, { id, company_id }: Reader): Promise<boolean> {
    await sql.query('SELECT FROM companies WHERE id = $1 FOR SHARE', [company_id]);
    return (await sql.one(`SELECT 1 FROM uploads WHERE id = $1 AND ${OPEN} FOR UPDATE`, [id])) !== undefined;
  }

  /** In the transaction that inserts the campaign or the import: accepted exactly when that exists. */
  async accept(sql: Transaction, id: string, made: MadeOfFile, object: StoredObject): Promise<void> {
    const [campaignId, file, importId] =
      'campaignId' in made ? [made.campaignId, JSON.stringify(made.file), null] : [null, null, made.importId];
    await sql.query(
      `UPDATE uploads SET campaign_id = $2, file = $3, import_id = $4, object_etag = $5, object_modified = $6,
              ${NO_FILE_NAME}, ${NO_LEASE}, updated_at = clock_timestamp()
        WHERE id = $1`,
      [id, campaignId, file, importId, object.etag, object.lastModified],
    );
  }

  /** Guard: open. Final: a refused upload stays refused. */
  async refuse(id: string, problem: Problem): Promise<boolean> {
    const { file } = problem.extra ?? {};
    const changed = await this.postgres.query(
      `UPDATE uploads SET refusal = $2, file = $3, ${NO_FILE_NAME}, ${NO_LEASE}, updated_at = clock_timestamp()
        WHERE id = $1 AND ${OPEN} RETURNING id`,
      [id, JSON.stringify(problem.body()), file === undefined ? null : JSON.stringify(file)],
    );
    return changed.length > 0;
  }

  /** An upload that is not open any more. */
  decided(objectKey: string): Promise<Decided | undefined> {
    return this.postgres.one<Decided>(
      `SELECT id, object_etag, object_modified FROM uploads WHERE object_key = $1 AND NOT (${OPEN})`,
      [objectKey],
    );
  }

  /** Guard: accepted. What the file became stays as it is. */
  async usedTwice(id: string, problem: Problem): Promise<void> {
    await this.postgres.query(
      `UPDATE uploads SET reuse = $2, updated_at = clock_timestamp()
        WHERE id = $1 AND coalesce(campaign_id, import_id) IS NOT NULL AND reuse IS NULL`,
      [id, JSON.stringify(problem.body())],
    );
  }

  /**
   * Uploads about which the store is to be asked now, the longest due first, each for one caller. A decided upload is among
   * them too, as its URL may be used again; for the last time when that URL is over.
   */
  due(limit: number, purposes: readonly string[]): Promise<DueUpload[]> {
    return this.postgres.query<DueUpload>(
      `WITH due AS (
         SELECT id, ${OPEN} AS open, expires_at < clock_timestamp() - $4::interval AS over,
                greatest((clock_timestamp() - created_at) / 4, $2::interval) AS ask_after
           FROM uploads
          WHERE look_at <= clock_timestamp() AND ${LEASE_IS_FREE} AND purpose = ANY ($5)
          ORDER BY look_at LIMIT $1 FOR UPDATE SKIP LOCKED)
       UPDATE uploads u
          SET look_at = CASE WHEN due.open THEN clock_timestamp() + least(due.ask_after, $3::interval)
                             WHEN NOT due.over THEN clock_timestamp() + due.ask_after END
         FROM due WHERE u.id = due.id
       RETURNING u.id, u.object_key, due.open, u.received_at IS NOT NULL AS received, due.over`,
      [limit, SHORTEST_INTERVAL, LONGEST_INTERVAL, LATE_PUT, purposes],
    );
  }

  /** All uploads of a company that is being deleted. Returns the keys of objects that may be there. */
  async deleteOfCompany(sql: Transaction, companyId: string): Promise<string[]> {
    const rows = await sql.query<{ object_key: string; decided: boolean }>(
      `UPDATE uploads SET deleted = true, ${NO_FILE_NAME}, updated_at = clock_timestamp()
        WHERE company_id = $1 AND NOT deleted
       RETURNING object_key, coalesce(campaign_id, import_id) IS NOT NULL OR refusal IS NOT NULL AS decided`,
      [companyId],
    );
    return rows.filter(({ decided }) => !decided).map(({ object_key }) => object_key);
  }
}

/** The values of purpose, name, message, allow_duplicates, phone_column and file_name. */
function columnsOf(becomes: Becomes): unknown[] {
  if (becomes.purpose !== CAMPAIGN) return [becomes.purpose, null, null, false, null, becomes.fileName];
  const { purpose, name, message, allowDuplicates, phoneColumn } = becomes;
  return [
    purpose,
    name,
    message,
    allowDuplicates,
    phoneColumn === undefined ? null : JSON.stringify(phoneColumn),
    null,
  ];
}
