import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { CampaignsController } from './campaigns.controller.js';
import { CampaignsRepository } from './campaigns.repository.js';
import { CreateCampaign } from './create-campaign.js';
import { CsvReply } from './csv.js';
import { DeleteCampaign } from './delete-campaign.js';
import { DispatchCampaigns } from './dispatch-campaigns.js';
import { LedgerRepository } from './ledger.repository.js';
import { PublishCampaign } from './publish-campaign.js';
import { ReadCampaigns } from './read-campaigns.js';
import { ReadMessages } from './read-messages.js';
import { SteerCampaign } from './steer-campaign.js';

/** Campaigns: accept, publish, steer, read. */
@Module({
  imports: [AccountsModule],
  controllers: [CampaignsController],
  providers: [
    CampaignsRepository,
    LedgerRepository,
    CreateCampaign,
    ReadCampaigns,
    SteerCampaign,
    DeleteCampaign,
    PublishCampaign,
    DispatchCampaigns,
    ReadMessages,
    CsvReply,
  ],
  exports: [DispatchCampaigns],
})
export class CampaignsModule {}
