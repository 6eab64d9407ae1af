import { Module } from '@nestjs/common';
import { DISPATCH, Duties } from '../platform/duties.js';
import { RetentionModule } from '../retention/retention.module.js';
import { AcceptRepository } from './accept/accept.repository.js';
import { AcceptCampaign } from './accept/accept-campaign.js';
import { DispatchCampaigns } from './dispatch-campaigns.js';
import { EraseRepository } from './erase/erase.repository.js';
import { EraseCampaigns } from './erase/erase-campaigns.js';
import { ForgetNumber } from './erase/forget-number.js';
import { HealChunks } from './heal/heal-chunks.js';
import { HealingRepository } from './heal/healing.repository.js';
import { SweepCampaigns } from './heal/sweep-campaigns.js';
import { CheckLedger } from './inspect/check-ledger.js';
import { DeadLetters } from './inspect/dead-letters.js';
import { LagRepository } from './inspect/lag.repository.js';
import { LedgerGauges } from './inspect/ledger-gauges.js';
import { MessageStore } from './message-store.js';
import { OutboxRepository } from './publish/outbox.repository.js';
import { PublishCampaign } from './publish/publish-campaign.js';
import { PublishOwed } from './publish/publish-owed.js';
import { LedgerReader } from './read/ledger-reader.js';
import { Steering } from './steer/steering.js';

const DISPATCH_EVERY_MS = 60_000;
const PUBLISH_EVERY_MS = 2_000;

/** What other modules ask the ledger for. */
const EXPORTED = [
  AcceptCampaign,
  PublishCampaign,
  Steering,
  LedgerReader,
  MessageStore,
  SweepCampaigns,
  EraseCampaigns,
  DispatchCampaigns,
  CheckLedger,
  DeadLetters,
];

/**
 * The ledger of campaigns, with every statement on its tables and documents, and the way from it to the queue: accept,
 * publish, steer, heal, sweep, erase, check. It has no HTTP routes.
 */
@Module({
  imports: [RetentionModule],
  providers: [
    ...EXPORTED,
    AcceptRepository,
    OutboxRepository,
    PublishOwed,
    HealingRepository,
    EraseRepository,
    LagRepository,
    LedgerGauges,
    HealChunks,
    ForgetNumber,
  ],
  exports: EXPORTED,
})
export class LedgerModule {
  constructor(duties: Duties, dispatching: DispatchCampaigns, owed: PublishOwed, sweeping: SweepCampaigns) {
    duties.add({ name: DISPATCH, everyMs: DISPATCH_EVERY_MS, run: (stop) => dispatching.pass(stop) });
    duties.add({ name: 'publish', serverOnly: true, everyMs: PUBLISH_EVERY_MS, run: (stop) => owed.run(stop) });
    duties.add({ name: 'sweep', everyMs: DISPATCH_EVERY_MS, run: (stop) => sweeping.sweep(stop) });
  }
}
