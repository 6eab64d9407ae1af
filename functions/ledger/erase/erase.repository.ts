import { Injectable } from '@nestjs/common';
import { leaseIsFree } from '../../platform/lease.js';
import { Postgres, type Transaction } from '../../platform/stores/postgres.js';
import { digitsOf } from '../../retention/number-pattern.js';

/** Stands in the ledger in place of one number that was forgotten. No consumer takes it for a number. */
export const FORGOTTEN = '-';

/** What the ledger still holds of a campaign that is to be erased. */
interface LeftOf {
  numbers: number;
  rejects: number;
}

/** A chunk that holds a number that is to be forgotten. */
export interface FoundChunk {
  campaign_id: string;
  first_sequence: number;
  phone_numbers: string;
  /** Its campaign is finished: it can never be published again, and its documents are counted. */
  finished: boolean;
}

/** A transaction takes at most this many. A chunk is up to 85 KB of numbers. */
const CHUNKS_A_PAGE = 50;
const REJECTS_A_PAGE = 10_000;
const CAMPAIGNS_A_PAGE = 500;
const MATCHES_A_PAGE = 100;

/**
 * None of these states is ever undone, so nobody publishes a finished campaign. A cancelled campaign is finished only when
 * dispatch has swept it for the last time (R10): until then `stored` is counted from its documents.
 */
const FINISHED = '(c.deleted OR c.stored = c.total OR (c.cancelled_at IS NOT NULL AND c.sweep_at IS NULL))';
/** $1: days. An erasure that has begun is due at any age. */
const DUE = `c.erased_at IS NULL AND (c.erasing_at IS NOT NULL
  OR (${FINISHED} AND c.updated_at < clock_timestamp() - make_interval(days => $1)
      AND ${leaseIsFree('c.')}))`;
/** The numbers of a chunk's lines, without those that were forgotten. */
const NUMBERS = `(SELECT count(*) FROM unnest(string_to_array(k.phone_numbers, E'\\n')) AS line WHERE line <> '${FORGOTTEN}')::int`;
/** Whether one of a chunk's lines is the number. */
const holds = (number: string): string =>
  `strpos(E'\\n' || k.phone_numbers || E'\\n', E'\\n' || ${number} || E'\\n') > 0`;
/** The SQL of erasing. It changes a campaign and its chunks under the lock of the campaign (R2), a page at a time. */
@Injectable()
export class EraseRepository {
  constructor(private readonly postgres: Postgres) {}

  /** A page of the campaigns that are due, by id, after one id. */
  due(days: number, after: string): Promise<string[]> {
    return this.ids(`${DUE} AND c.id > $2`, [days, after]);
  }

  /** A page of the campaigns that are wholly erased, by id, after one id. */
  erased(after: string): Promise<string[]> {
    return this.ids('c.erased_at IS NOT NULL AND c.id > $1', [after]);
  }

  /** How many cancelled campaigns are old enough, but still swept by dispatch (R10). */
  async waiting(days: number): Promise<number> {
    const row = await this.postgres.one<{ count: number }>(
      `SELECT count(*)::int AS count FROM campaigns c
        WHERE c.erasing_at IS NULL AND c.cancelled_at IS NOT NULL AND NOT ${FINISHED}
          AND c.updated_at < clock_timestamp() - make_interval(days => $1)`,
      [days],
    );
    return row?.count ?? 0;
  }

  /** What the ledger still holds of a campaign. */
  async left(id: string): Promise<LeftOf> {
    const row = await this.postgres.one<LeftOf>(
      `SELECT (SELECT coalesce(sum(${NUMBERS}), 0)::int FROM campaign_chunks k
                WHERE k.campaign_id = $1 AND k.phone_numbers <> '') AS numbers,
              (SELECT count(*)::int FROM campaign_rejects WHERE campaign_id = $1) AS rejects`,
      [id],
    );
    return row ?? { numbers: 0, rejects: 0 };
  }

  /**
   * Guard: still due. From the commit on nobody reads the campaign's numbers. Returns its total; undefined when it is not
   * due.
   */
  begin(id: string, days: number): Promise<number | undefined> {
    return this.locked(id, async (sql) => {
      const row = await sql.one<{ total: number }>(
        `UPDATE campaigns c SET erasing_at = coalesce(c.erasing_at, clock_timestamp())
          WHERE c.id = $2 AND ${DUE} RETURNING c.total`,
        [days, id],
      );
      return row?.total;
    });
  }

  /** Guard: begun. Empties some chunks. Returns how many numbers went; undefined when no chunk is left to empty. */
  emptyChunks(id: string): Promise<number | undefined> {
    return this.locked(id, async (sql) => {
      const emptied = await sql.query<{ numbers: number }>(
        `WITH page AS (
           SELECT k.first_sequence, ${NUMBERS} AS numbers FROM campaign_chunks k
            WHERE k.campaign_id = $1 AND k.phone_numbers <> ''
              AND EXISTS (SELECT FROM campaigns WHERE id = $1 AND erasing_at IS NOT NULL)
            ORDER BY k.first_sequence LIMIT $2)
         UPDATE campaign_chunks k SET phone_numbers = '' FROM page
          WHERE k.campaign_id = $1 AND k.first_sequence = page.first_sequence RETURNING page.numbers`,
        [id, CHUNKS_A_PAGE],
      );
      return emptied.length === 0 ? undefined : emptied.reduce((sum, { numbers }) => sum + numbers, 0);
    });
  }

