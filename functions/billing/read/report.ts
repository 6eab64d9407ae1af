import { Injectable } from '@nestjs/common';
import { BillingCompanies } from '../billing-companies.js';
import { ReadDebts } from './read-debts.js';
import { ReportRepository, type ReportRow } from './report.repository.js';
import type { ReportQuery, ReportView } from './report.schemas.js';

/** What became of the debts of a company. */
@Injectable()
export class Report {
  constructor(
    private readonly companies: BillingCompanies,
    private readonly debts: ReadDebts,
    private readonly repository: ReportRepository,
  ) {}

  /** Throws CompanyNotFound, ImportNotFound. */
  async read(userId: string, { company_id, import_id, from, to }: ReportQuery): Promise<ReportView> {
    const companyNo = await this.companies.ofMember(userId, company_id);
    const import_no = await this.debts.importNo(companyNo, import_id);
    return viewOf(await this.repository.count(companyNo, { import_no, from, to }), import_no === undefined);
  }
}

/** A report as a header and one line: a member of an object has the name of both, with a point between. */
export function tableOf(report: ReportView): { header: string[]; row: unknown[] } {
  const columns = Object.entries(report).flatMap(([name, value]): [string, unknown][] => {
    if (typeof value === 'number') return [[name, value]];
    return Object.entries(value ?? NO_UNMATCHED).map(([member, each]) => [`${name}.${member}`, each]);
  });
  return { header: columns.map(([name]) => name), row: columns.map(([, value]) => value) };
}

const NO_UNMATCHED = { payments: '', cents: '' };

function viewOf(row: ReportRow, withUnmatched: boolean): ReportView {
  const number = (name: keyof ReportRow) => Number(row[name]);
  return {
    imported: number('imported'),
    generated: number('generated'),
    sent: number('sent'),
    failed: number('failed'),
    held: number('held'),
    paid: number('paid'),
    cancelled: number('cancelled'),
    overdue: number('overdue'),
    amounts_cents: {
      imported: number('imported_cents'),
      sent: number('sent_cents'),
      paid: number('paid_cents'),
      cancelled: number('cancelled_cents'),
      overdue: number('overdue_cents'),
    },
    by_status: {
      importada: number('importada'),
      gerada: number('gerada'),
      enviada: number('enviada'),
      falhou: number('falhou'),
      cancelada: number('cancelada'),
      paga: number('paga'),
    },
    unmatched: withUnmatched ? { payments: number('unmatched'), cents: number('unmatched_cents') } : null,
  };
}
