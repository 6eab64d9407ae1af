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
import { PaymentsController } from './pay/payments.controller.js';
import { RecordPayment } from './pay/record-payment.js';
import { DebtsController } from './read/debts.controller.js';
import { DebtsRepository } from './read/debts.repository.js';
import { ReadDebts } from './read/read-debts.js';
import { ReportController } from './read/report.controller.js';
import { Report } from './read/report.js';
import { ReportRepository } from './read/report.repository.js';
import { SecretsRepository } from './settings/secrets.repository.js';
import { SetSettings } from './settings/set-settings.js';
import { SettingsController } from './settings/settings.controller.js';
import { SettingsRepository } from './settings/settings.repository.js';
import { SteerDebt } from './steer-debt.js';
import { BillingGauges } from './upkeep/billing-gauges.js';
import { BillingMeter } from './upkeep/billing-meter.js';
import { BillingUpkeepRepository } from './upkeep/upkeep.repository.js';

const COMPANIES = [BillingCompaniesRepository, BillingCompanies, SettingsRepository];
const IMPORTS = [ImportsRepository, AcceptImport, MergeImports, ReceiveImport, ReadImports];
const READING = [DebtsRepository, ReadDebts, ReportRepository, Report];
const UPKEEP = [BillingMeter, BillingUpkeepRepository, BillingGauges];
const CLOSING = [ClosingRepository, SteerDebt, RecordPayment];
const SETTINGS = [SecretsRepository, SetSettings];

/** A CSV of debts becomes boletos with Pix codes, and payments. Needs PostgreSQL alone. */
@Module({
  imports: [AccountsModule],
  controllers: [ImportsController, DebtsController, ReportController, PaymentsController, SettingsController],
  providers: [...COMPANIES, ...CLOSING, ...IMPORTS, ...READING, ...UPKEEP, ...SETTINGS],
})
export class BillingModule {}
