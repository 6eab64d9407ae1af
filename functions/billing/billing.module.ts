import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { BillingCompanies } from './billing-companies.js';
import { BillingCompaniesRepository } from './companies.repository.js';
import { ClosingRepository } from './pay/closing.repository.js';
import { SettingsRepository } from './settings/settings.repository.js';
import { SteerDebt } from './steer-debt.js';

const COMPANIES = [BillingCompaniesRepository, BillingCompanies, SettingsRepository];
const CLOSING = [ClosingRepository, SteerDebt];

/** A CSV of debts becomes boletos with Pix codes, and payments. Needs PostgreSQL alone. */
@Module({
  imports: [AccountsModule],
  controllers: [],
  providers: [...COMPANIES, ...CLOSING],
})
export class BillingModule {}
