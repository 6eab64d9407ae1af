import { Injectable } from '@nestjs/common';
import type { Transaction } from '../../platform/stores/postgres.js';
import type { Recipients } from '../../recipients/recipients.js';
import { type Claim, LedgerRepository, type NewCampaign } from '../publish/publish.repository.js';

export type { Claim } from '../publish/publish.repository.js';

/** Opens the ledger of a campaign in the transaction that accepts it. */
@Injectable()
export class OpenLedger {
  constructor(private readonly ledger: LedgerRepository) {}

  /**
   * The campaign, its chunks of `chunkSize` numbers, its rejects. Frees the numbers: whoever publishes holds none. Answers the
   * claim of its publisher, which is whoever accepts it; undefined when the company is gone.
   */
  async open(
    sql: Transaction,
    campaign: NewCampaign,
    recipients: Recipients,
    chunkSize: number,
  ): Promise<Claim | undefined> {
    const claim = await this.ledger.insertCampaign(sql, campaign);
    if (!claim) return undefined;
    await this.ledger.insertChunks(sql, campaign.id, recipients.chunks(chunkSize));
    recipients.freeNumbers();
    if (recipients.counts.invalid > 0) await this.ledger.insertRejects(sql, campaign.id, recipients.rejects());
    return claim;
  }
}
