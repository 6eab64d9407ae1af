import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Log } from '../platform/log.js';
import { LedgerRepository } from './ledger.repository.js';
import { PublishCampaign } from './publish-campaign.js';

/** What one pass did, in campaigns. */
export interface Pass {
  published: number;
  failed: number;
}

/** The dispatcher: each minute and at the start it publishes what is owed. Several at once do no harm (lease, SKIP LOCKED). */
@Injectable()
export class DispatchCampaigns {
  constructor(
    private readonly ledger: LedgerRepository,
    private readonly publishing: PublishCampaign,
    private readonly log: Log,
  ) {}

  /** One pass over all campaigns that owe, oldest first, each tried once. Throws when PostgreSQL cannot be reached. */
  async pass(stop: AbortSignal): Promise<Pass> {
    const tried: string[] = [];
    const pass: Pass = { published: 0, failed: 0 };
    while (!stop.aborted) {
      const claim = await this.ledger.claim({ except: tried });
      if (!claim) break;
      tried.push(claim.id);
      const outcome = await this.publishing.publish(claim, stop);
      pass[outcome === 'all' ? 'published' : 'failed']++;
    }
    await this.ledger.dropOldKeys();
    if (tried.length > 0) this.log.info({ ...pass }, 'dispatched what was owed');
    return pass;
  }

  /** Passes at once and then every `intervalMs` until told to stop. A pass that fails is logged and the next one tries again. */
  async loop(intervalMs: number, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      await this.pass(stop).catch((error: unknown) => this.log.error({ err: error }, 'a dispatch pass failed'));
      await delay(intervalMs, undefined, { signal: stop }).catch(() => undefined);
    }
  }
}
