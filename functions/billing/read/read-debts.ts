import { Injectable } from '@nestjs/common';
import { type SliceOf, sliceOf } from '../../platform/http/slices.js';
import { isId } from '../../platform/http/validation.js';
import { DebtNotFound, ImportNotFound } from '../billing.errors.js';
import { BillingCompanies } from '../billing-companies.js';
import { SteerDebt } from '../steer-debt.js';
import { detailOf, viewOf } from './debt-view.js';
import { type DebtFilter, DebtsRepository } from './debts.repository.js';
import type { DebtDetail, DebtQuery, DebtView } from './debts.schemas.js';

/** Rows that an export reads at a time: the heap holds no more, however many there are. */
const ROWS_AT_A_TIME = 1_000;

/** Reads the debts of a company. All throw CompanyNotFound; ImportNotFound where they are asked for an import. */
@Injectable()
export class ReadDebts {
  constructor(
    private readonly companies: BillingCompanies,
    private readonly repository: DebtsRepository,
    private readonly steering: SteerDebt,
  ) {}

  async list(userId: string, query: DebtQuery): Promise<SliceOf<DebtView>> {
    const [companyNo, filter] = await this.#asked(userId, query);
    const found = await this.repository.slice(companyNo, { ...filter, limit: query.limit + 1 });
    const { data, next } = sliceOf(found, query.limit, ({ seq }) => Number(seq));
    return { data: data.map(viewOf), next };
  }

  /** The rows of the export, as they are read. */
  async export(userId: string, query: DebtQuery): Promise<AsyncIterable<unknown[]>> {
    const [companyNo, filter] = await this.#asked(userId, query);
    return this.#rows(companyNo, filter);
  }

  /** Throws DebtNotFound. */
  async find(userId: string, companyId: string, debtId: string): Promise<DebtDetail> {
    const row = await this.repository.detail(await this.companies.ofMember(userId, companyId), debtId);
    if (!row) throw new DebtNotFound();
    return detailOf(row);
  }

  /** Cancels a debt, and returns it as it is then. Throws NotOwner, DebtNotFound, and InvalidTransition for one that is paid. */
  async cancel(userId: string, companyId: string, debtId: string): Promise<DebtView> {
    const row = await this.repository.find(await this.steering.cancel(userId, companyId, debtId), debtId);
    if (!row) throw new DebtNotFound();
    return viewOf(row);
  }

  async *#rows(companyNo: number, filter: DebtFilter): AsyncGenerator<unknown[]> {
    let { after, limit: left } = filter;
    while (left > 0) {
      const limit = Math.min(left, ROWS_AT_A_TIME);
      const rows = await this.repository.slice(companyNo, { ...filter, after, limit });
      for (const row of rows) yield Object.values(viewOf(row)).map((value) => value ?? '');
      after = Number(rows.at(-1)?.seq ?? after);
      left -= rows.length;
      if (rows.length < limit) break;
    }
  }

  async #asked(userId: string, query: DebtQuery): Promise<[companyNo: number, filter: DebtFilter]> {
    const { company_id, import_id, ...filter } = query;
    const companyNo = await this.companies.ofMember(userId, company_id);
    return [companyNo, { ...filter, import_no: await this.importNo(companyNo, import_id) }];
  }

  /** Undefined: no import was asked for. One that is not there is refused: "nothing" would look as if all were well. */
  async importNo(companyNo: number, importId: string | undefined): Promise<number | undefined> {
    if (importId === undefined) return undefined;
    const importNo = isId(importId) ? await this.repository.importNo(companyNo, importId) : undefined;
    if (importNo === undefined) throw new ImportNotFound();
    return importNo;
  }
}
