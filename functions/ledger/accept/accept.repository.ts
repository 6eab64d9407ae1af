import { Injectable } from '@nestjs/common';
import { newHolder } from '../../platform/lease.js';
import { textRows } from '../../platform/stores/copy-rows.js';
import type { Transaction } from '../../platform/stores/postgres.js';
import type { RecipientChunk, Recipients } from '../../recipients/recipients.js';
import type { Reject } from '../../recipients/reject-list.js';
import { type Claim, LEASE } from '../publish/outbox.repository.js';

/** A campaign between its request and its commit: its fields are checked, and its file has at least one number. */
export interface NewCampaign {
  id: string;
  userId: string;
  companyId: string;
  name: string;
  message: string;
  recipients: Recipients;
  traceparent: string;
}

/** Opens the ledger of a campaign: its row, its chunks, its rejects. */
@Injectable()
export class AcceptRepository {
  /**
   * Guard: the company is not deleted, and cannot be until the commit. The campaign is leased to its publisher at once.
   * Returns the claim; undefined when the company is gone.
   */
  insertCampaign(sql: Transaction, campaign: NewCampaign, partition: number): Promise<Claim | undefined> {
    const { id, name, message, companyId, userId, recipients, traceparent } = campaign;
    const { counts, rejectsNotKept } = recipients;
    return sql.one<Claim>(
      `INSERT INTO campaigns (id, name, message, company_id, user_id, partition, total, traceparent, lease_until, lease_holder,
                              rejects_not_kept)
       SELECT $1, $2, $3, c.id, $5, $6::int, $7::int, $8, clock_timestamp() + $9::interval, $10, $11::int
         FROM companies c WHERE c.id = $4 AND NOT c.deleted FOR SHARE
       RETURNING id, epoch, lease_holder, company_id, message, partition, traceparent`,
      [
        ...[id, name, message, companyId, userId, partition, counts.accepted, traceparent],
        ...[LEASE, newHolder(), rejectsNotKept],
      ],
    );
  }

  /** By COPY, one row a chunk. Only a few chunks' numbers exist as bytes at a time. */
  async insertChunks(sql: Transaction, campaignId: string, chunks: Iterable<RecipientChunk>): Promise<void> {
    await sql.copyFrom(
      'COPY campaign_chunks (campaign_id, first_sequence, size, phone_numbers) FROM STDIN (FORMAT csv)',
      chunkRows(campaignId, chunks),
    );
  }

  async insertRejects(sql: Transaction, campaignId: string, rejects: Iterable<Reject>): Promise<void> {
    await sql.copyFrom(
      'COPY campaign_rejects (campaign_id, line, value, reason) FROM STDIN',
      textRows(rejects, ({ line, value, reason }) => [campaignId, line, value, reason]),
    );
  }
}

/** Rows of COPY's CSV. The numbers of a chunk are quoted, so their newlines stay as they are. No value contains a quote. */
function* chunkRows(campaignId: string, chunks: Iterable<RecipientChunk>): Generator<Buffer | string> {
  for (const { firstSequence, size, phoneNumbers } of chunks) {
    yield `${campaignId},${firstSequence},${size},"`;
    yield phoneNumbers;
    yield '"\n';
  }
}
