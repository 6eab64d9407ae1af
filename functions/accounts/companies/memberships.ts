import { Injectable } from '@nestjs/common';
import { isId } from '../../platform/http/validation.js';
import { Postgres, type Sql, type Transaction } from '../../platform/stores/postgres.js';
import { CompanyNotFound, NotOwner } from '../accounts.errors.js';
import type { Role } from '../accounts.schemas.js';
import { CompaniesRepository } from './companies.repository.js';

/** Who may do what in a company: every module asks this before it touches the company's data. */
@Injectable()
export class Memberships {
  constructor(
    private readonly companies: CompaniesRepository,
    private readonly postgres: Postgres,
  ) {}

  /** The user's role. Throws CompanyNotFound where the user is no member, the company is deleted, or the text is no id. */
  async requireMember(userId: string, companyId: string, sql: Sql = this.postgres): Promise<Role> {
    const role = isId(companyId) ? await this.companies.roleIn(sql, userId, companyId) : undefined;
    if (role === undefined) throw new CompanyNotFound();
    return role;
  }

  /** The ids of the living companies that the user is a member of: one query, where a request has to do with many. */
  async companiesOf(userId: string): Promise<ReadonlySet<string>> {
    return new Set(await this.companies.idsOf(this.postgres, userId));
  }

  /** Throws CompanyNotFound, and NotOwner for a mere member. */
  async requireOwner(userId: string, companyId: string, sql?: Sql): Promise<void> {
    if ((await this.requireMember(userId, companyId, sql)) !== 'owner') throw new NotOwner();
  }

  /**
   * Until the transaction ends, nobody else changes the company, and nobody deletes it. Throws `refusal`, CompanyNotFound
   * unless told otherwise, where requireMember would throw.
   */
  async lockAsMember(
    sql: Transaction,
    userId: string,
    companyId: string,
    refusal: Error = new CompanyNotFound(),
  ): Promise<void> {
    const isMember = async () => isId(companyId) && (await this.companies.roleIn(sql, userId, companyId)) !== undefined;
    // Before the lock, which a stranger could hold up others by; and in a next statement, which sees what was committed.
    if (!(await isMember())) throw refusal;
    await this.companies.lockCompany(sql, companyId);
    if (!(await isMember())) throw refusal;
  }
}
