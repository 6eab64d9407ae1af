import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { LedgerModule } from '../ledger/ledger.module.js';
import { AcceptCampaign } from './accept/accept-campaign.js';
import { CreateCampaign } from './accept/create-campaign.js';
import { IdempotencyRepository } from './accept/idempotency.repository.js';
import { CampaignsController } from './campaigns.controller.js';
import { CampaignsRepository } from './campaigns.repository.js';
import { DeleteCampaign } from './delete-campaign.js';
import { CsvReply } from './read/csv.js';
import { ReadCampaigns } from './read/read-campaigns.js';
import { ReadMessages } from './read/read-messages.js';
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
