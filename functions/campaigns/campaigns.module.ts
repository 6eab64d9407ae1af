import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { LedgerModule } from '../ledger/ledger.module.js';
import { CampaignsRepository } from '../ledger/steer/steering.js';
import { CsvReply } from '../platform/http/csv.js';
import { IdempotencyRepository } from '../platform/idempotency.js';
import { AcceptCampaign } from './accept/accept-campaign.js';
import { CampaignsController } from './campaigns.controller.js';
import { CreateCampaign } from './create/create-campaign.js';
import { DeleteCampaign } from './delete-campaign.js';
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
