import { createHash } from 'node:crypto';
import { parseWith } from '../../platform/http/validation.js';
import { barcodeOfLine } from '../issue/codes/boleto.js';
import { debtIdOf } from '../issue/codes/txid.js';
import { olderBody, type PaymentBody, paymentBody } from './payments.schemas.js';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What a payment names as its debt. `other`: a text that no debt can have. */
export interface Reference {
  kind: 'debt' | 'barcode' | 'other';
  /** A debtId in lower case, 44 digits, or the text as it came. */
  value: string;
}

/** A payment, in whichever form it came. */
export interface Payment {
  eventId: string;
  reference: Reference;
  cents: number;
  paidAt: Date;
  /** null: the older form does not say it. */
  method: 'pix' | 'boleto' | null;
  paidBy: string | null;
}

/** The payment of a body of either form. Throws ValidationProblem. */
export function paymentOf(body: unknown): Payment {
  if (typeof body === 'object' && body !== null && 'debtId' in body) return olderPaymentOf(body);
  const { event_id, paid_amount, paid_at, method, paid_by, ...named } = parseWith(paymentBody, body);
  return {
    eventId: event_id,
    reference: referenceOf(named),
    cents: paid_amount,
    paidAt: paid_at,
    method,
    paidBy: paid_by ?? null,
  };
}

/** SHA-256 of what a payment says. Another spelling of the same is the same content. */
export function contentOf({ reference: { kind, value }, cents, paidAt, method, paidBy }: Payment): Buffer {
  return digestOf([kind, value, cents, paidAt.toISOString(), method, paidBy]);
}

/** The same debt, time and amount are one event: a sender of this form has no other name for it. */
function olderPaymentOf(body: object): Payment {
  const { debtId, paidAt, paidAmount, paidBy } = parseWith(olderBody, body);
  const reference = referenceOf({ debt_id: debtId });
  const eventId = digestOf([reference.value, paidAt.toISOString(), paidAmount]).toString('hex');
  return { eventId, reference, cents: paidAmount, paidAt, method: null, paidBy: paidBy ?? null };
}

/** A txid is a debtId in other digits, and a linha digitável a bar code: the same debt is named in the same way. */
function referenceOf(named: Pick<PaymentBody, 'txid' | 'debt_id' | 'barcode' | 'digitable_line'>): Reference {
  const { txid, debt_id, barcode, digitable_line } = named;
  const debtId = txid === undefined ? debt_id?.toLowerCase() : debtIdOf(txid);
  if (debtId !== undefined && UUID.test(debtId)) return { kind: 'debt', value: debtId };
  const code = digitable_line === undefined ? barcode : barcodeOfLine(digitable_line);
  if (code !== undefined && /^\d{44}$/.test(code)) return { kind: 'barcode', value: code };
  return { kind: 'other', value: txid ?? debt_id ?? barcode ?? digitable_line ?? '' };
}

function digestOf(fields: readonly unknown[]): Buffer {
  return createHash('sha256').update(JSON.stringify(fields)).digest();
}
