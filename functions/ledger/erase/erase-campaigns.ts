import { Injectable } from '@nestjs/common';
import { Log } from '../../platform/telemetry/log.js';
import { ErasedDocuments } from '../../retention/erased-documents.js';
import { RetentionRepository } from './erase.repository.js';

/** What one run erased, or would. */
export interface Erasure {
  campaigns: number;
  /** Numbers in the ledger. */
  numbers: number;
  rejects: number;
  documents: number;
  /** Uploads without a campaign that showed rejects. */
  refusals: number;
  /** Documents of campaigns that were erased before: a consumer that had stood still for days has written them since. */
  returned: number;
  /** Old enough, cancelled, and still swept by dispatch. */
  waiting: number;
  /** It went to its end. */
  whole: boolean;
}

/**
 * Erases the phone numbers of finished campaigns that nobody has changed for some days. Their counters and their text stay:
 * what was sent, when and to how many is the company's to show; to whom is not needed for it.
 *
 * A campaign is marked first, so that nobody reads half of it; then its documents go, then the ledger's numbers, its rejects,
 * and at last it is marked as erased. Whatever stops a run, the next one goes on where the mark is not the last.
 */
@Injectable()
export class EraseCampaigns {
  constructor(
    private readonly retention: RetentionRepository,
    private readonly documents: ErasedDocuments,
    private readonly log: Log,
  ) {}

  /** What is due now. Changes nothing. */
  async count(days: number, stop: AbortSignal): Promise<Erasure> {
    const found = nothing();
    for await (const id of pages((after) => this.retention.due(days, after))) {
      if (stop.aborted) return found;
      const { numbers, rejects } = await this.retention.left(id);
      found.campaigns++;
      found.numbers += numbers;
      found.rejects += rejects;
      found.documents += await this.documents.count(id);
    }
    found.waiting = await this.retention.waiting(days);
    found.whole = !stop.aborted;
    return found;
  }

  /** Throws when a store is away; what it had erased until then is erased. Told to stop, it ends between two pages. */
  async erase(days: number, stop: AbortSignal): Promise<Erasure> {
    const erasure = nothing();
    for await (const id of pages((after) => this.retention.due(days, after))) {
      if (stop.aborted) return erasure;
      await this.eraseOne(id, days, erasure, stop);
    }
    for await (const id of pages((after) => this.retention.erased(after))) {
      if (stop.aborted) return erasure;
      if (await this.documents.any(id)) erasure.returned += await this.documents.delete(id, 0, stop);
    }
    erasure.refusals = await this.retention.dropRefusals(days);
    erasure.waiting = await this.retention.waiting(days);
    erasure.whole = !stop.aborted;
    return erasure;
  }

  private async eraseOne(id: string, days: number, erasure: Erasure, stop: AbortSignal): Promise<void> {
    const total = await this.retention.begin(id, days);
    if (total === undefined) return;
    erasure.documents += await this.documents.delete(id, total, stop);
    for (let numbers: number | undefined = 0; numbers !== undefined; ) {
      if (stop.aborted) return;
      numbers = await this.retention.emptyChunks(id);
      erasure.numbers += numbers ?? 0;
    }
    for (let rejects = 1; rejects > 0; ) {
      if (stop.aborted) return;
      rejects = await this.retention.dropRejects(id);
      erasure.rejects += rejects;
    }
    await this.retention.dropAnswers(id);
    if (!(await this.retention.finish(id))) return;
    erasure.campaigns++;
    this.log.info({ campaign_id: id }, 'erased the numbers of a campaign');
  }
}

function nothing(): Erasure {
  return { campaigns: 0, numbers: 0, rejects: 0, documents: 0, refusals: 0, returned: 0, waiting: 0, whole: false };
}

/** One id after the other, from pages that each begin behind the last id of the one before. */
async function* pages(page: (after: string) => Promise<string[]>): AsyncGenerator<string> {
  for (let ids = await page(''); ids.length > 0; ids = await page(ids.at(-1) ?? '')) yield* ids;
}
