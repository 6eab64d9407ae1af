import { Injectable } from '@nestjs/common';
import { Postgres, type Sql } from '../platform/postgres.js';
import { isId } from '../platform/validation.js';
import { CompanyNotFound, NotOwner } from './accounts.errors.js';
import { AccountsRepository } from './accounts.repository.js';
import type { Role } from './accounts.schemas.js';

/** Who may do what in a company: what every room asks before it touches the company's data. */
@Injectable()
export class Memberships {
  constructor(
    private readonly accounts: AccountsRepository,
    private readonly postgres: Postgres,
  ) {}

  /** The user's role. Throws CompanyNotFound for a company that is deleted, foreign or no id at all. */
  async requireMember(userId: string, companyId: string, sql: Sql = this.postgres): Promise<Role> {
    const role = isId(companyId) ? await this.accounts.roleIn(sql, userId, companyId) : undefined;
    if (role === undefined) throw new CompanyNotFound();
    return role;
  }

  /** Throws CompanyNotFound, and NotOwner for a mere member. */
  async requireOwner(userId: string, companyId: string, sql?: Sql): Promise<void> {
    if ((await this.requireMember(userId, companyId, sql)) !== 'owner') throw new NotOwner();
  }
}
