import { Injectable } from '@nestjs/common';
import type { Page, PageQuery } from '../../platform/http/slices.js';
import type { Sql, Transaction } from '../../platform/stores/postgres.js';
import { pageOfRows, requiredRow } from '../../platform/stores/rows.js';

export interface ClientRow {
  client_id: string;
  company_id: string;
  created_at: Date;
}

export interface TypeRow {
  company_id: string;
  name: string;
  version: number;
  schema: Record<string, unknown> | null;
}

/** All that is registered at a version of the registry. */
export interface RegistryRows {
  version: string;
  clients: [clientId: string, companyId: string][];
  types: [id: number, companyId: string, name: string, version: number, hasSchema: boolean][];
}

/**
 * All SQL of the registry: its version, clients, keys, types. Whoever changes a client or a type holds the lock of its
 * company, and calls raiseVersion last: what stores events holds the version, and would wait for nothing else of ours.
 */
@Injectable()
export class RegistryRepository {
  /** The last statement of a transaction that changes clients or types. It waits for batches that are being stored. */
  async raiseVersion(sql: Transaction): Promise<void> {
    // guard: whoever begins to store after this waits behind it. Locks of rows have no queue: as long as batches overlap, one
    // that only shares the row would always pass, and the change would never come.
    await sql.query('LOCK TABLE event_registry IN EXCLUSIVE MODE');
    await sql.query('UPDATE event_registry SET version = version + 1');
  }

  /** Of one moment, since it is one statement: the rows are those of the version. Of deleted companies there is none. */
  async all(sql: Sql): Promise<RegistryRows> {
    return requiredRow(
      await sql.one<RegistryRows>(
        `SELECT version,
                (SELECT coalesce(json_agg(json_build_array(client_id, company_id)), '[]')
                   FROM event_clients WHERE NOT deleted) AS clients,
                (SELECT coalesce(json_agg(json_build_array(id, company_id, name, version, schema IS NOT NULL)), '[]')
                   FROM event_types WHERE NOT deleted) AS types
           FROM event_registry`,
      ),
    );
  }

  /** The version, which no change raises before the end of this transaction. */
  async hold(sql: Sql): Promise<string> {
    return requiredRow(await sql.one<{ version: string }>('SELECT version FROM event_registry FOR SHARE')).version;
  }

  /** The schemas of types by their id, which never change, as JSON; types without one are left out. */
  async schemas(sql: Sql, typeIds: readonly number[]): Promise<{ id: number; schema: string }[]> {
    return sql.query(
      'SELECT id, schema::text AS schema FROM event_types WHERE id = ANY ($1::int[]) AND schema IS NOT NULL',
      [typeIds],
    );
  }

  /** Undefined: another company has or had it, or it lives. */
  async putClient(sql: Transaction, companyId: string, clientId: string): Promise<ClientRow | undefined> {
    return sql.one(
      `INSERT INTO event_clients AS c (company_id, client_id) VALUES ($1, $2)
           ON CONFLICT (client_id) DO UPDATE SET deleted = false, created_at = clock_timestamp()
        WHERE c.company_id = $1 AND c.deleted
       RETURNING client_id, company_id, created_at`,
      [companyId, clientId],
    );
  }

  /** How many clients of a company live. */
  async clientCount(sql: Transaction, companyId: string): Promise<number> {
    const row = await sql.one<{ clients: number }>(
      'SELECT count(*)::int AS clients FROM event_clients WHERE company_id = $1 AND NOT deleted',
      [companyId],
    );
    return requiredRow(row).clients;
  }

  /** The company of a living client. */
  async companyOf(sql: Sql, clientId: string): Promise<string | undefined> {
    const row = await sql.one<{ company_id: string }>(
      'SELECT company_id FROM event_clients WHERE client_id = $1 AND NOT deleted',
      [clientId],
    );
    return row?.company_id;
  }

  async clients(sql: Sql, companyId: string, page: PageQuery): Promise<Page<ClientRow>> {
    const from = 'SELECT client_id, company_id, created_at FROM event_clients WHERE company_id = $1 AND NOT deleted';
    return pageOfRows(sql, from, 'client_id', [companyId], page);
  }

