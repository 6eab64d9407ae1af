import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { LedgerModule } from '../ledger/ledger.module.js';
import { AcceptCampaign } from './accept-campaign.js';
import { CampaignsController } from './campaigns.controller.js';
import { CampaignsRepository } from './campaigns.repository.js';
import { CreateCampaign } from './create-campaign.js';
import { CsvReply } from './csv.js';
import { DeleteCampaign } from './delete-campaign.js';
import { IdempotencyRepository } from './idempotency.repository.js';
import { ReadCampaigns } from './read-campaigns.js';
import { ReadMessages } from './read-messages.js';
import { SteerCampaign } from './steer-campaign.js';

/** Campaigns as their users have them: accept, steer, read. */
@Module({
  imports: [AccountsModule, LedgerModule],
  controllers: [CampaignsController],
  providers: [
    CampaignsRepository,
    IdempotencyRepository,
    AcceptCampaign,
    CreateCampaign,
    ReadCampaigns,
    SteerCampaign,
    DeleteCampaign,
    ReadMessages,
    CsvReply,
  ],
  exports: [AcceptCampaign],
})
export class CampaignsModule {}
