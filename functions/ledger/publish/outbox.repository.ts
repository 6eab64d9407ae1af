import { Injectable } from '@nestjs/common';
import { leaseIsFree, NO_LEASE, newHolder, takeLease } from '../../platform/lease.js';
import { Postgres } from '../../platform/stores/postgres.js';

/** How long a publisher may be silent before another takes its campaign; longer than the deadline of a confirm. */
export const LEASE = '30 seconds';

/** The right to publish one campaign for as long as the lease is renewed. */
export interface Claim {
  id: string;
  epoch: number;
  /** Whose lease it is. */
  lease_holder: string;
  company_id: string;
  message: string;
  partition: number;
  traceparent: string;
}

/** How many campaigns owe: the running ones, how many of those are leased, and the paused ones. */
export interface Owing {
  running: number;
  leased: number;
  paused: number;
}

/** What is owed to the queue, and who may send it. The guards are the rules of docs/architecture.md. */
@Injectable()
export class OutboxRepository {
  constructor(private readonly postgres: Postgres) {}

  /** R8, guard: running, owes, no live lease. SKIP LOCKED, so that publishers never wait for one another. */
  claim(options: { id?: string; except?: string[] }): Promise<Claim | undefined> {
    return this.postgres.one<Claim>(
      `UPDATE campaigns SET ${takeLease('$1', '$4')}
        WHERE id = (
          SELECT id FROM campaigns
           WHERE id = coalesce($2::text, id) AND NOT (id = ANY ($3::text[]))
             AND NOT deleted AND paused_at IS NULL AND cancelled_at IS NULL AND published < total
             AND ${leaseIsFree()}
           ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
       RETURNING id, epoch, lease_holder, company_id, message, partition, traceparent`,
      [LEASE, options.id ?? null, options.except ?? [], newHolder()],
    );
  }

  /** Running campaigns that owe and have no publisher, oldest first, 100 at most; none of these partitions. */
  withoutPublisher(exceptPartitions: number[]): Promise<{ id: string; partition: number }[]> {
    return this.postgres.query(
      `SELECT id, partition FROM campaigns
        WHERE NOT deleted AND paused_at IS NULL AND cancelled_at IS NULL AND published < total
          AND ${leaseIsFree()} AND NOT (partition = ANY ($1::int[]))
        ORDER BY created_at, id LIMIT 100`,
      [exceptPartitions],
    );
  }

  /**
   * R5: the chunks that are owed, in order; none once the campaign is paused, cancelled or deleted, or has another
   * publisher. The lease holder stands for the epoch: each claim sets a new holder and reads the epoch in the same
   * statement, and a resume clears the holder in the statement that begins the next epoch.
   */
  owed(claim: Claim, limit: number): Promise<{ first_sequence: number; phone_numbers: string }[]> {
    return this.postgres.query(
      `SELECT k.first_sequence, k.phone_numbers
         FROM campaign_chunks k JOIN campaigns c ON c.id = k.campaign_id
        WHERE k.campaign_id = $1 AND k.published_at IS NULL AND k.stored_at IS NULL
          AND c.lease_holder = $2 AND NOT c.deleted AND c.paused_at IS NULL AND c.cancelled_at IS NULL
        ORDER BY k.first_sequence LIMIT $3`,
      [claim.id, claim.lease_holder, limit],
    );
  }

  /** R3: the broker has confirmed these chunks. Renews the lease. */
  async stamp(claim: Claim, sequences: number[]): Promise<void> {
    await this.postgres.query('SELECT stamp_published($1, $2, $3, $4, $5::interval)', [
      claim.id,
      claim.epoch,
      sequences,
      claim.lease_holder,
      LEASE,
    ]);
  }

  /** Gives a lease back, unless it is another's by now. Returns whether it was ours and nothing is owed any more. */
  async release(claim: Claim): Promise<boolean> {
    const row = await this.postgres.one<{ done: boolean }>(
      `UPDATE campaigns SET ${NO_LEASE} WHERE id = $1 AND lease_holder = $2
       RETURNING published = total AS done`,
      [claim.id, claim.lease_holder],
    );
    return row?.done ?? false;
  }

  /** Campaigns that owe, as they are at this moment. */
  async owing(): Promise<Owing> {
    const row = await this.postgres.one<Owing>(
      `SELECT count(*) FILTER (WHERE paused_at IS NULL)::int AS running,
              count(*) FILTER (WHERE paused_at IS NULL AND lease_until >= clock_timestamp())::int AS leased,
              count(*) FILTER (WHERE paused_at IS NOT NULL)::int AS paused
         FROM campaigns WHERE NOT deleted AND cancelled_at IS NULL AND published < total`,
    );
    return row ?? { running: 0, leased: 0, paused: 0 };
  }
}
