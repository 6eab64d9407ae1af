import { Module } from '@nestjs/common';
import { CheckLedger } from './check-ledger.js';
import { DeadLetters } from './dead-letters.js';
import { DispatchCampaigns } from './dispatch-campaigns.js';
import { HealChunks } from './heal-chunks.js';
import { HealingRepository } from './healing.repository.js';
import { LagRepository } from './lag.repository.js';
import { LedgerRepository } from './ledger.repository.js';
import { LedgerGauges } from './ledger-gauges.js';
import { MessageStore } from './message-store.js';
import { OpenLedger } from './open-ledger.js';
import { PublishCampaign } from './publish-campaign.js';
import { SweepCampaigns } from './sweep-campaigns.js';

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
  exports: [MessageStore, OpenLedger, PublishCampaign, SweepCampaigns, DispatchCampaigns, CheckLedger, DeadLetters],
})
export class LedgerModule {}
