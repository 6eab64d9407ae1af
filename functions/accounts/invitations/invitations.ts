import { Injectable } from '@nestjs/common';
import type { Page, PageQuery } from '../../platform/http/slices.js';
import { Postgres } from '../../platform/stores/postgres.js';
import { InvitationNotFound, TokenInvalid } from '../accounts.errors.js';
import { CompaniesRepository, type MemberRow } from '../companies/companies.repository.js';
import { UsersRepository } from '../users/users.repository.js';
import { type InvitationRow, InvitationsRepository } from './invitations.repository.js';

/** What an invited user does: see, accept, decline. Owners invite by Members. */
@Injectable()
export class Invitations {
  constructor(
    private readonly postgres: Postgres,
    private readonly invitations: InvitationsRepository,
    private readonly companies: CompaniesRepository,
    private readonly users: UsersRepository,
  ) {}

  list(userId: string, page: PageQuery): Promise<Page<InvitationRow>> {
    return this.invitations.openOf(this.postgres, userId, page);
  }

  /** Makes the user a member. For one who is a member already nothing changes. Throws InvitationNotFound. */
  async accept(userId: string, companyId: string): Promise<MemberRow> {
    // Only an invited user takes the company's lock.
    if (!(await this.invitations.isOpen(this.postgres, userId, companyId))) return this.#member(userId, companyId);
    return this.postgres.transaction(async (sql) => {
      // The company is locked before the user, as everywhere. Until the end nobody invites, removes, or deletes the company.
      await this.companies.lockCompany(sql, companyId);
      if (!(await this.users.holdUser(sql, userId))) throw new TokenInvalid();
      const invitation = await this.invitations.take(sql, userId, companyId);
      // Accepted by another request a moment ago, or made a member by a process of the version before.
      const member = await this.companies.memberOf(sql, userId, companyId);
      if (member) return member;
      if (!invitation) throw new InvitationNotFound();
      return this.companies.addMember(sql, companyId, userId, invitation.role, invitation.created_at);
    });
  }

  /** Erases those that have expired. Returns how many. */
  eraseExpired(): Promise<number> {
    return this.invitations.eraseExpired(this.postgres);
  }

  /** Throws InvitationNotFound. */
  async decline(userId: string, companyId: string): Promise<void> {
    if (!(await this.invitations.take(this.postgres, userId, companyId))) throw new InvitationNotFound();
  }

  async #member(userId: string, companyId: string): Promise<MemberRow> {
    const member = await this.companies.memberOf(this.postgres, userId, companyId);
    if (!member) throw new InvitationNotFound();
    return member;
  }
}
