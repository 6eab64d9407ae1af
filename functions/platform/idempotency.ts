import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Duties } from './duties.js';
import type { Problem } from './problem.js';
import { Postgres, type Sql, type Transaction } from './stores/postgres.js';

/** How long a key is kept. */
const KEY_LIFE = '24 hours';
/** A request answers two seconds after its commit at the latest. */
const ANSWER_OVERDUE = '5 seconds';
const POLL_MS = 50;
const DROP_EVERY_MS = 60_000;

/** A request that may come again. */
export interface Repeatable {
  /** The company: its keys are nobody else's. */
  scope: string;
  /** Undefined: this request may not, and each one counts. */
  key: string | undefined;
  /** SHA-256 over all that it says: what the key stands for. */
  content: Buffer;
}

/** What a caller says where there is no answer: the key stands for other content; the first answer went meanwhile. */
export interface Refusals {
  reused(): Problem;
  gone(): Problem;
}

/** What a request made, and its answer if nothing else comes: the body, as it was at the commit. */
export interface Made {
  /** Of the row that it made, if its answer is to be forgotten with it. The table's column takes campaigns only. */
  rowId?: string;
  answer: string;
}

/** This request made something, or one before it with the same key and content has, and this was its answer. */
export type Once<T> = { isFirst: true; made: T } | { isFirst: false; answer: string };

interface KeptAnswer {
  content: Buffer;
  answer: string;
  /** It is the last word: the same bytes for whoever comes later. */
  final: boolean;
  /** Its request has had more than its time since the commit, so it died before it answered. */
  overdue: boolean;
}

/** Makes a request that comes again safe: what it makes is made once, and whoever repeats it gets the first answer. */
@Injectable()
export class Idempotency {
  constructor(
    private readonly postgres: Postgres,
    duties: Duties,
  ) {
    duties.add({
      name: 'drop old idempotency keys',
      everyMs: DROP_EVERY_MS,
      run: async () => ({ dropped: await this.dropOldKeys() }),
    });
  }

  /**
   * Does `make` in a transaction that keeps its answer, or returns the first one. A concurrent request with the same key is
   * waited for, without holding a connection.
   */
  async once<T extends Made>(
    request: Repeatable,
    refusals: Refusals,
    make: (sql: Transaction) => Promise<T>,
  ): Promise<Once<T>> {
    const { key } = request;
    if (key === undefined) return { isFirst: true, made: await this.postgres.transaction(make) };
    for (;;) {
      const outcome = await this.postgres.transaction(async (sql) => {
        if (!(await this.tryLock(sql, request.scope, key))) return 'busy';
        const kept = await this.kept(sql, request.scope, key);
        if (kept && !kept.content.equals(request.content)) throw refusals.reused();
        return kept ? 'repeated' : this.makeAndKeep(sql, request, key, make);
      });
      if (outcome === 'repeated')
        return { isFirst: false, answer: await this.firstAnswer(request.scope, key, refusals) };
      if (outcome !== 'busy') return { isFirst: true, made: outcome };
      await delay(POLL_MS);
    }
  }

  /** The answer of the first request is this one, once: the one that is kept where another was quicker. */
  async lastWord({ scope, key }: Repeatable, answer: string): Promise<string> {
    return key === undefined ? answer : ((await this.settle(scope, key, answer)) ?? answer);
  }

  /** What a row's request was answered goes with the row's personal data. */
  async forget(rowId: string): Promise<void> {
    await this.postgres.query('DELETE FROM idempotency_keys WHERE campaign_id = $1', [rowId]);
  }

  /** The first request may still be at work, or may have died after its commit: then the answer of the commit stands. */
  private async firstAnswer(scope: string, key: string, refusals: Refusals): Promise<string> {
    for (;;) {
      const kept = await this.kept(this.postgres, scope, key);
      if (!kept) throw refusals.gone();
      if (kept.final) return kept.answer;
      if (kept.overdue) return (await this.settle(scope, key)) ?? kept.answer;
      await delay(POLL_MS);
    }
  }

  /** Until the transaction ends, nobody else decides about this key. False while another request does. */
  private async tryLock(sql: Transaction, scope: string, key: string): Promise<boolean> {
    const row = await sql.one<{ locked: boolean }>(
      "SELECT pg_try_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0)) AS locked",
      [scope, key],
    );
    return row?.locked ?? false;
  }

  /** The first answer to a key, unless it is older than its life. */
  private kept(sql: Sql, scope: string, key: string): Promise<KeptAnswer | undefined> {
    return sql.one<KeptAnswer>(
      `SELECT content, answer, answered_at IS NOT NULL AS final, created_at < clock_timestamp() - $4::interval AS overdue
         FROM idempotency_keys
        WHERE company_id = $1 AND key = $2 AND created_at > clock_timestamp() - $3::interval`,
      [scope, key, KEY_LIFE, ANSWER_OVERDUE],
    );
  }

  private async makeAndKeep<T extends Made>(
    sql: Transaction,
    { scope, content }: Repeatable,
    key: string,
    make: (sql: Transaction) => Promise<T>,
  ): Promise<T> {
    const made = await make(sql);
    await sql.query(
      `INSERT INTO idempotency_keys (company_id, key, content, campaign_id, answer) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (company_id, key) DO UPDATE
         SET content = excluded.content, campaign_id = excluded.campaign_id, answer = excluded.answer,
             answered_at = NULL, created_at = clock_timestamp()`,
      [scope, key, content, made.rowId ?? null, made.answer],
    );
    return made;
  }

  /** Makes an answer final, once: whoever comes later gets the one that is kept. Undefined `answer`: the one of the commit. */
  private async settle(scope: string, key: string, answer?: string): Promise<string | undefined> {
    await this.postgres.query(
      `UPDATE idempotency_keys SET answer = coalesce($3, answer), answered_at = clock_timestamp()
        WHERE company_id = $1 AND key = $2 AND answered_at IS NULL`,
      [scope, key, answer ?? null],
    );
    return (await this.kept(this.postgres, scope, key))?.answer;
  }

  /** Forgets the keys whose life is over. Returns how many. */
  private async dropOldKeys(): Promise<number> {
    const row = await this.postgres.one<{ dropped: number }>(
      `WITH old AS (DELETE FROM idempotency_keys WHERE created_at < clock_timestamp() - $1::interval RETURNING 1)
       SELECT count(*)::int AS dropped FROM old`,
      [KEY_LIFE],
    );
    return row?.dropped ?? 0;
  }
}
