import { Module } from '@nestjs/common';
import { EraseCampaigns } from './erase-campaigns.js';
import { ErasedDocuments } from './erased-documents.js';
import { ForgetNumber } from './forget-number.js';
import { RetentionRepository } from './retention.repository.js';

/** How long phone numbers are kept, and how one is forgotten. It answers no route: an operator's command runs it. */
@Module({
  providers: [RetentionRepository, ErasedDocuments, EraseCampaigns, ForgetNumber],
  exports: [EraseCampaigns, ForgetNumber],
})
export class RetentionModule {}
