import { z } from 'zod';
import { companyId } from '../billing.schemas.js';
import { DEBT_STATUSES, dateOf, importField, inOrder } from './debts.schemas.js';

/** The query of the report and of its CSV. */
export const reportQuery = z
  .strictObject({
    company_id: companyId,
    import_id: importField.optional(),
    from: dateOf('Debts made on this day in America/Sao_Paulo, or later.').optional(),
    to: dateOf('Debts made on this day in America/Sao_Paulo, or earlier.').optional(),
  })
  .refine(...inOrder('from', 'to'));
export type ReportQuery = z.output<typeof reportQuery>;

const count = (what: string) => z.int().min(0).meta({ description: what, example: 1 });
const cents = (what: string) => z.int().min(0).meta({ description: what, example: 100_000_000 });

const amounts = z
  .object({
    imported: cents('Of all debts.'),
    sent: cents('Of those counted by `sent`.'),
    paid: cents('The money that was paid for all of them: also in part, also too much.'),
    cancelled: cents('Of those counted by `cancelled`.'),
    overdue: cents('Of those counted by `overdue`.'),
  })
  .meta({
    description: 'Amounts in cents, exact up to 90 trillion reais.',
  });

const byStatus = z
  .object({
    importada: count('Without a boleto.'),
    gerada: count('With a boleto.'),
    enviada: count('Sent.'),
    falhou: count('Refused by the bank, or by the mail server for good.'),
    cancelada: count('Cancelled.'),
    paga: count('Paid.'),
  } satisfies Record<(typeof DEBT_STATUSES)[number], z.ZodType>)
  .meta({ description: 'Each debt once, by what it is now. Together they are `imported`.' });

const unmatched = z
  .object({
    payments: count('How many.'),
    cents: cents('Their money, in cents.'),
  })
  .nullable()
  .meta({
    description:
      'Payments of the company that fit no debt, by the day on which they were received. Null in the report of an import: ' +
      'they belong to none.',
  });

/** Facts that add up over time, unless said otherwise: a debt that was sent and then paid counts as sent, too. */
export const reportView = z
  .object({
    imported: count('All debts.'),
    generated: count('Those that have a boleto.'),
    sent: count('Those whose mail was sent.'),
    failed: count('Those that the bank refused, or the mail server for good.'),
    held: count('Those with a mail now of which nobody knows whether it was sent.'),
    paid: count('Those paid in full.'),
    cancelled: count('Those cancelled, also if they were paid afterwards.'),
    overdue: count('Those due before today in America/Sao_Paulo, and neither paid nor cancelled.'),
    amounts_cents: amounts,
    by_status: byStatus,
    unmatched,
  })
  .meta({ id: 'BillingReport', description: 'What became of the debts of a company, all at one moment.' });
export type ReportView = z.output<typeof reportView>;
