import { Injectable } from '@nestjs/common';
import { CompanyDeletion } from '../../accounts/companies/company-deletion.js';
import { Memberships } from '../../accounts/companies/memberships.js';
import { Postgres, type Transaction } from '../../platform/stores/postgres.js';
import { IspbNotBound, IspbTaken } from '../pix.errors.js';
import { hashOf, newKey } from './api-key.js';
import { ParticipantKeys } from './participant-keys.js';
import { ParticipantsRepository } from './participants.repository.js';
import type { BoundIspb } from './participants.schemas.js';

/** Binds an ISPB to a company, so that only who has its key collects for it; and takes its keys away again. */
@Injectable()
export class BindIspb {
  constructor(
    private readonly postgres: Postgres,
    private readonly memberships: Memberships,
    private readonly repository: ParticipantsRepository,
    private readonly keys: ParticipantKeys,
    deletion: CompanyDeletion,
  ) {
    // The company is locked by now. Nobody ever collects for its ISPBs again.
    deletion.onDelete(async (sql, companyId) => {
      const unbound = await repository.unbindAll(sql, companyId);
      return async () => unbound.forEach((ispb) => void keys.changed(ispb));
    });
  }

  /** Binds, or gives another key; an older one fits for 24 hours more. Throws CompanyNotFound, NotOwner, IspbTaken. */
  async bind(userId: string, companyId: string, ispb: string): Promise<BoundIspb> {
    const key = newKey();
    const bound = await this.#asOwner(userId, companyId, ispb, (sql) =>
      this.repository.bind(sql, companyId, ispb, hashOf(key)),
    );
    if (!bound) throw new IspbTaken();
    return { ispb, api_key: key, created_at: bound.created_at.toISOString() };
  }

  /** No key fits any more, and the ISPB stays the company's. Throws CompanyNotFound, NotOwner, IspbNotBound. */
  async unbind(userId: string, companyId: string, ispb: string): Promise<void> {
    const done = await this.#asOwner(userId, companyId, ispb, (sql) => this.repository.unbind(sql, companyId, ispb));
    if (!done) throw new IspbNotBound();
  }

  /** Runs `work` while nobody else changes the company, and only if the user is its owner then. */
  async #asOwner<T>(
    userId: string,
    companyId: string,
    ispb: string,
    work: (sql: Transaction) => Promise<T>,
  ): Promise<T> {
    const result = await this.postgres.transaction(async (sql) => {
      await this.memberships.lockAsMember(sql, userId, companyId);
      await this.memberships.requireOwner(userId, companyId, sql);
      return work(sql);
    });
    // After the commit: who reads before it reads what was before it.
    this.keys.changed(ispb);
    return result;
  }
}
