import { Injectable } from '@nestjs/common';
import { Postgres, type Transaction } from '../../platform/stores/postgres.js';
import { Log } from '../../platform/telemetry/log.js';
import { InvitationsRepository } from '../invitations/invitations.repository.js';
import { CompaniesRepository } from './companies.repository.js';
import { Memberships } from './memberships.js';

/**
 * What a module does when a company is deleted, in the same transaction. The function that it may return runs after the
 * commit; a failure of that one is logged and changes nothing.
 */
type CompanyDeletionHook = (sql: Transaction, companyId: string) => Promise<(() => Promise<void>) | undefined | void>;

/** Deletes a company and what other modules hold of it, all or nothing. */
@Injectable()
export class CompanyDeletion {
  readonly #hooks: CompanyDeletionHook[] = [];

  constructor(
    private readonly postgres: Postgres,
    private readonly companies: CompaniesRepository,
    private readonly invitations: InvitationsRepository,
    private readonly memberships: Memberships,
    private readonly log: Log,
  ) {}

  /** Modules register when they are built. */
  onDelete(hook: CompanyDeletionHook): void {
    this.#hooks.push(hook);
  }

  /** Throws CompanyNotFound, NotOwner. */
  async delete(userId: string, companyId: string): Promise<void> {
    await this.memberships.requireOwner(userId, companyId);
    const afterwards = await this.postgres.transaction(async (sql) => {
      await this.companies.lockCompany(sql, companyId);
      await this.memberships.requireOwner(userId, companyId, sql);
      await this.companies.deleteCompany(sql, companyId);
      await this.invitations.deleteOfCompany(sql, companyId);
      const later: (() => Promise<void>)[] = [];
      for (const hook of this.#hooks) {
        const after = await hook(sql, companyId);
        if (after) later.push(after);
      }
      return later;
    });
    for (const after of afterwards)
      await after().catch((err: unknown) =>
        this.log.warn({ err, company_id: companyId }, 'a company is deleted; the work after it failed'),
      );
  }
}
