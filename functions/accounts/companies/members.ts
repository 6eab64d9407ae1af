import { Injectable } from '@nestjs/common';
import type { Page, PageQuery } from '../../platform/http/slices.js';
import { Postgres, type Transaction } from '../../platform/stores/postgres.js';
import { LastOwner, UserNotFound } from '../accounts.errors.js';
import type { NewMember } from '../accounts.schemas.js';
import { InvitationsRepository } from '../invitations/invitations.repository.js';
import { UsersRepository } from '../users/users.repository.js';
import { CompaniesRepository, type MemberRow } from './companies.repository.js';
import { Memberships } from './memberships.js';

/** The members of a company: see, invite, give another role, remove. Invited users accept or decline by Invitations. */
@Injectable()
export class Members {
  constructor(
    private readonly postgres: Postgres,
    private readonly companies: CompaniesRepository,
    private readonly invitations: InvitationsRepository,
    private readonly users: UsersRepository,
    private readonly memberships: Memberships,
  ) {}

  /** Throws CompanyNotFound. */
  async list(userId: string, companyId: string, page: PageQuery): Promise<Page<MemberRow>> {
    await this.memberships.requireMember(userId, companyId);
    return this.companies.members(this.postgres, companyId, page);
  }

  /**
   * Invites, or gives a member another role. Throws CompanyNotFound, NotOwner, UserNotFound, and LastOwner when the only owner
   * would become a member.
   */
  async put(userId: string, companyId: string, { email, role }: NewMember): Promise<MemberRow> {
    return this.#asOwner(userId, companyId, async (sql) => {
      const invited = await this.users.holdUserByEmail(sql, email);
      if (invited === undefined) throw new UserNotFound();
      const isMember = (await this.companies.roleIn(sql, invited, companyId)) !== undefined;
      if (!isMember) return this.invitations.put(sql, companyId, invited, role);
      if (role === 'member') await this.#requireAnotherOwner(sql, companyId, invited);
      return this.companies.setRole(sql, companyId, invited, role);
    });
  }

  /** Removes a member, or takes an open invitation back. Throws CompanyNotFound, NotOwner, UserNotFound, LastOwner. */
  async remove(userId: string, companyId: string, memberId: string): Promise<void> {
    await this.#asOwner(userId, companyId, async (sql) => {
      if (await this.invitations.take(sql, memberId, companyId)) return;
      if (!(await this.companies.roleIn(sql, memberId, companyId))) throw new UserNotFound();
      await this.#requireAnotherOwner(sql, companyId, memberId);
      await this.companies.deleteMember(sql, companyId, memberId);
    });
  }

  /** Runs `work` while nobody else changes the company, and only if the user is its owner then. */
  async #asOwner<T>(userId: string, companyId: string, work: (sql: Transaction) => Promise<T>): Promise<T> {
    await this.memberships.requireOwner(userId, companyId);
    return this.postgres.transaction(async (sql) => {
      await this.companies.lockCompany(sql, companyId);
      await this.memberships.requireOwner(userId, companyId, sql);
      return work(sql);
    });
  }

  async #requireAnotherOwner(sql: Transaction, companyId: string, userId: string): Promise<void> {
    const role = await this.companies.roleIn(sql, userId, companyId);
    if (role === 'owner' && (await this.companies.ownersOf(sql, companyId)) === 1) throw new LastOwner();
  }
}