  /** False: there is none that lives. */
  async deleteClient(sql: Transaction, companyId: string, clientId: string): Promise<boolean> {
    const found = await sql.query(
      'UPDATE event_clients SET deleted = true WHERE company_id = $1 AND client_id = $2 AND NOT deleted RETURNING client_id',
      [companyId, clientId],
    );
    return found.length > 0;
  }

  /** All keys of a client are void at once. */
  async deleteKeys(sql: Transaction, clientId: string): Promise<void> {
    await sql.query('DELETE FROM event_client_keys WHERE client_id = $1', [clientId]);
  }

  /** Keys of a client end in 24 hours, or when they would have ended before; those that have ended go. */
  async endKeysSoon(sql: Transaction, clientId: string): Promise<void> {
    await sql.query('DELETE FROM event_client_keys WHERE client_id = $1 AND valid_until < clock_timestamp()', [
      clientId,
    ]);
    await sql.query(
      `UPDATE event_client_keys SET valid_until = least(valid_until, clock_timestamp() + interval '24 hours')
        WHERE client_id = $1`,
      [clientId],
    );
  }

  /** @param hash The SHA-256 of the key. */
  async insertKey(sql: Transaction, clientId: string, hash: Buffer): Promise<void> {
    await sql.query('INSERT INTO event_client_keys (client_id, hash) VALUES ($1, $2)', [clientId, hash]);
  }

  /** The living client of a valid key, by the key's SHA-256. */
  async clientOfKey(sql: Sql, hash: Buffer): Promise<string | undefined> {
    const row = await sql.one<{ client_id: string }>(
      `SELECT client_id FROM event_client_keys JOIN event_clients USING (client_id)
        WHERE hash = $1 AND (valid_until IS NULL OR valid_until > clock_timestamp()) AND NOT deleted`,
      [hash],
    );
    return row?.client_id;
  }

  /** The highest version that a type ever had, deleted ones included; 0: none. */
  async lastVersion(sql: Transaction, companyId: string, name: string): Promise<number> {
    const row = await sql.one<{ version: number }>(
      'SELECT coalesce(max(version), 0) AS version FROM event_types WHERE company_id = $1 AND name = $2',
      [companyId, name],
    );
    return requiredRow(row).version;
  }

  /** The living versions of all types of a company. */
  async versions(sql: Transaction, companyId: string): Promise<{ id: number; hasSchema: boolean }[]> {
    return sql.query(
      'SELECT id, schema IS NOT NULL AS "hasSchema" FROM event_types WHERE company_id = $1 AND NOT deleted',
      [companyId],
    );
  }

  async insertType(sql: Transaction, { company_id, name, version, schema }: TypeRow): Promise<void> {
    await sql.query('INSERT INTO event_types (company_id, name, version, schema) VALUES ($1, $2, $3, $4::jsonb)', [
      company_id,
      name,
      version,
      schema === null ? null : JSON.stringify(schema),
    ]);
  }

  async types(sql: Sql, companyId: string, page: PageQuery): Promise<Page<TypeRow>> {
    const from = 'SELECT company_id, name, version, schema FROM event_types WHERE company_id = $1 AND NOT deleted';
    return pageOfRows(sql, from, 'name, version', [companyId], page);
  }

  /** All versions of a name. False: there is none that lives. */
  async deleteType(sql: Transaction, companyId: string, name: string): Promise<boolean> {
    const found = await sql.query(
      'UPDATE event_types SET deleted = true WHERE company_id = $1 AND name = $2 AND NOT deleted RETURNING id',
      [companyId, name],
    );
    return found.length > 0;
  }

  /** All that a company has registered, and where its events go, with the secrets that sign. */
  async deleteOfCompany(sql: Transaction, companyId: string): Promise<void> {
    await sql.query(
      'DELETE FROM event_client_keys WHERE client_id IN (SELECT client_id FROM event_clients WHERE company_id = $1)',
      [companyId],
    );
    for (const table of ['event_clients', 'event_types'])
      await sql.query(`UPDATE ${table} SET deleted = true WHERE company_id = $1 AND NOT deleted`, [companyId]);
    await sql.query(
      `UPDATE event_endpoints SET deleted = true, secret = '', old_secret = NULL, old_secret_until = NULL
        WHERE company_id = $1 AND NOT deleted`,
      [companyId],
    );
  }
}
