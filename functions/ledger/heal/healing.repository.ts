import { RECORD_STORED_SQL } from '@disparo/contract';
import { Injectable } from '@nestjs/common';
import { Postgres } from '../../platform/stores/postgres.js';

/** A chunk by its place; `size` numbers from `first_sequence` on. */
export interface ChunkPlace {
  first_sequence: number;
  size: number;
}

/** A stopped campaign that is to be swept. `sweep_at` as PostgreSQL writes it, to the microsecond. */
export interface StoppedCampaign {
  id: string;
  deleted: boolean;
  sweep_at: string;
}

/** For how long after its stop a campaign is swept again and again. */
const SWEEP_LIFE = '7 days';
/** In seconds. The grace time of a chunk doubles with each attempt, up to this. */
const LONGEST_GRACE_S = 86_400;
/** 2^20 s is longer than LONGEST_GRACE_S, whatever the grace time. */
const LAST_DOUBLING = 20;

const RUNS = 'NOT c.deleted AND c.paused_at IS NULL AND c.cancelled_at IS NULL AND c.stored < c.total';
/** $1: the grace time in seconds. The first condition is for the index; the second one is never wider. */
const IS_LATE = `k.stored_at IS NULL AND k.published_at < clock_timestamp() - $1::float8 * interval '1 second'
  AND k.published_at < clock_timestamp()
    - least($1::float8 * 2 ^ least(k.attempts, ${LAST_DOUBLING}), greatest($1::float8, ${LONGEST_GRACE_S})) * interval '1 second'`;

/** What was lost on the way (R7), and what stopped campaigns left behind (R10). */
@Injectable()
export class HealingRepository {
  constructor(private readonly postgres: Postgres) {}

  /** Partitions on which running campaigns have late chunks. Takes no lock, so it may be outdated at once. */
  async latePartitions(graceS: number): Promise<number[]> {
    const rows = await this.postgres.query<{ partition: number }>(
      `SELECT DISTINCT c.partition FROM campaigns c JOIN campaign_chunks k ON k.campaign_id = c.id
        WHERE ${RUNS} AND ${IS_LATE} ORDER BY c.partition`,
      [graceS],
    );
    return rows.map(({ partition }) => partition);
  }

  /**
   * R7: late chunks go back to the outbox if nothing was ready on the partition, or if a chunk published later on it is
   * stored. The caller asks for `queueEmpty` BEFORE this call. Returns how many numbers were given back.
   */
  heal(partition: number, graceS: number, queueEmpty: boolean): Promise<number> {
    return this.postgres.transaction(async (sql) => {
      // guard: running only; lock, THEN a second statement with a fresh snapshot (R2)
      const locked = await sql.query<{ id: string }>(
        `SELECT c.id FROM campaigns c
          WHERE ${RUNS} AND c.partition = $2
            AND EXISTS (SELECT FROM campaign_chunks k WHERE k.campaign_id = c.id AND ${IS_LATE})
          ORDER BY c.id FOR UPDATE SKIP LOCKED`,
        [graceS, partition],
      );
      if (locked.length === 0) return 0;
      const moved = await sql.query<{ numbers: number }>(
        `WITH through AS (
           SELECT k.published_at AS at FROM campaign_chunks k JOIN campaigns c ON c.id = k.campaign_id
            WHERE k.stored_at IS NOT NULL AND c.partition = $2 ORDER BY k.published_at DESC LIMIT 1),
         back AS (
           UPDATE campaign_chunks k SET published_at = NULL, attempts = k.attempts + 1
            WHERE k.campaign_id = ANY ($3::text[]) AND ${IS_LATE}
              AND ($4::boolean OR k.published_at < (SELECT at FROM through))
           RETURNING k.campaign_id, k.size),
         moved AS (SELECT campaign_id, sum(size)::int AS numbers FROM back GROUP BY campaign_id)
         UPDATE campaigns c SET published = c.published - moved.numbers, updated_at = clock_timestamp()
           FROM moved WHERE c.id = moved.campaign_id RETURNING moved.numbers`,
        [graceS, partition, locked.map(({ id }) => id), queueEmpty],
      );
      return moved.reduce((sum, { numbers }) => sum + numbers, 0);
    });
  }

  /** Stopped campaigns that are due for a sweep, the longest due first. */
  toSweep(limit: number): Promise<StoppedCampaign[]> {
    return this.postgres.query(
      `SELECT id, deleted, sweep_at::text FROM campaigns WHERE sweep_at <= clock_timestamp() ORDER BY sweep_at LIMIT $1`,
      [limit],
    );
  }

  /** Chunks that are not recorded as stored, in order. */
  unstored(campaignId: string): Promise<ChunkPlace[]> {
    return this.postgres.query(
      `SELECT first_sequence, size FROM campaign_chunks
        WHERE campaign_id = $1 AND stored_at IS NULL ORDER BY first_sequence`,
      [campaignId],
    );
  }

  /** R4, as a consumer does it in step 5. */
  async record(campaignId: string, sequences: number[]): Promise<void> {
    await this.postgres.query(RECORD_STORED_SQL, [sequences.map(() => campaignId), sequences]);
  }

  /**
   * Notes that a campaign was swept. The next sweep comes after as long again as the campaign has been stopped, and at least
   * 30 seconds; after SWEEP_LIFE there is none. Guard: it was not stopped anew meanwhile.
   */
  async swept({ id, sweep_at }: StoppedCampaign): Promise<void> {
    await this.postgres.query(
      `UPDATE campaigns SET sweep_at = CASE
           WHEN coalesce(deleted_at, cancelled_at) < clock_timestamp() - $3::interval THEN NULL
           ELSE clock_timestamp() + greatest(clock_timestamp() - coalesce(deleted_at, cancelled_at), interval '30 seconds') END
        WHERE id = $1 AND sweep_at = $2::timestamptz`,
      [id, sweep_at, SWEEP_LIFE],
    );
  }
}
