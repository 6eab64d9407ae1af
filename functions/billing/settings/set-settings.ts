import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Memberships } from '../../accounts/companies/memberships.js';
import { Postgres } from '../../platform/stores/postgres.js';
import { BillingCompanies } from '../billing-companies.js';
import { SecretsRepository } from './secrets.repository.js';
import { type BillingSettings, SettingsRepository } from './settings.repository.js';
import type { NewSettings, SettingsView, WebhookSecret } from './settings.schemas.js';

/** What secrets begin with: a scanner of source code finds them by it. */
const PREFIX = 'pay_';
const SECRET_BYTES = 32;

/** Reads and sets how a company bills, and makes the secrets that sign its payments. */
@Injectable()
export class SetSettings {
  constructor(
    private readonly postgres: Postgres,
    private readonly memberships: Memberships,
    private readonly companies: BillingCompanies,
    private readonly settings: SettingsRepository,
    private readonly secrets: SecretsRepository,
  ) {}

  /** The current settings, or the defaults. Throws CompanyNotFound. */
  async read(userId: string, companyId: string): Promise<SettingsView> {
    await this.memberships.requireMember(userId, companyId);
    return viewOf(await this.settings.current(companyId));
  }

  /**
   * Sets all of them, as a new version: an invoice keeps that by which it was made. The same again is no new version. Throws
   * CompanyNotFound, NotOwner.
   */
  set(userId: string, companyId: string, wanted: NewSettings): Promise<SettingsView> {
    return this.postgres.transaction(async (sql) => {
      const companyNo = await this.companies.holdAsOwner(sql, userId, companyId);
      const before = await this.settings.current(companyId, sql);
      // Defaults that are set are kept, whatever becomes of the company's name and CNPJ.
      if (before.version === 0 || !isSame(before, wanted))
        await this.settings.append(sql, companyNo, userId, { ...wanted, version: before.version + 1 });
      return viewOf(wanted);
    });
  }

  /** Makes a secret, and lets the one before live for 24 hours more. Throws CompanyNotFound, NotOwner. */
  makeSecret(userId: string, companyId: string): Promise<WebhookSecret> {
    const secret = PREFIX + randomBytes(SECRET_BYTES).toString('base64url');
    return this.postgres.transaction(async (sql) => {
      const companyNo = await this.companies.holdAsOwner(sql, userId, companyId);
      const createdAt = await this.secrets.add(sql, companyNo, secret);
      return { secret, created_at: createdAt.toISOString() };
    });
  }
}

function viewOf(settings: BillingSettings | NewSettings): SettingsView {
  const { beneficiary, city, pix_key, agreement, sender_name, unknown, documents, issue_days_before } = settings;
  return { beneficiary, city, pix_key, agreement, sender_name, unknown, documents, issue_days_before };
}

function isSame(before: BillingSettings, wanted: NewSettings): boolean {
  return JSON.stringify(viewOf(before)) === JSON.stringify(viewOf(wanted));
}
