import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { Config } from '../platform/config.js';
import { Duties } from '../platform/duties.js';
import { Postgres } from '../platform/stores/postgres.js';
import { RetentionModule } from '../retention/retention.module.js';
import { UploadsModule } from '../uploads/uploads.module.js';
import { BillingCompanies } from './billing-companies.js';
import { BillingCompaniesRepository } from './companies.repository.js';
import { AcceptImport } from './import/accept-import.js';
import { ImportsController } from './import/imports.controller.js';
import { ImportsRepository } from './import/imports.repository.js';
import { MergeImports } from './import/merge-imports.js';
import { ReadImports } from './import/read-imports.js';
import { ReceiveImport } from './import/receive-import.js';
import { TakeUpload } from './import/take-upload.js';
import { DebtsUploadsController } from './import/uploads.controller.js';
import { BoletosController } from './issue/document/boletos.controller.js';
import { BoletosRepository } from './issue/document/boletos.repository.js';
import { ReadBoleto } from './issue/document/read-boleto.js';
import { IssueRepository } from './issue/issue.repository.js';
import { IssueDebts } from './issue/issue-debts.js';
import { BOLETO_ISSUER } from './issue/issuer.js';
import { SimulatedBank } from './issue/simulated-bank.js';
import { WriteOff } from './issue/write-off.js';
import { ClosingRepository } from './pay/closing.repository.js';
import { PaymentsController } from './pay/payments.controller.js';
import { RecordPayment } from './pay/record-payment.js';
import { DebtsController } from './read/debts.controller.js';
import { DebtsRepository } from './read/debts.repository.js';
import { ReadDebts } from './read/read-debts.js';
import { ReportController } from './read/report.controller.js';
import { Report } from './read/report.js';
import { ReportRepository } from './read/report.repository.js';
import { EraseDebts } from './retention/erase-debts.js';
import { EraseDebtsRepository } from './retention/erase-debts.repository.js';
import { EraseImportsRepository } from './retention/erase-imports.repository.js';
import { SmtpConnections } from './send/connections.js';
import { DeliveriesController } from './send/deliveries.controller.js';
import { MailRate } from './send/rate.js';
import { RecordMail } from './send/record-mail.js';
import { SendRepository } from './send/send.repository.js';
import { SendInvoices } from './send/send-invoices.js';
import { SettleRepository } from './send/settle.repository.js';
import { SettleDelivery } from './send/settle-delivery.js';
import { WorkMails } from './send/work-mails.js';
import { SecretsRepository } from './settings/secrets.repository.js';
import { SetSettings } from './settings/set-settings.js';
import { SettingsController } from './settings/settings.controller.js';
import { SettingsRepository } from './settings/settings.repository.js';
import { SteerDebt } from './steer-debt.js';
import { BillingGauges } from './upkeep/billing-gauges.js';
import { BillingMeter } from './upkeep/billing-meter.js';
import { BillingUpkeepRepository } from './upkeep/upkeep.repository.js';
import { WorkBilling } from './work-billing.js';

/** On the plain server: from the end of one pass to the start of the next. */
const EVERY_MS = 2_000;

const COMPANIES = [BillingCompaniesRepository, BillingCompanies, SettingsRepository];
const IMPORTS = [ImportsRepository, AcceptImport, MergeImports, ReceiveImport, ReadImports, TakeUpload];
const READING = [DebtsRepository, ReadDebts, ReportRepository, Report];
const UPKEEP = [BillingMeter, BillingUpkeepRepository, BillingGauges];
const CLOSING = [ClosingRepository, SteerDebt, RecordPayment];
const RETENTION = [EraseDebtsRepository, EraseImportsRepository, EraseDebts];
const SETTLING = [SettleRepository, SettleDelivery];
const SETTINGS = [SecretsRepository, SetSettings];
/** The one place that says which bank it is. */
const BANK = {
  provide: BOLETO_ISSUER,
  useFactory: (postgres: Postgres) => new SimulatedBank(postgres),
  inject: [Postgres],
};
const ISSUE = [IssueRepository, BANK, IssueDebts, WriteOff, BoletosRepository, ReadBoleto];
const SMTP = {
  provide: SmtpConnections,
  useFactory: (config: Config, meter: BillingMeter) => new SmtpConnections(config.smtp, meter),
  inject: [Config, BillingMeter],
};
const RATE = {
  provide: MailRate,
  useFactory: (config: Config) => new MailRate(config.smtp?.perMinute),
  inject: [Config],
};
const SEND = [SendRepository, SMTP, RATE, RecordMail, SendInvoices, WorkMails];

/** A CSV of debts becomes boletos with Pix codes, and payments. Needs PostgreSQL alone, but for files by URL. */
@Module({
  imports: [AccountsModule, RetentionModule, UploadsModule],
  controllers: [
    ImportsController,
    DebtsUploadsController,
    DebtsController,
    DeliveriesController,
    ReportController,
    PaymentsController,
    SettingsController,
    BoletosController,
  ],
  providers: [
    ...COMPANIES,
    ...CLOSING,
    ...SETTLING,
    ...IMPORTS,
    ...READING,
    ...UPKEEP,
    ...SETTINGS,
    ...ISSUE,
    ...RETENTION,
    ...SEND,
    WorkBilling,
  ],
  exports: [WorkBilling],
})
export class BillingModule {
  constructor(duties: Duties, work: WorkBilling) {
    duties.add({
      name: 'bill',
      everyMs: EVERY_MS,
      alone: true,
      needsPostgresOnly: true,
      run: (stop) => work.pass(stop),
    });
  }
}