  /** Drops some rejects. Returns how many; 0 when none are left. The lock makes this true even while another run works. */
  async dropRejects(id: string): Promise<number> {
    const dropped = await this.locked(id, (sql) =>
      sql.query(
        `DELETE FROM campaign_rejects WHERE campaign_id = $1 AND line IN (
           SELECT line FROM campaign_rejects WHERE campaign_id = $1 ORDER BY line LIMIT $2) RETURNING line`,
        [id, REJECTS_A_PAGE],
      ),
    );
    return dropped.length;
  }

  /** Guard: begun, and nothing is left. Returns whether this call ended the erasure. */
  async finish(id: string): Promise<boolean> {
    const ended = await this.locked(id, (sql) =>
      sql.query(
        `UPDATE campaigns SET erased_at = clock_timestamp()
          WHERE id = $1 AND erasing_at IS NOT NULL AND erased_at IS NULL
            AND NOT EXISTS (SELECT FROM campaign_chunks WHERE campaign_id = $1 AND phone_numbers <> '')
            AND NOT EXISTS (SELECT FROM campaign_rejects WHERE campaign_id = $1)
         RETURNING id`,
        [id],
      ),
    );
    return ended.length > 0;
  }

  /** A page of the chunks that hold a number, after one chunk. Reads the whole ledger: it has no index on numbers either. */
  chunksWith(phoneNumber: string, after?: FoundChunk): Promise<FoundChunk[]> {
    return this.postgres.query<FoundChunk>(
      `SELECT k.campaign_id, k.first_sequence, k.phone_numbers, ${FINISHED} AS finished
         FROM campaign_chunks k JOIN campaigns c ON c.id = k.campaign_id
        WHERE (k.campaign_id, k.first_sequence) > ($2, $3::int)
          AND ${holds('$1')}
        ORDER BY k.campaign_id, k.first_sequence LIMIT $4`,
      [phoneNumber, after?.campaign_id ?? '', after?.first_sequence ?? 0, MATCHES_A_PAGE],
    );
  }

  /** Guard: its campaign is finished. Each line that is the number becomes FORGOTTEN. Returns how many. */
  forget(phoneNumber: string, { campaign_id: id, first_sequence }: FoundChunk): Promise<number> {
    return this.locked(id, async (sql) => {
      const row = await sql.one<{ numbers: number }>(
        `UPDATE campaign_chunks k
            SET phone_numbers = array_to_string(array_replace(string_to_array(k.phone_numbers, E'\\n'), $3, $4), E'\\n')
           FROM (SELECT cardinality(array_positions(string_to_array(phone_numbers, E'\\n'), $3)) AS numbers
                   FROM campaign_chunks WHERE campaign_id = $1 AND first_sequence = $2) AS was
          WHERE k.campaign_id = $1 AND k.first_sequence = $2 AND was.numbers > 0
            AND EXISTS (SELECT FROM campaigns c WHERE c.id = $1 AND ${FINISHED})
         RETURNING was.numbers`,
        [id, first_sequence, phoneNumber, FORGOTTEN],
      );
      return row?.numbers ?? 0;
    });
  }

  /**
   * Which of these campaigns may lose documents: those that are finished, or unknown to the ledger. `forgetting`: a campaign
   * whose ledger still holds that number may not; it has finished since its chunks were read.
   */
  async mayLose(ids: string[], forgetting?: string): Promise<Set<string>> {
    const running = await this.postgres.query<{ id: string }>(
      `SELECT c.id FROM campaigns c
        WHERE c.id = ANY ($1::text[]) AND (NOT ${FINISHED} OR EXISTS (
          SELECT FROM campaign_chunks k WHERE k.campaign_id = c.id AND ${holds('$2::text')}))`,
      [ids, forgetting ?? null],
    );
    const kept = new Set(running.map(({ id }) => id));
    return new Set(ids.filter((id) => !kept.has(id)));
  }

  /** Counts the rejects whose digits match a pattern, in any notation; with `drop`, deletes them. */
  async rejectsLike(pattern: string, { drop }: { drop: boolean }): Promise<number> {
    const where = `${digitsOf('value')} ~ $1`;
    const rows = drop
      ? await this.postgres.query(`DELETE FROM campaign_rejects WHERE ${where} RETURNING line`, [pattern])
      : await this.postgres.query(`SELECT line FROM campaign_rejects WHERE ${where}`, [pattern]);
    return rows.length;
  }

  private async ids(where: string, values: unknown[]): Promise<string[]> {
    const rows = await this.postgres.query<{ id: string }>(
      `SELECT c.id FROM campaigns c WHERE ${where} ORDER BY c.id LIMIT ${CAMPAIGNS_A_PAGE}`,
      values,
    );
    return rows.map(({ id }) => id);
  }

  /** R2: locks the campaign's row first. `work` then runs statements of its own, with a fresh snapshot. */
  private locked<T>(id: string, work: (sql: Transaction) => Promise<T>): Promise<T> {
    return this.postgres.transaction(async (sql) => {
      await sql.query('SELECT FROM campaigns WHERE id = $1 FOR UPDATE', [id]);
      return work(sql);
    });
  }
}
