import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { CampaignsModule } from '../campaigns/campaigns.module.js';
import { LedgerModule } from '../ledger/ledger.module.js';
import { AskUpload } from './ask-upload.js';
import { IngestUpload } from './ingest-upload.js';
import { LookForUploads } from './look-for-uploads.js';
import { UploadsController } from './uploads.controller.js';
import { UploadsRepository } from './uploads.repository.js';

/** Files that are too large for a request: they go to the object store by a signed URL and become campaigns there. */
@Module({
  imports: [AccountsModule, CampaignsModule, LedgerModule],
  controllers: [UploadsController],
  providers: [UploadsRepository, AskUpload, IngestUpload, LookForUploads],
  exports: [IngestUpload, LookForUploads],
})
export class UploadsModule {}
