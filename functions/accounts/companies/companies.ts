import { Injectable } from '@nestjs/common';
import { createId } from '@paralleldrive/cuid2';
import type { Page, PageQuery } from '../../platform/http/slices.js';
import { Postgres, type Transaction } from '../../platform/stores/postgres.js';
import { CompanyNotFound, DocumentInvalid, DocumentTaken, TokenInvalid } from '../accounts.errors.js';
import type { CompanyChange, NewCompany } from '../accounts.schemas.js';
import { UsersRepository } from '../users/users.repository.js';
import { type Cnpj, parseCnpj } from './cnpj.js';
import { CompaniesRepository, type CompanyRow } from './companies.repository.js';
import { Memberships } from './memberships.js';

/** Companies: create, see, change. CompanyDeletion deletes them. */
@Injectable()
export class Companies {
  constructor(
    private readonly postgres: Postgres,
    private readonly companies: CompaniesRepository,
    private readonly users: UsersRepository,
    private readonly memberships: Memberships,
  ) {}

  /** The founder is its owner. Throws DocumentInvalid, DocumentTaken. */
  async create(userId: string, { name, document }: NewCompany): Promise<CompanyRow> {
    const company = { id: createId(), name, document: cnpjOf(document) };
    return this.postgres.transaction(async (sql) => {
      if (!(await this.users.holdUser(sql, userId))) throw new TokenInvalid();
      await this.#reserve(sql, company.id, company.document);
      const row = await this.companies.insertCompany(sql, company);
      await this.companies.addMember(sql, company.id, userId, 'owner');
      return row;
    });
  }

  list(userId: string, page: PageQuery): Promise<Page<CompanyRow>> {
    return this.companies.companiesOf(this.postgres, userId, page);
  }

  /** Throws CompanyNotFound. */
  async find(userId: string, companyId: string): Promise<CompanyRow> {
    const company = await this.companies.companyOf(this.postgres, userId, companyId);
    if (!company) throw new CompanyNotFound();
    return company;
  }

  /** Throws CompanyNotFound, NotOwner, DocumentInvalid, DocumentTaken. */
  async change(userId: string, companyId: string, { name, document }: CompanyChange): Promise<CompanyRow> {
    await this.memberships.requireOwner(userId, companyId);
    const change = { name, document: document === undefined ? undefined : cnpjOf(document) };
    return this.postgres.transaction(async (sql) => {
      await this.companies.lockCompany(sql, companyId);
      await this.memberships.requireOwner(userId, companyId, sql);
      if (change.document !== undefined) await this.#reserve(sql, companyId, change.document);
      return this.companies.updateCompany(sql, companyId, change);
    });
  }

  /** The CNPJ is this company's until the transaction ends. Throws DocumentTaken. */
  async #reserve(sql: Transaction, companyId: string, document: Cnpj): Promise<void> {
    await this.companies.lockDocument(sql, document);
    if (await this.companies.isDocumentTaken(sql, companyId, document)) throw new DocumentTaken();
  }
}

function cnpjOf(document: string): Cnpj {
  const cnpj = parseCnpj(document);
  if (!cnpj) throw new DocumentInvalid();
  return cnpj;
}
