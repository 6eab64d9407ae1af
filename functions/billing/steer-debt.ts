import { Injectable } from '@nestjs/common';
import { DebtNotFound, InvalidTransition } from './billing.errors.js';
import { BillingCompanies } from './billing-companies.js';
import { ClosingRepository } from './pay/closing.repository.js';

/** What an owner does to one debt. */
@Injectable()
export class SteerDebt {
  constructor(
    private readonly companies: BillingCompanies,
    private readonly repository: ClosingRepository,
  ) {}

  /**
   * Cancels a debt: nothing of it is sent any more, and the bank is told where it was asked. Again: the same. Returns the
   * company's number. Throws CompanyNotFound, NotOwner, DebtNotFound, and InvalidTransition for one that is paid.
   */
  async cancel(userId: string, companyId: string, debtId: string): Promise<number> {
    const companyNo = await this.companies.ofOwner(userId, companyId);
    const outcome = await this.repository.cancel(companyNo, debtId);
    if (outcome === 'unknown') throw new DebtNotFound();
    if (outcome === 'paid') throw new InvalidTransition('cancel', 'paga');
    return companyNo;
  }
}
