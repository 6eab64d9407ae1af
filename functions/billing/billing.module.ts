import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { BillingCompanies } from './billing-companies.js';
import { BillingCompaniesRepository } from './companies.repository.js';
import { SettingsRepository } from './settings/settings.repository.js';

const COMPANIES = [BillingCompaniesRepository, BillingCompanies, SettingsRepository];

/** A CSV of debts becomes boletos with Pix codes, and payments. Needs PostgreSQL alone. */
@Module({
  imports: [AccountsModule],
  controllers: [],
  providers: [...COMPANIES],
})
export class BillingModule {}
