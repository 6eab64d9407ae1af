import { createHash } from 'node:crypto';
import { MAX_CHUNK_NUMBERS } from '@disparo/contract';
import { Injectable } from '@nestjs/common';
import { CompanyNotFound } from '../../accounts/accounts.errors.js';
import { type Claim, OpenLedger } from '../../ledger/accept/accept-campaign.js';
import { CampaignsRepository, type SteeredRow } from '../../ledger/steer/steering.js';
import { Config } from '../../platform/config.js';
import type { Transaction } from '../../platform/stores/postgres.js';
import type { Recipients } from '../../recipients/recipients.js';
import { FileEmpty, type FileSummary } from '../campaigns.errors.js';

/** What becomes a campaign: fields that are checked, and the numbers of a file that has some. */
export interface AcceptableCampaign {
  id: string;
  userId: string;
  name: string;
  message: string;
  companyId: string;
  recipients: Recipients;
  file: FileSummary;
  traceparent: string;
}

/** An accepted campaign, which its publisher holds. */
export interface Accepted {
  claim: Claim;
  /** As it was at the commit. */
  row: SteeredRow;
}

/** Accepts a campaign in the transaction of whoever has read its file. */
@Injectable()
export class AcceptCampaign {
  constructor(
    private readonly config: Config,
    private readonly ledger: OpenLedger,
    private readonly campaigns: CampaignsRepository,
  ) {}

  /** The campaign, its chunks and its rejects. Frees the numbers: whoever publishes holds none. Throws CompanyNotFound. */
  async accept(sql: Transaction, campaign: AcceptableCampaign): Promise<Accepted> {
    const { id, name, message, companyId, userId, recipients, file, traceparent } = campaign;
    const total = file.accepted;
    const partition = partitionOf(id, this.config.queuePartitions);
    const rejectsNotKept = file.invalid - file.rejects_kept;
    const given = { id, name, message, companyId, userId, partition, total, rejectsNotKept, traceparent };
    const claim = await this.ledger.open(sql, given, recipients, chunkSize(total, this.config.campaignQueueSlots));
    if (!claim) throw new CompanyNotFound();
    const row = await this.campaigns.find(userId, id, sql);
    if (!row) throw new CompanyNotFound();
    return { claim, row };
  }
}

/** What a file came to. Throws FileEmpty where it has no acceptable number. */
export function summaryOf(recipients: Recipients): FileSummary {
  const { counts, column: phone_column } = recipients;
  const rejects = recipients.firstRejects();
  // Nothing is kept of a file that becomes no campaign.
  if (counts.accepted === 0) throw new FileEmpty({ ...counts, phone_column, rejects_kept: 0, rejects });
  return { ...counts, phone_column, rejects_kept: recipients.rejectsKept, rejects };
}

/** Numbers in one queue message: a campaign takes at most `slots` of them, unless one would hold over 5,000 numbers. */
function chunkSize(total: number, slots: number): number {
  return Math.min(Math.max(Math.ceil(total / slots), 1), MAX_CHUNK_NUMBERS);
}

/** The partition of a campaign: the same for ever, and spread evenly. */
function partitionOf(campaignId: string, partitions: number): number {
  return createHash('sha256').update(campaignId).digest().readUInt32BE() % partitions;
}
