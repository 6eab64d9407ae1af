import { Module } from '@nestjs/common';
import { RetentionRepository } from '../ledger/erase/erase.repository.js';
import { EraseCampaigns } from '../ledger/erase/erase-campaigns.js';
import { ForgetNumber } from '../ledger/erase/forget-number.js';
import { ErasedDocuments } from './erased-documents.js';

/** How long phone numbers are kept, and how one is forgotten. It answers no route: an operator's command runs it. */
@Module({
  providers: [RetentionRepository, ErasedDocuments, EraseCampaigns, ForgetNumber],
  exports: [EraseCampaigns, ForgetNumber],
})
export class RetentionModule {}
