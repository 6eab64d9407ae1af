import { Injectable } from '@nestjs/common';
import { Log } from '../../platform/telemetry/log.js';
import { count, type Found, Retention, type Run } from '../../retention/retention.js';
import { MessageStore } from '../message-store.js';
import { EraseRepository } from './erase.repository.js';

/** What one run erased, or would erase. */
interface Erasure {
  campaigns: number;
  /** Numbers in the ledger. */
  numbers: number;
  rejects: number;
  documents: number;
  /** Documents of campaigns that were erased before: a consumer that was frozen for days has written them since. */
  returned: number;
  /** Campaigns that are old enough and cancelled, and that dispatch still sweeps. */
  waiting: number;
}

/**
 * Erases the phone numbers of finished campaigns that nobody has changed for some days. Their counters and their text stay:
 * the company may have to show what was sent, when and to how many. It does not need to show to whom.
 *
 * A campaign is first marked as being erased, so that nobody reads half of it. Then its documents go, then the ledger's
 * numbers, then its rejects. At last it is marked as erased. If a run stops before that last mark, the next run goes on.
 */
@Injectable()
export class EraseCampaigns {
  readonly #hooks: ((campaignId: string) => Promise<void>)[] = [];

  constructor(
    private readonly repository: EraseRepository,
    private readonly messages: MessageStore,
    private readonly log: Log,
    retention: Retention,
  ) {
    retention.onErase((days, run) => this.erase(days, run));
  }

  /**
   * Modules that keep a copy of a campaign's rejects register when they are built. The hook deletes the copy, before the
   * last mark is set.
   */
  onErase(hook: (campaignId: string) => Promise<void>): void {
    this.#hooks.push(hook);
  }

  /** Throws when a store is away; what was erased until then stays erased. */
  private async erase(days: number, { dryRun, stop }: Run): Promise<Found> {
    const erasure = await (dryRun ? this.countDue(days, stop) : this.eraseDue(days, stop));
    const { campaigns, numbers, rejects, documents, returned, waiting } = erasure;
    return {
      gone: [
        `${count(campaigns)} campaigns older than ${count(days)} days ${dryRun ? 'would be erased' : 'erased'}`,
        `${count(numbers)} numbers in the ledger`,
        `${count(rejects)} rejects`,
        `${count(documents)} documents`,
      ],
      remarks: [
        returned > 0 ? `${count(returned)} documents that had come back` : '',
        waiting > 0 ? `${count(waiting)} cancelled campaigns wait until dispatch has swept them for the last time` : '',
      ],
    };
  }

  private async countDue(days: number, stop: AbortSignal): Promise<Erasure> {
    const found = nothing();
    for await (const id of pages((after) => this.repository.due(days, after))) {
      if (stop.aborted) return found;
      const { numbers, rejects } = await this.repository.left(id);
      found.campaigns++;
      found.numbers += numbers;
      found.rejects += rejects;
      found.documents += await this.messages.count(id);
    }
    found.waiting = await this.repository.waiting(days);
    return found;
  }

  private async eraseDue(days: number, stop: AbortSignal): Promise<Erasure> {
    const erasure = nothing();
    for await (const id of pages((after) => this.repository.due(days, after))) {
      if (stop.aborted) return erasure;
      await this.eraseOne(id, days, erasure, stop);
    }
    for await (const id of pages((after) => this.repository.erased(after))) {
      if (stop.aborted) return erasure;
      if (await this.messages.any(id)) erasure.returned += await this.messages.delete(id, 0, stop);
    }
    erasure.waiting = await this.repository.waiting(days);
    return erasure;
  }

  private async eraseOne(id: string, days: number, erasure: Erasure, stop: AbortSignal): Promise<void> {
    const total = await this.repository.begin(id, days);
    if (total === undefined) return;
    erasure.documents += await this.messages.delete(id, total, stop);
    for (let numbers: number | undefined = 0; numbers !== undefined; ) {
      if (stop.aborted) return;
      numbers = await this.repository.emptyChunks(id);
      erasure.numbers += numbers ?? 0;
    }
    for (let rejects = 1; rejects > 0; ) {
      if (stop.aborted) return;
      rejects = await this.repository.dropRejects(id);
      erasure.rejects += rejects;
    }
    for (const hook of this.#hooks) await hook(id);
    if (!(await this.repository.finish(id))) return;
    erasure.campaigns++;
    this.log.info({ campaign_id: id }, 'erased the numbers of a campaign');
  }
}

function nothing(): Erasure {
  return { campaigns: 0, numbers: 0, rejects: 0, documents: 0, returned: 0, waiting: 0 };
}

/** Yields the ids one by one. Each page begins after the last id of the page before. */
async function* pages(page: (after: string) => Promise<string[]>): AsyncGenerator<string> {
  for (let ids = await page(''); ids.length > 0; ids = await page(ids.at(-1) ?? '')) yield* ids;
}
