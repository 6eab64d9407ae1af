import { Injectable } from '@nestjs/common';
import { Postgres, type Sql, type Transaction } from '../../platform/stores/postgres.js';

/** A row of an ISPB. `hashes`: the SHA-256 of each key that fits now; none once it is unbound. */
interface Binding {
  hashes: readonly Buffer[];
}

const OLD_KEY_STAYS = "interval '24 hours'";
const OLD_KEY_FITS = 'old_key_until > clock_timestamp()';

/**
 * The statements on participants: whose ISPB it is, and the keys of those who collect for it. A change needs the lock of its
 * company. A row is never deleted, and its company never changes: strangers would collect what waits.
 */
@Injectable()
export class ParticipantsRepository {
  constructor(private readonly postgres: Postgres) {}

  /**
   * Binds an ISPB to a living company, or gives it another key; the one before fits for 24 hours more, unless the ISPB was
   * unbound meanwhile. Undefined: it is, or was, another company's. @param hash The SHA-256 of the new key.
   */
  async bind(sql: Sql, companyId: string, ispb: string, hash: Buffer): Promise<{ created_at: Date } | undefined> {
    return sql.one(
      // guard, FOR SHARE: a company that is just being deleted is waited for, and then binds nothing
      `INSERT INTO pix_participants AS p (ispb, company_id, key_hash)
       SELECT $2, c.id, $3 FROM companies c WHERE c.id = $1 AND NOT c.deleted FOR SHARE OF c
       ON CONFLICT (ispb) DO UPDATE
         SET key_hash = excluded.key_hash, deleted = false, updated_at = clock_timestamp(),
             old_key_hash = CASE WHEN NOT p.deleted THEN p.key_hash END,
             old_key_until = CASE WHEN NOT p.deleted THEN clock_timestamp() + ${OLD_KEY_STAYS} END
         -- guard: bound once, an ISPB is never another company's
         WHERE p.company_id = excluded.company_id
       RETURNING created_at`,
      [companyId, ispb, hash],
    );
  }

  /** No key fits any more. False: the company has not bound it. */
  async unbind(sql: Transaction, companyId: string, ispb: string): Promise<boolean> {
    return (await this.#unbind(sql, 'ispb = $2', [companyId, ispb])).length > 0;
  }

  /** Returns the ISPBs of which no key fits any more. */
  async unbindAll(sql: Transaction, companyId: string): Promise<string[]> {
    return (await this.#unbind(sql, 'true', [companyId])).map(({ ispb }) => ispb);
  }

  /** Undefined: the ISPB was never bound. */
  async bindingOf(ispb: string): Promise<Binding | undefined> {
    const row = await this.postgres.one<{ key: Buffer | null; old_key: Buffer | null }>(
      `SELECT CASE WHEN NOT deleted THEN key_hash END AS key,
              CASE WHEN NOT deleted AND ${OLD_KEY_FITS} THEN old_key_hash END AS old_key
         FROM pix_participants WHERE ispb = $1`,
      [ispb],
    );
    return row && { hashes: [row.key, row.old_key].filter((hash) => hash !== null) };
  }

  /** The ISPB that a key fits now, by its SHA-256. */
  async ispbOf(hash: Buffer): Promise<string | undefined> {
    const row = await this.postgres.one<{ ispb: string }>(
      `SELECT ispb FROM pix_participants
        WHERE (key_hash = $1 OR (old_key_hash = $1 AND ${OLD_KEY_FITS})) AND NOT deleted`,
      [hash],
    );
    return row?.ispb;
  }

  #unbind(sql: Transaction, which: string, values: unknown[]): Promise<{ ispb: string }[]> {
    return sql.query(
      `UPDATE pix_participants
          SET deleted = true, old_key_hash = NULL, old_key_until = NULL, updated_at = clock_timestamp()
        WHERE company_id = $1 AND ${which} AND NOT deleted RETURNING ispb`,
      values,
    );
  }
}
