import { Injectable } from '@nestjs/common';
import { Postgres, type Transaction } from '../platform/postgres.js';
import type { Page, PageQuery } from '../platform/validation.js';
import { LastOwner, UserNotFound } from './accounts.errors.js';
import { AccountsRepository, type MemberRow } from './accounts.repository.js';
import type { NewMember } from './accounts.schemas.js';
import { Memberships } from './memberships.js';

/** Who is in a company: see, let in or give another role, let go. */
@Injectable()
export class Members {
  constructor(
    private readonly postgres: Postgres,
    private readonly accounts: AccountsRepository,
    private readonly memberships: Memberships,
  ) {}

  /** Throws CompanyNotFound. */
  async list(userId: string, companyId: string, page: PageQuery): Promise<Page<MemberRow>> {
    await this.memberships.requireMember(userId, companyId);
    return this.accounts.members(this.postgres, companyId, page);
  }

  /** Throws CompanyNotFound, NotOwner, UserNotFound, and LastOwner when the only owner would become a member. */
  async put(userId: string, companyId: string, { email, role }: NewMember): Promise<MemberRow> {
    return this.#asOwner(userId, companyId, async (sql) => {
      const user = await this.accounts.credentialsByEmail(sql, email);
      if (!user || !(await this.accounts.holdUser(sql, user.id))) throw new UserNotFound();
      if (role === 'member') await this.#requireAnotherOwner(sql, companyId, user.id);
      return this.accounts.putMember(sql, companyId, user.id, role);
    });
  }

  /** Throws CompanyNotFound, NotOwner, UserNotFound, LastOwner. */
  async remove(userId: string, companyId: string, memberId: string): Promise<void> {
    await this.#asOwner(userId, companyId, async (sql) => {
      if (!(await this.accounts.roleIn(sql, memberId, companyId))) throw new UserNotFound();
      await this.#requireAnotherOwner(sql, companyId, memberId);
      await this.accounts.deleteMember(sql, companyId, memberId);
    });
  }

  /** Runs `work` while nobody else changes the company, for who is its owner then. */
  async #asOwner<T>(userId: string, companyId: string, work: (sql: Transaction) => Promise<T>): Promise<T> {
    await this.memberships.requireOwner(userId, companyId);
    return this.postgres.transaction(async (sql) => {
      await this.accounts.lockCompany(sql, companyId);
      await this.memberships.requireOwner(userId, companyId, sql);
      return work(sql);
    });
  }

  async #requireAnotherOwner(sql: Transaction, companyId: string, userId: string): Promise<void> {
    const role = await this.accounts.roleIn(sql, userId, companyId);
    if (role === 'owner' && (await this.accounts.ownersOf(sql, companyId)) === 1) throw new LastOwner();
  }
}
