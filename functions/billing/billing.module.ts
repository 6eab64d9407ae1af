import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { BillingCompanies } from './billing-companies.js';
import { BillingCompaniesRepository } from './companies.repository.js';
import { AcceptImport } from './import/accept-import.js';
import { ImportsRepository } from './import/imports.repository.js';
import { MergeImports } from './import/merge-imports.js';
import { ReadImports } from './import/read-imports.js';
import { ReceiveImport } from './import/receive-import.js';
import { ImportsController } from './imports.controller.js';
import { ClosingRepository } from './pay/closing.repository.js';
import { DebtsController } from './read/debts.controller.js';
import { DebtsRepository } from './read/debts.repository.js';
import { ReadDebts } from './read/read-debts.js';
import { ReportController } from './read/report.controller.js';
import { Report } from './read/report.js';
import { ReportRepository } from './read/report.repository.js';
import { SettingsRepository } from './settings/settings.repository.js';
import { SteerDebt } from './steer-debt.js';
import { BillingGauges } from './upkeep/billing-gauges.js';
import { BillingMeter } from './upkeep/billing-meter.js';
import { BillingUpkeepRepository } from './upkeep/upkeep.repository.js';

const COMPANIES = [BillingCompaniesRepository, BillingCompanies, SettingsRepository];
const CLOSING = [ClosingRepository, SteerDebt];
const IMPORTS = [ImportsRepository, AcceptImport, MergeImports, ReceiveImport, ReadImports];
const READING = [DebtsRepository, ReadDebts, ReportRepository, Report];
const UPKEEP = [BillingMeter, BillingUpkeepRepository, BillingGauges];

/** A CSV of debts becomes boletos with Pix codes, and payments. Needs PostgreSQL alone. */
@Module({
  imports: [AccountsModule],
  controllers: [ImportsController, DebtsController, ReportController],
  providers: [...COMPANIES, ...CLOSING, ...IMPORTS, ...READING, ...UPKEEP],
})
export class BillingModule {}
