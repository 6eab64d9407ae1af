import { Injectable } from '@nestjs/common';
import { Postgres } from '../../../platform/stores/postgres.js';
import { ZONE } from '../../zone.js';
import type { IssuedDebt } from './boleto-view.js';

/** A debt with its boleto, and the CNPJ of the company that is paid. */
export interface BoletoRow extends Omit<IssuedDebt, 'barcode' | 'issued_on'> {
  status: string;
  /** null, as the next two: it is not issued yet. */
  barcode: string | null;
  settings_version: number | null;
  issued_on: string | null;
}

/** The statement by which a boleto is read. */
@Injectable()
export class BoletosRepository {
  constructor(private readonly postgres: Postgres) {}

  find(companyNo: number, debtId: string): Promise<BoletoRow | undefined> {
    return this.postgres.one<BoletoRow>(
      `SELECT d.seq, d.debt_id, d.name, d.government_id, d.cents, d.due_on::text AS due_on, d.status, c.document,
              i.barcode, i.settings_version, (i.registered_at AT TIME ZONE '${ZONE}')::date::text AS issued_on
         FROM billing_debts d JOIN billing_companies b USING (company_no) JOIN companies c ON c.id = b.company_id
         LEFT JOIN billing_invoices i ON i.seq = d.seq
        WHERE d.company_no = $1 AND d.debt_id = $2`,
      [companyNo, debtId],
    );
  }
}
