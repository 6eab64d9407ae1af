import { Injectable } from '@nestjs/common';
import { Postgres, type Sql, type Transaction } from './stores/postgres.js';

/** How long an Idempotency-Key is kept. */
const KEY_LIFE = '24 hours';
/** A request answers two seconds after its commit at the latest. */
const ANSWER_OVERDUE = '5 seconds';

/** What is kept of the first answer to an Idempotency-Key. */
export interface KeptAnswer {
  content: Buffer;
  answer: string;
  /** It is the last word: the same bytes for whoever comes later. */
  final: boolean;
  /** Its request has had more than its time since the commit, so it died before it answered. */
  overdue: boolean;
}

/** All SQL of the first answers to an Idempotency-Key. */
@Injectable()
export class IdempotencyRepository {
  constructor(private readonly postgres: Postgres) {}

  /** Until the transaction ends, nobody else decides about this key. False while another request does. */
  async tryLockKey(sql: Transaction, companyId: string, key: string): Promise<boolean> {
    const row = await sql.one<{ locked: boolean }>(
      "SELECT pg_try_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0)) AS locked",
      [companyId, key],
    );
    return row?.locked ?? false;
  }

  /** The first answer to a key, unless it is older than its life. */
  keptAnswer(sql: Sql, companyId: string, key: string): Promise<KeptAnswer | undefined> {
    return sql.one<KeptAnswer>(
      `SELECT content, answer, answered_at IS NOT NULL AS final, created_at < clock_timestamp() - $4::interval AS overdue
         FROM idempotency_keys
        WHERE company_id = $1 AND key = $2 AND created_at > clock_timestamp() - $3::interval`,
      [companyId, key, KEY_LIFE, ANSWER_OVERDUE],
    );
  }

  async keepAnswer(
    sql: Transaction,
    kept: { companyId: string; key: string; content: Buffer; campaignId: string; answer: string },
  ): Promise<void> {
    await sql.query(
      `INSERT INTO idempotency_keys (company_id, key, content, campaign_id, answer) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (company_id, key) DO UPDATE
         SET content = excluded.content, campaign_id = excluded.campaign_id, answer = excluded.answer,
             answered_at = NULL, created_at = clock_timestamp()`,
      [kept.companyId, kept.key, kept.content, kept.campaignId, kept.answer],
    );
  }

  /** Makes an answer final, once: whoever comes later gets the one that is kept. Undefined `answer`: the one of the commit. */
  async finalAnswer(companyId: string, key: string, answer?: string): Promise<string | undefined> {
    await this.postgres.query(
      `UPDATE idempotency_keys SET answer = coalesce($3, answer), answered_at = clock_timestamp()
        WHERE company_id = $1 AND key = $2 AND answered_at IS NULL`,
      [companyId, key, answer ?? null],
    );
    return (await this.keptAnswer(this.postgres, companyId, key))?.answer;
  }

  /** Forgets the keys whose life is over. */
  async dropOldKeys(): Promise<void> {
    await this.postgres.query('DELETE FROM idempotency_keys WHERE created_at < clock_timestamp() - $1::interval', [
      KEY_LIFE,
    ]);
  }
}
