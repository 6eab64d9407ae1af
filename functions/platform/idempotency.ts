import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Duties } from './duties.js';
import type { Problem } from './problem.js';
import { Postgres, type Sql, type Transaction } from './stores/postgres.js';

/** How long a key is kept. */
const KEY_LIFE = '24 hours';
/** A request answers within two seconds of its commit. One without an answer after this time has died. */
const ANSWER_OVERDUE = '5 seconds';
const POLL_MS = 50;
const DROP_EVERY_MS = 60_000;

/** A request that its caller may send again. */
export interface Repeatable {
  /** The company. Each company has its own keys. */
  scope: string;
  /** Undefined: the request has no key, and each one counts as new. */
  key: string | undefined;
  /** SHA-256 over all that the request says. A key stands for one content. */
  content: Buffer;
}

/** The problems where no answer can be repeated: the key stands for other content; the first answer was deleted since. */
interface Refusals {
  reused(): Problem;
  gone(): Problem;
}

/** What a request made. `answer` is the body as it was at the commit, and the final answer if no other one follows. */
export interface Made {
  /** The row that it made, if its answer is to be deleted with that row. The table's column takes campaigns only. */
  rowId?: string;
  answer: string;
}

/** Either this request made something, or an earlier one with the same key and content did, and `answer` is its answer. */
type Once<T> = { isFirst: true; made: T } | { isFirst: false; answer: string };

interface KeptAnswer {
  content: Buffer;
  answer: string;
  /** It will not change any more: every later request gets the same bytes. */
  final: boolean;
  /** Its request has had more than its time since the commit, so it died before it answered. */
  overdue: boolean;
}

/** Makes a request safe to repeat: what it makes is made once, and each repetition gets the first answer. */
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
   * Runs `make` in a transaction that also keeps its answer, or returns the first answer. Waits for a concurrent request
   * with the same key, without holding a connection.
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
        const kept = await this.keptAnswer(sql, request.scope, key);
        if (kept && !kept.content.equals(request.content)) throw refusals.reused();
        return kept ? 'repeated' : this.makeAndKeep(sql, request, key, make);
      });
      if (outcome === 'repeated')
        return { isFirst: false, answer: await this.firstAnswer(request.scope, key, refusals) };
      if (outcome !== 'busy') return { isFirst: true, made: outcome };
      await delay(POLL_MS);
    }
  }

  /** Makes `answer` the final answer of the first request, once. Returns the final one: another may have been quicker. */
  async finalAnswer({ scope, key }: Repeatable, answer: string): Promise<string> {
    return key === undefined ? answer : ((await this.settle(scope, key, answer)) ?? answer);
  }

  /** Deletes the answer to the request that made a row: it goes with the row's personal data. */
  async forget(rowId: string): Promise<void> {
    await this.postgres.query('DELETE FROM idempotency_keys WHERE campaign_id = $1', [rowId]);
  }

  /** Waits while the first request is still at work. If that died after its commit, the answer of the commit is final. */
  private async firstAnswer(scope: string, key: string, refusals: Refusals): Promise<string> {
    for (;;) {
      const kept = await this.keptAnswer(this.postgres, scope, key);
      if (!kept) throw refusals.gone();
      if (kept.final) return kept.answer;
      if (kept.overdue) return (await this.settle(scope, key)) ?? kept.answer;
      await delay(POLL_MS);
    }
  }

  /** Until the transaction ends, no other request decides about this key. False: another one is doing so. */
  private async tryLock(sql: Transaction, scope: string, key: string): Promise<boolean> {
    const row = await sql.one<{ locked: boolean }>(
      "SELECT pg_try_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0)) AS locked",
      [scope, key],
    );
    return row?.locked ?? false;
  }

  /** The first answer to a key, unless the key's life is over. */
  private keptAnswer(sql: Sql, scope: string, key: string): Promise<KeptAnswer | undefined> {
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

  /** Makes an answer final, once, and returns the one that is kept. Undefined `answer`: the one of the commit. */
  private async settle(scope: string, key: string, answer?: string): Promise<string | undefined> {
    await this.postgres.query(
      `UPDATE idempotency_keys SET answer = coalesce($3, answer), answered_at = clock_timestamp()
        WHERE company_id = $1 AND key = $2 AND answered_at IS NULL`,
      [scope, key, answer ?? null],
    );
    return (await this.keptAnswer(this.postgres, scope, key))?.answer;
  }

  /** Deletes the keys whose life is over. Returns how many. */
  private async dropOldKeys(): Promise<number> {
    const row = await this.postgres.one<{ dropped: number }>(
      `WITH old AS (DELETE FROM idempotency_keys WHERE created_at < clock_timestamp() - $1::interval RETURNING 1)
       SELECT count(*)::int AS dropped FROM old`,
      [KEY_LIFE],
    );
    return row?.dropped ?? 0;
  }
}
