import { Inject, Injectable } from '@nestjs/common';
import { DebtClosed, DebtNotFound, NotIssued } from '../../billing.errors.js';
import { BillingCompanies } from '../../billing-companies.js';
import { SettingsRepository } from '../../settings/settings.repository.js';
import { formattedLineOf } from '../codes/boleto.js';
import { txidOf } from '../codes/txid.js';
import { BOLETO_ISSUER, type BoletoIssuer } from '../issuer.js';
import { type BoletoView, boletoViewOf } from './boleto-view.js';
import { BoletosRepository } from './boletos.repository.js';
import type { BoletoJson } from './boletos.schemas.js';
import { boletoPdf } from './pdf.js';
import { barcodeSvg, qrSvg } from './symbols.js';

const CLOSED = ['paga', 'cancelada'];

/**
 * The boleto of a debt in each of its forms, made when it is asked for. All of them throw CompanyNotFound, DebtNotFound,
 * DebtClosed and NotIssued: what is paid or cancelled is given out no more, so that nobody pays it.
 */
@Injectable()
export class ReadBoleto {
  constructor(
    private readonly companies: BillingCompanies,
    private readonly repository: BoletosRepository,
    private readonly settings: SettingsRepository,
    @Inject(BOLETO_ISSUER) private readonly bank: BoletoIssuer,
  ) {}

  async json(userId: string, companyId: string, debtId: string): Promise<BoletoJson> {
    const { barcode, line, brCode, dueOn, cents, notice } = await this.#view(userId, companyId, debtId);
    return {
      barcode,
      digitable_line: line,
      digitable_line_formatted: formattedLineOf(line),
      pix_copy_paste: brCode,
      txid: txidOf(debtId),
      due_on: dueOn,
      amount: `${Math.trunc(cents / 100)}.${String(cents % 100).padStart(2, '0')}`,
      ...(notice !== undefined && { notice }),
    };
  }

  async pdf(userId: string, companyId: string, debtId: string): Promise<Buffer> {
    return boletoPdf(await this.#view(userId, companyId, debtId));
  }

  async barcode(userId: string, companyId: string, debtId: string): Promise<string> {
    const { barcode, notice } = await this.#view(userId, companyId, debtId);
    return barcodeSvg(barcode, notice);
  }

  async qrCode(userId: string, companyId: string, debtId: string): Promise<string> {
    const { brCode, notice } = await this.#view(userId, companyId, debtId);
    return qrSvg(brCode, notice);
  }

  async #view(userId: string, companyId: string, debtId: string): Promise<BoletoView> {
    const companyNo = await this.companies.ofMember(userId, companyId);
    const debt = await this.repository.find(companyNo, debtId);
    if (!debt) throw new DebtNotFound();
    if (CLOSED.includes(debt.status)) throw new DebtClosed(debt.status);
    const { barcode, settings_version: version, issued_on: issuedOn } = debt;
    if (barcode === null || version === null || issuedOn === null) throw new NotIssued();
    const settings = await this.settings.version(companyNo, version);
    return boletoViewOf({ ...debt, barcode, issued_on: issuedOn }, settings, this.bank.notice);
  }
}
