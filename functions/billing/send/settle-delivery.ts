import { Injectable } from '@nestjs/common';
import { ServiceUnavailable } from '../../platform/problem.js';
import { isContended, Postgres, type Transaction } from '../../platform/stores/postgres.js';
import { requiredRow } from '../../platform/stores/rows.js';
import {
  DebtClosed,
  DebtNotFound,
  DeliveryNotFound,
  DeliveryNotHeld,
  DeliveryOpen,
  DeliveryTooYoung,
  NotIssued,
} from '../billing.errors.js';
import { BillingCompanies } from '../billing-companies.js';
import { deliveryOf } from '../read/debt-view.js';
import type { DeliveryView } from '../read/debts.schemas.js';
import type { Resolution } from './deliveries.schemas.js';
import { type LockedDebt, SettleRepository } from './settle.repository.js';

/** What people do about the mails of a debt. */
@Injectable()
export class SettleDelivery {
  constructor(
    private readonly postgres: Postgres,
    private readonly companies: BillingCompanies,
    private readonly repository: SettleRepository,
  ) {}

  /**
   * Asks for one more mail of a debt, which gets a number and so a Message-ID of its own. Throws CompanyNotFound, DebtNotFound,
   * DebtClosed, NotIssued, and DeliveryOpen while another one is open.
   */
  resend(userId: string, companyId: string, debtId: string): Promise<DeliveryView> {
    return this.#ofDebt(userId, companyId, debtId, async (sql, { seq, status, is_issued }) => {
      if (status === 'paga' || status === 'cancelada') throw new DebtClosed(status);
      if (!is_issued) throw new NotIssued();
      const number = await this.repository.add(sql, seq);
      if (number === undefined) throw new DeliveryOpen();
      return deliveryOf(requiredRow(await this.repository.find(sql, seq, number)));
    });
  }

  /**
   * Takes what an owner says of a mail of which nobody knows whether it was sent: that it was, or that it goes out again, under the
   * same Message-ID. Throws CompanyNotFound, NotOwner, DebtNotFound, DeliveryNotFound, DeliveryNotHeld, and DeliveryTooYoung for one
   * of which it is too early to say that it was not sent.
   */
  async resolve(
    userId: string,
    companyId: string,
    debtId: string,
    number: number,
    { outcome, note }: Resolution,
  ): Promise<DeliveryView> {
    await this.companies.ofOwner(userId, companyId);
    return this.#ofDebt(userId, companyId, debtId, async (sql, { seq }) => {
      const found = await this.repository.find(sql, seq, number);
      if (!found) throw new DeliveryNotFound();
      // The debt is locked, so it is still what it is here.
      if (found.status !== 'desconhecida') throw new DeliveryNotHeld(found.status);
      const said = { sent: outcome === 'enviada', by: userId, note };
      if (!(await this.repository.resolve(sql, seq, number, said)))
        throw new DeliveryTooYoung(await this.repository.saidFrom(sql, seq, number));
      return deliveryOf(requiredRow(await this.repository.find(sql, seq, number)));
    });
  }

  /** Runs `work` while the company lives and the debt is locked. */
  async #ofDebt<T>(
    userId: string,
    companyId: string,
    debtId: string,
    work: (sql: Transaction, debt: LockedDebt) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.postgres.transaction(async (sql) => {
        // guard: first, so that a company that is being deleted is waited for, and nothing of it changes then
        const companyNo = await this.companies.hold(sql, userId, companyId);
        const debt = await this.repository.lockDebt(sql, companyNo, debtId);
        if (!debt) throw new DebtNotFound();
        return work(sql, debt);
      });
    } catch (error) {
      throw isContended(error) ? new ServiceUnavailable('the database is too busy', error) : error;
    }
  }
}
