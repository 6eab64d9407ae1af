import { Injectable } from '@nestjs/common';
import { CompanyNotFound } from '../accounts/accounts.errors.js';
import { CompanyDeletion } from '../accounts/companies/company-deletion.js';
import { Memberships } from '../accounts/companies/memberships.js';
import type { Transaction } from '../platform/stores/postgres.js';
import { BillingCompaniesRepository } from './companies.repository.js';

/** No company has this number: of one that has not used billing yet, everything is empty. */
export const NO_COMPANY = 0;

/** Whose billing it is: each use case asks this before it touches the data of a company. */
@Injectable()
export class BillingCompanies {
  constructor(
    private readonly memberships: Memberships,
    private readonly companies: BillingCompaniesRepository,
    deletion: CompanyDeletion,
  ) {
    // The company is locked by now.
    deletion.onDelete((sql, companyId) => companies.delete(sql, companyId));
  }

  /** The company's number, or NO_COMPANY. Throws CompanyNotFound. */
  async ofMember(userId: string, companyId: string): Promise<number> {
    await this.memberships.requireMember(userId, companyId);
    return (await this.companies.find(companyId)) ?? NO_COMPANY;
  }

  /** The company's number, or NO_COMPANY. Throws CompanyNotFound, NotOwner. */
  async ofOwner(userId: string, companyId: string): Promise<number> {
    await this.memberships.requireOwner(userId, companyId);
    return (await this.companies.find(companyId)) ?? NO_COMPANY;
  }

  /** The number of a company that is not deleted before the transaction ends. Throws CompanyNotFound. */
  async hold(sql: Transaction, userId: string, companyId: string): Promise<number> {
    const number = await this.companies.ensure(sql, companyId, userId);
    if (number === undefined) throw new CompanyNotFound();
    return number;
  }

  /** The same for an owner. Until the transaction ends nobody else changes the company. Throws CompanyNotFound, NotOwner. */
  async holdAsOwner(sql: Transaction, userId: string, companyId: string): Promise<number> {
    await this.memberships.lockAsMember(sql, userId, companyId);
    await this.memberships.requireOwner(userId, companyId, sql);
    return this.hold(sql, userId, companyId);
  }
}
