import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { LedgerModule } from '../ledger/ledger.module.js';
import { RetentionModule } from '../retention/retention.module.js';
import { AskUpload } from './ask-upload.js';
import { ForgetRejects } from './forget-rejects.js';
import { IngestUpload } from './ingest-upload.js';
import { LookForUploads } from './look-for-uploads.js';
import { UploadsController } from './uploads.controller.js';
import { UploadsRepository } from './uploads.repository.js';

/** Files that are too large for a request: they go to the object store by a signed URL and become campaigns there. */
@Module({
  imports: [AccountsModule, LedgerModule, RetentionModule],
  controllers: [UploadsController],
  providers: [UploadsRepository, AskUpload, IngestUpload, LookForUploads, ForgetRejects],
  exports: [IngestUpload, LookForUploads],
})
export class UploadsModule {}
