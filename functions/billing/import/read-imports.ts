import { Injectable } from '@nestjs/common';
import { type Page, type PageQuery, type Slice, type SliceOf, sliceOf } from '../../platform/http/slices.js';
import { ImportNotFound } from '../billing.errors.js';
import { BillingCompanies } from '../billing-companies.js';
import { viewOf } from './import-view.js';
import { ImportsRepository } from './imports.repository.js';
import type { ImportView, Reject } from './imports.schemas.js';

/** Rows that an export reads at a time. */
const ROWS_AT_A_TIME = 1_000;

/** Reads imports and their rejects for a member. All throw CompanyNotFound. */
@Injectable()
export class ReadImports {
  constructor(
    private readonly companies: BillingCompanies,
    private readonly imports: ImportsRepository,
  ) {}

  /** Newest first. */
  async list(userId: string, companyId: string, page: PageQuery): Promise<Page<ImportView>> {
    const found = await this.imports.list(await this.companies.ofMember(userId, companyId), page);
    return { ...found, data: found.data.map(viewOf) };
  }

  /** Throws ImportNotFound. */
  async find(userId: string, companyId: string, id: string): Promise<ImportView> {
    const row = await this.imports.find(await this.companies.ofMember(userId, companyId), id);
    if (!row) throw new ImportNotFound();
    return viewOf(row);
  }

  /** By line. Throws ImportNotFound. */
  async rejects(userId: string, companyId: string, id: string, { after, limit }: Slice): Promise<SliceOf<Reject>> {
    const importNo = await this.#numberOf(userId, companyId, id);
    return sliceOf(await this.imports.rejects(importNo, { after, limit: limit + 1 }), limit, ({ line }) => line);
  }

  /** Rows of an export: line, column, value, reason. Throws ImportNotFound before it yields. */
  async exportRejects(userId: string, companyId: string, id: string, slice: Slice): Promise<AsyncIterable<unknown[]>> {
    return this.#rows(await this.#numberOf(userId, companyId, id), slice);
  }

  async *#rows(importNo: number, slice: Slice): AsyncGenerator<unknown[]> {
    let { after, limit: left } = slice;
    while (left > 0) {
      const limit = Math.min(left, ROWS_AT_A_TIME);
      const rows = await this.imports.rejects(importNo, { after, limit });
      for (const { line, column, value, reason } of rows) yield [line, column, value, reason];
      after = rows.at(-1)?.line ?? after;
      left -= rows.length;
      if (rows.length < limit) return;
    }
  }

  async #numberOf(userId: string, companyId: string, id: string): Promise<number> {
    const number = await this.imports.numberOf(await this.companies.ofMember(userId, companyId), id);
    if (number === undefined) throw new ImportNotFound();
    return number;
  }
}
