import { createHash } from 'node:crypto';
import { MAX_CHUNK_NUMBERS } from '@disparo/contract';
import { Injectable } from '@nestjs/common';
import { CompanyNotFound } from '../../accounts/accounts.errors.js';
import { Config } from '../../platform/config.js';
import type { Transaction } from '../../platform/stores/postgres.js';
import type { Claim } from '../publish/outbox.repository.js';
import type { CampaignRow } from '../read/campaign-row.js';
import { LedgerReader } from '../read/ledger-reader.js';
import { AcceptRepository, type NewCampaign } from './accept.repository.js';

export type { NewCampaign } from './accept.repository.js';

/** An accepted campaign, already leased to its publisher. */
export interface Accepted {
  claim: Claim;
  /** As it was at the commit. */
  row: CampaignRow;
}

/** Accepts a campaign in the caller's transaction: opens its ledger. */
@Injectable()
export class AcceptCampaign {
  constructor(
    private readonly config: Config,
    private readonly repository: AcceptRepository,
    private readonly reader: LedgerReader,
  ) {}

  /**
   * Inserts the campaign, its chunks and its rejects. Frees the numbers: a publisher reads them from the ledger. Throws
   * CompanyNotFound.
   */
  async accept(sql: Transaction, campaign: NewCampaign): Promise<Accepted> {
    const { id, userId, recipients } = campaign;
    const { accepted, invalid } = recipients.counts;
    const claim = await this.repository.insertCampaign(sql, campaign, partitionOf(id, this.config.queuePartitions));
    if (!claim) throw new CompanyNotFound();
    const size = chunkSize(accepted, this.config.campaignQueueSlots);
    await this.repository.insertChunks(sql, id, recipients.chunks(size));
    recipients.freeNumbers();
    if (invalid > 0) await this.repository.insertRejects(sql, id, recipients.rejects());
    const row = await this.reader.find(userId, id, sql);
    if (!row) throw new CompanyNotFound();
    return { claim, row };
  }
}

/**
 * Numbers in one queue message. A campaign takes at most `slots` messages, unless one would then hold over 5,000 numbers.
 */
function chunkSize(total: number, slots: number): number {
  return Math.min(Math.max(Math.ceil(total / slots), 1), MAX_CHUNK_NUMBERS);
}

/** The partition of a campaign: the same for ever, and spread evenly. */
function partitionOf(campaignId: string, partitions: number): number {
  return createHash('sha256').update(campaignId).digest().readUInt32BE() % partitions;
}
