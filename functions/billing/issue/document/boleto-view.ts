import type { BillingSettings } from '../../settings/settings.repository.js';
import { digitableLineOf } from '../codes/boleto.js';
import { brCodeOf } from '../codes/br-code.js';
import { txidOf } from '../codes/txid.js';

/** A debt that has its boleto, as the tables have it. */
export interface IssuedDebt {
  seq: string;
  debt_id: string;
  /** Of the debtor. */
  name: string;
  government_id: string;
  cents: string;
  /** YYYY-MM-DD, as the next one. */
  due_on: string;
  issued_on: string;
  /** 44 digits. */
  barcode: string;
  /** The CNPJ of the company that is paid. */
  document: string;
}

/** All that is printed on a boleto. */
export interface BoletoView {
  /** The company's name as its settings had it when the boleto was issued. */
  beneficiary: string;
  /** Its CNPJ, without punctuation. */
  beneficiaryDocument: string;
  city: string;
  agreement: number;
  ourNumber: bigint;
  debtId: string;
  /** Of the debtor. */
  name: string;
  governmentId: string;
  cents: number;
  /** YYYY-MM-DD */
  dueOn: string;
  /** YYYY-MM-DD */
  issuedOn: string;
  /** 44 digits. */
  barcode: string;
  /** 47 digits. */
  line: string;
  /** The Pix code, copia e cola. */
  brCode: string;
  /** What is written across the page, while the bank is simulated. */
  notice?: string | undefined;
}

/**
 * What a boleto says, for the routes and for mails alike. `settings`: those of the invoice's version. `notice`: the bank's, while
 * nobody can pay by it.
 */
export function boletoViewOf(
  debt: IssuedDebt,
  settings: Pick<BillingSettings, 'beneficiary' | 'city' | 'pix_key' | 'agreement'>,
  notice: string | undefined,
): BoletoView {
  const { beneficiary, city, pix_key: pixKey, agreement } = settings;
  const cents = Number(debt.cents);
  return {
    beneficiary,
    beneficiaryDocument: debt.document,
    city,
    agreement,
    ourNumber: BigInt(debt.seq),
    debtId: debt.debt_id,
    name: debt.name,
    governmentId: debt.government_id,
    cents,
    dueOn: debt.due_on,
    issuedOn: debt.issued_on,
    barcode: debt.barcode,
    line: digitableLineOf(debt.barcode),
    brCode: brCodeOf({ pixKey, beneficiary, city, cents, txid: txidOf(debt.debt_id) }),
    notice,
  };
}
