import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { LedgerModule } from '../ledger/ledger.module.js';
import { Duties } from '../platform/duties.js';
import { RetentionModule } from '../retention/retention.module.js';
import { AskUpload } from './ask-upload.js';
import { ForgetRejects } from './forget-rejects.js';
import { IngestDueUploads } from './ingest-due-uploads.js';
import { IngestUpload } from './ingest-upload.js';
import { UploadTakers } from './upload-takers.js';
import { UploadsController } from './uploads.controller.js';
import { UploadsRepository } from './uploads.repository.js';

/** The plain server asks the object store by itself: no event tells it of a file there. */
const INGEST_EVERY_MS = 2_000;

/**
 * Files that are too large for a request: they go to the object store by a signed URL and become campaigns there, or what the taker
 * of their purpose makes of them.
 */
@Module({
  imports: [AccountsModule, LedgerModule, RetentionModule],
  controllers: [UploadsController],
  providers: [UploadsRepository, UploadTakers, AskUpload, IngestUpload, IngestDueUploads, ForgetRejects],
  exports: [IngestUpload, AskUpload, UploadTakers],
})
export class UploadsModule {
  constructor(duties: Duties, ingesting: IngestDueUploads) {
    // Alone: the function that reads files has the right to ask the store, and the time for a large file.
    duties.add({ name: 'ingest', alone: true, everyMs: INGEST_EVERY_MS, run: (stop) => ingesting.pass(stop) });
  }
}
