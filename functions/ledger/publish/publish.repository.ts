import { Injectable } from '@nestjs/common';
import { createId } from '@paralleldrive/cuid2';
import { Postgres, type Transaction } from '../../platform/stores/postgres.js';
import type { RecipientChunk } from '../../recipients/recipients.js';
import type { Reject } from '../../recipients/reject-list.js';

/** How long a publisher may be silent before another takes its campaign; longer than the deadline of a confirm. */
const LEASE = '30 seconds';

/** A campaign at the moment of its acceptance. */
export interface NewCampaign {
  id: string;
  name: string;
  message: string;
  companyId: string;
  userId: string;
  partition: number;
  /** Numbers. */
  total: number;
  /** Lines that are no number and are counted only. */
  rejectsNotKept: number;
  traceparent: string;
}

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

/** How many campaigns owe: the running ones, those of them whose lease somebody holds, and beside them the paused ones. */
export interface Owing {
  running: number;
  leased: number;
  paused: number;
}

/** The ledger: accepted, published, stored, chunk by chunk. The guards are the rules of docs/architecture.md. */
@Injectable()
export class LedgerRepository {
  constructor(private readonly postgres: Postgres) {}

  /**
   * Guard: the company lives, and is kept from being deleted until the commit. Its publisher holds the lease at once.
   * Answers its claim; undefined when the company is gone.
   */
  insertCampaign(sql: Transaction, campaign: NewCampaign): Promise<Claim | undefined> {
    const { id, name, message, companyId, userId, partition, total, rejectsNotKept, traceparent } = campaign;
    return sql.one<Claim>(
      `INSERT INTO campaigns (id, name, message, company_id, user_id, partition, total, traceparent, lease_until, lease_holder,
                              rejects_not_kept)
       SELECT $1, $2, $3, c.id, $5, $6::int, $7::int, $8, clock_timestamp() + $9::interval, $10, $11::int
         FROM companies c WHERE c.id = $4 AND NOT c.deleted FOR SHARE
       RETURNING id, epoch, lease_holder, company_id, message, partition, traceparent`,
      [id, name, message, companyId, userId, partition, total, traceparent, LEASE, createId(), rejectsNotKept],
    );
  }

  /** By COPY, one row a chunk; a few chunks' numbers exist as bytes at a time. */
  async insertChunks(sql: Transaction, campaignId: string, chunks: Iterable<RecipientChunk>): Promise<void> {
    await sql.copyFrom(
      'COPY campaign_chunks (campaign_id, first_sequence, size, phone_numbers) FROM STDIN (FORMAT csv)',
      chunkRows(campaignId, chunks),
    );
  }

  async insertRejects(sql: Transaction, campaignId: string, rejects: Iterable<Reject>): Promise<void> {
    await sql.copyFrom(
      'COPY campaign_rejects (campaign_id, line, value, reason) FROM STDIN',
      rows(rejects, ({ line, value, reason }) => [campaignId, line, value, reason]),
    );
  }

  /** R8, guard: running, owes, no live lease. SKIP LOCKED, so that publishers never wait for one another. */
  claim(options: { id?: string; except?: string[] }): Promise<Claim | undefined> {
    return this.postgres.one<Claim>(
      `UPDATE campaigns SET lease_until = clock_timestamp() + $1::interval, lease_holder = $4
        WHERE id = (
          SELECT id FROM campaigns
           WHERE id = coalesce($2::text, id) AND NOT (id = ANY ($3::text[]))
             AND NOT deleted AND paused_at IS NULL AND cancelled_at IS NULL AND published < total
             AND (lease_until IS NULL OR lease_until < clock_timestamp())
           ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
       RETURNING id, epoch, lease_holder, company_id, message, partition, traceparent`,
      [LEASE, options.id ?? null, options.except ?? [], createId()],
    );
  }

  /** R5: what is owed, read after the epoch, in order; nothing once the campaign stands still, has a later epoch or another publisher. */
  outbox(claim: Claim, limit: number): Promise<{ first_sequence: number; phone_numbers: string }[]> {
    return this.postgres.query(
      `SELECT k.first_sequence, k.phone_numbers
         FROM campaign_chunks k JOIN campaigns c ON c.id = k.campaign_id
        WHERE k.campaign_id = $1 AND k.published_at IS NULL AND k.stored_at IS NULL
          AND c.epoch = $2 AND c.lease_holder = $4 AND NOT c.deleted AND c.paused_at IS NULL AND c.cancelled_at IS NULL
        ORDER BY k.first_sequence LIMIT $3`,
      [claim.id, claim.epoch, limit, claim.lease_holder],
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

  /** Gives a lease back, unless it is another's by now. Answers whether it was ours and nothing is owed any more. */
  async release(claim: Claim): Promise<boolean> {
    const row = await this.postgres.one<{ done: boolean }>(
      `UPDATE campaigns SET lease_until = NULL, lease_holder = NULL WHERE id = $1 AND lease_holder = $2
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

/** Rows of COPY's CSV, in whose quotes the newlines of a chunk stand as they are. Nothing here has a quote in it. */
function* chunkRows(campaignId: string, chunks: Iterable<RecipientChunk>): Generator<Buffer | string> {
  for (const { firstSequence, size, phoneNumbers } of chunks) {
    yield `${campaignId},${firstSequence},${size},"`;
    yield phoneNumbers;
    yield '"\n';
  }
}

/** Rows of COPY's text format: tab between columns, backslash escapes. */
function* rows<T>(items: Iterable<T>, columns: (item: T) => (string | number)[]): Generator<string> {
  for (const item of items) yield `${columns(item).map(escaped).join('\t')}\n`;
}

const COPY_ESCAPES: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

function escaped(value: string | number): string {
  return typeof value === 'number'
    ? String(value)
    : value.replace(/[\\\t\n\r]/g, (character) => COPY_ESCAPES[character] ?? '');
}
