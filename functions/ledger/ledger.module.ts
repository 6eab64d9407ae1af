import { Module } from '@nestjs/common';
import { OpenLedger } from './accept/accept-campaign.js';
import { DispatchCampaigns } from './dispatch-campaigns.js';
import { HealChunks } from './heal/heal-chunks.js';
import { HealingRepository } from './heal/healing.repository.js';
import { SweepCampaigns } from './heal/sweep-campaigns.js';
import { CheckLedger } from './inspect/check-ledger.js';
import { DeadLetters } from './inspect/dead-letters.js';
import { LagRepository } from './inspect/lag.repository.js';
import { LedgerGauges } from './inspect/ledger-gauges.js';
import { MessageStore } from './message-store.js';
import { LedgerRepository } from './publish/publish.repository.js';
import { PublishCampaign } from './publish/publish-campaign.js';

/** The ledger of campaigns, and the way from it to the queue: publish, heal, sweep. It answers no route. */
@Module({
  providers: [
    LedgerRepository,
    HealingRepository,
    LagRepository,
    LedgerGauges,
    MessageStore,
    OpenLedger,
    PublishCampaign,
    HealChunks,
    SweepCampaigns,
    DispatchCampaigns,
    CheckLedger,
    DeadLetters,
  ],
  exports: [OpenLedger, PublishCampaign, SweepCampaigns, DispatchCampaigns, CheckLedger, DeadLetters],
})
export class LedgerModule {}
