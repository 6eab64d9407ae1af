import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { LedgerModule } from '../ledger/ledger.module.js';
import { CampaignsController } from './campaigns.controller.js';
import { CreateCampaign } from './create/create-campaign.js';
import { DeleteCampaign } from './delete-campaign.js';
import { ReadCampaigns } from './read/read-campaigns.js';
import { ReadMessages } from './read/read-messages.js';
import { RenameCampaign } from './rename-campaign.js';
import { SteerCampaign } from './steer-campaign.js';

/** Campaigns as users see them: create, read, rename, steer, delete. Their tables and documents belong to the ledger. */
@Module({
  imports: [AccountsModule, LedgerModule],
  controllers: [CampaignsController],
  providers: [CreateCampaign, ReadCampaigns, RenameCampaign, SteerCampaign, DeleteCampaign, ReadMessages],
})
export class CampaignsModule {}
