import { governmentIdKind } from '../government-id.js';
import { digitableLineOf } from '../issue/codes/boleto.js';
import { txidOf } from '../issue/codes/txid.js';
import type { DebtDetailRow, DebtRow } from './debts.repository.js';
import type { DebtDetail, DebtView, DeliveryView } from './debts.schemas.js';

/** A debt as answers show it. */
export function viewOf(row: DebtRow): DebtView {
  const cents = Number(row.cents);
  const paidCents = Number(row.paid_cents);
  return {
    debt_id: row.debt_id,
    name: row.name,
    government_id: row.government_id,
    government_id_kind: governmentIdKind(row.government_id),
    email: row.email,
    amount: amountOf(row.cents),
    amount_cents: cents,
    due_on: row.due_on,
    status: row.status,
    overdue: row.overdue,
    import_id: row.import_id,
    line: row.line,
    txid: txidOf(row.debt_id),
    issued_at: textOf(row.issued_at),
    sent_at: textOf(row.sent_at),
    paid_at: textOf(row.paid_at),
    paid_cents: paidCents,
    overpaid_cents: Math.max(0, paidCents - cents),
    cancelled_at: textOf(row.cancelled_at),
    hold: row.hold,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

/** A debt with all that belongs to it. */
export function detailOf(row: DebtDetailRow): DebtDetail {
  const { invoice } = row;
  return {
    ...viewOf(row),
    invoice: invoice && {
      barcode: invoice.barcode,
      digitable_line: digitableLineOf(invoice.barcode),
      bank_reference: invoice.bank_reference,
      settings_version: invoice.settings_version,
      registered_at: utcOf(invoice.registered_at),
    },
    deliveries: row.deliveries.map(deliveryOf),
    payments: row.payments.map(({ event_id, paid_cents, method, paid_at, received_at }) => ({
      event_id,
      result: 'recorded',
      paid_cents,
      method,
      paid_at: utcOf(paid_at),
      received_at: utcOf(received_at),
    })),
  };
}

/** A mail of a debt, from a row as JSON. */
export function deliveryOf({ queued_at, began_at, ended_at, response, ...row }: DeliveryView): DeliveryView {
  return {
    number: row.number,
    status: row.status,
    attempt: row.attempt,
    queued_at: utcOf(queued_at),
    began_at: began_at && utcOf(began_at),
    ended_at: ended_at && utcOf(ended_at),
    response,
  };
}

/** An amount in reais, by digits and not by division: no cent is rounded. */
function amountOf(cents: string): string {
  const digits = cents.padStart(3, '0');
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

function textOf(time: Date | null): string | null {
  return time?.toISOString() ?? null;
}

/** A time as PostgreSQL writes it in JSON. */
function utcOf(time: string): string {
  return new Date(time).toISOString();
}
