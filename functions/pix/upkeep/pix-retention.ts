import { Injectable } from '@nestjs/common';
import { count, type Found, Retention, type Run } from '../../retention/retention.js';
import { type ErasePage, PixRetentionRepository } from './pix-retention.repository.js';

const BEFORE_ALL = '0';

/**
 * Erases who paid and who received of messages that were acknowledged some days ago: names, documents, branches, accounts,
 * and the text of the payer. Amount, time, `endToEndId` and `txId` stay, by which a bank and a company find a payment.
 */
@Injectable()
export class PixRetention {
  constructor(
    private readonly repository: PixRetentionRepository,
    retention: Retention,
  ) {
    retention.onErase((days, run) => this.#erase(days, run));
  }

  /** A page is a transaction: a run that was stopped or killed is run again, and goes on with what is left. */
  async #erase(days: number, { dryRun, stop }: Run): Promise<Found> {
    let messages = 0;
    for (let after: string | undefined = BEFORE_ALL; after !== undefined && !stop.aborted; ) {
      const page: ErasePage = await (dryRun ? this.repository.count(days, after) : this.repository.erase(days, after));
      messages += page.due;
      after = page.last;
    }
    if (messages === 0) return { gone: [] };
    const what = `payers and receivers of ${count(messages)} Pix messages older than ${count(days)} days`;
    return { gone: [`${what} ${dryRun ? 'would be erased' : 'erased'}`] };
  }
}
