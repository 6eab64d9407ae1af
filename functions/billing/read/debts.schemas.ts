import { z } from 'zod';
import { afterField, nextField, sliceQuery } from '../../platform/http/slices.js';
import { idOf, timeOf } from '../../platform/http/validation.js';
import { companyId } from '../billing.schemas.js';
import { GOVERNMENT_ID_KINDS } from '../government-id.js';

/** What a debt can be. PostgreSQL computes it. */
export const DEBT_STATUSES = ['importada', 'gerada', 'enviada', 'falhou', 'cancelada', 'paga'] as const;
/** What a mail of a debt can be. PostgreSQL computes it. */
const DELIVERY_STATUSES = ['pendente', 'tentando', 'enviada', 'recusada', 'dispensada', 'desconhecida'] as const;

/** Of a document: it is stored without them. */
const PUNCTUATION = /[.\-/\s]/g;
const DOCUMENT = /^[0-9A-Z]{1,14}$/;
const MAX_EMAIL = 254;
/** Before it no date is asked for. PostgreSQL does not know the year 0. */
const FIRST_DATE = '1900-01-01';
const MOST_ROWS = Number.MAX_SAFE_INTEGER;

const status = z.enum(DEBT_STATUSES);
const statusField = status.meta({
  description:
    '`importada` (no boleto yet), `gerada` (has one), `enviada` (its mail was sent), `falhou` (the bank or the mail server ' +
    'refused it), `cancelada`, or `paga`, which is final.',
  example: 'gerada',
});

/** A date of a query. */
export function dateOf(what: string) {
  return z.iso
    .date({ abort: true })
    .refine((date) => date >= FIRST_DATE, `must not be before ${FIRST_DATE}`)
    .meta({ description: what, example: '2026-12-31' });
}

/** Refines a query: two dates in their order, where it has both. The same day is right. */
export function inOrder<First extends string, Last extends string>(first: First, last: Last) {
  const check = (query: { [Name in First | Last]?: string | undefined }): boolean => {
    const [from, to] = [query[first], query[last]];
    return from === undefined || to === undefined || from <= to;
  };
  const told: { path: string[]; message: string } = { path: [last], message: `must not be before ${first}` };
  return [check, told] as const;
}

/** An import of a query. */
export const importField = z
  .string()
  .min(1, 'must not be empty')
  .meta({ description: 'Of this import only.', example: 'ue1nqjq0mq0csmsie5av34o2' });

const filterFields = {
  company_id: companyId,
  status: statusField.optional(),
  import_id: importField.optional(),
  due_from: dateOf('Due on this day or later.').optional(),
  due_to: dateOf('Due on this day or earlier.').optional(),
  overdue: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional()
    .meta({ description: 'Whether it is overdue.', example: 'true' }),
  government_id: z
    .string()
    .transform((text) => text.replace(PUNCTUATION, '').toUpperCase())
    .refine((text) => DOCUMENT.test(text), 'must have 1 to 14 digits or letters, and no others but . - /')
    .optional()
    .meta({ description: 'Of this document, with or without punctuation.', example: '111.444.777-35' }),
  email: z
    .string()
    .trim()
    .min(1, 'must not be empty')
    .max(MAX_EMAIL)
    .refine((text) => !/\p{Cc}/u.test(text), 'must not hold control characters')
    .optional()
    .meta({ description: 'Of this e-mail, in either letter case.', example: 'fulana@example.com' }),
};

/** The query of the list. */
export const debtQuery = z
  .strictObject({ ...filterFields, after: afterField, limit: sliceQuery.shape.limit })
  .refine(...inOrder('due_from', 'due_to'));
/** The query of the CSV: everything unless told otherwise. */
export const debtExportQuery = z
  .strictObject({
    ...filterFields,
    after: afterField,
    limit: z.coerce
      .number()
      .int()
      .min(1)
      .max(MOST_ROWS)
      .default(MOST_ROWS)
      .meta({ description: 'The most rows; all without it.', example: 100 }),
  })
  .refine(...inOrder('due_from', 'due_to'));
export type DebtQuery = z.output<typeof debtQuery>;

const cents = z.int().min(0);
const time = (what: string) => timeOf(what).nullable();

/** A debt as every answer shows it; the columns of the CSV, in this order. */
export const debtView = z
  .object({
    debt_id: z.uuid().meta({ description: 'Its id in the file.', example: '1adb6ccf-ff16-467f-bea7-5f05d494280f' }),
    name: z.string().meta({ description: 'Who owes it.', example: 'Fulana de Tal' }),
    government_id: z.string().meta({ description: 'The document, without punctuation.', example: '11144477735' }),
    government_id_kind: z.enum(GOVERNMENT_ID_KINDS).meta({
      description: 'What its check digits say; `unverified`: they are wrong, or it has none.',
      example: 'cpf',
    }),
    email: z.string().meta({ description: 'Where its boleto goes.', example: 'fulana@example.com' }),
    amount: z.string().meta({ description: 'In reais, a text with two decimals.', example: '1000000.00' }),
    amount_cents: cents.meta({ description: 'The same in cents.', example: 100_000_000 }),
    due_on: z.iso.date().meta({ description: 'When it is due.', example: '2026-12-31' }),
    status: statusField,
    overdue: z.boolean().meta({
      description: 'Due before today in America/Sao_Paulo, and neither paid nor cancelled.',
      example: false,
    }),
    import_id: idOf('import that made it', 'ue1nqjq0mq0csmsie5av34o2'),
    line: z.int().positive().meta({ description: 'Its line in that file; the header is line 1.', example: 2 }),
    txid: z.string().meta({ description: 'Its identification in Pix.', example: '1L8ND9OX4A0AYZM0RC57275ZJ' }),
    issued_at: time('When the bank had registered its boleto; null: not yet'),
    sent_at: time('When a mail server had taken its mail; null: not yet'),
    paid_at: time('When it was paid in full; null: not yet'),
    paid_cents: cents.meta({ description: 'What was paid for it so far, in cents.', example: 0 }),
    overpaid_cents: cents.meta({ description: 'What was paid over its amount, in cents.', example: 0 }),
    cancelled_at: time('When it was cancelled; null: it was not'),
    hold: z.boolean().meta({
      description: 'Nobody knows whether its mail was sent, so it waits for a person.',
      example: false,
    }),
    created_at: timeOf('When it was made'),
    updated_at: timeOf('When it last changed'),
  })
  .meta({ id: 'Debt', description: 'A debt: one line of a file.' });
export type DebtView = z.output<typeof debtView>;

const invoiceView = z
  .object({
    barcode: z.string().meta({
      description: 'The 44 digits of its boleto.',
      example: '99991913601000000001700000100000000000000001',
    }),
    digitable_line: z.string().meta({
      description: 'The 47 digits that a person types.',
      example: '99991700050010000000900000000018191360100000000',
    }),
    bank_reference: z.string().nullable().meta({ description: "The bank's own reference.", example: null }),
    settings_version: z.int().min(0).meta({
      description: 'The version of the settings that it was made by; 0 are the defaults.',
      example: 0,
    }),
    registered_at: timeOf('When the bank had registered it'),
  })
  .meta({ id: 'DebtInvoice', description: 'The boleto of a debt.' });

/** A mail of a debt, as every answer shows it. */
export const deliveryView = z
  .object({
    number: z.int().positive().meta({ description: 'Its place among the mails of the debt, from 1.', example: 1 }),
    status: z.enum(DELIVERY_STATUSES).meta({
      description:
        '`pendente` (it goes out, or is tried again), `tentando` (on its way), `enviada` (a mail server has taken it), `recusada` ' +
        '(the mail server refused it for good, or too often), `dispensada` (paid or cancelled before it was sent), or ' +
        '`desconhecida`: nobody knows whether it was sent, so it waits for a person.',
      example: 'pendente',
    }),
    attempt: z.int().min(0).meta({ description: 'How often it was taken up.', example: 0 }),
    queued_at: timeOf('When it was asked for'),
    began_at: time('When its last attempt began, also one of which nothing was sent; null: none has'),
    ended_at: time('When its end was known; null: it has none yet'),
    response: z.string().nullable().meta({
      description: 'What the mail server said last, or what became of its connection; null: nothing yet.',
      example: null,
    }),
  })
  .meta({ id: 'DebtDelivery', description: 'A mail with the boleto.' });
export type DeliveryView = z.output<typeof deliveryView>;

const paymentView = z
  .object({
    event_id: z.string().meta({ description: 'The id of its event.', example: 'evt_1' }),
    result: z.literal('recorded').meta({ description: 'Always `recorded`: it counts.', example: 'recorded' }),
    paid_cents: cents.positive().meta({ description: 'What was paid, in cents.', example: 100_000_000 }),
    method: z.string().nullable().meta({ description: 'By which way; null: it was not said.', example: 'pix' }),
    paid_at: timeOf('When it was paid'),
    received_at: timeOf('When we heard of it'),
  })
  .meta({ id: 'DebtPayment', description: 'A payment for a debt.' });

/** One debt, with all that belongs to it at one moment. */
export const debtDetail = debtView
  .extend({
    invoice: invoiceView.nullable().meta({ description: 'Its boleto; null: it has none yet.' }),
    deliveries: z.array(deliveryView).meta({ description: 'Its mails, the first one first.' }),
    payments: z.array(paymentView).meta({ description: 'Its payments, in the order in which they were received.' }),
  })
  .meta({ id: 'DebtDetail', description: 'A debt with its boleto, its mails and its payments.' });
export type DebtDetail = z.output<typeof debtDetail>;

/** A slice of the list. */
export const debtSlice = z
  .strictObject({
    data: z.array(debtView).meta({ description: 'In the order in which they were made.' }),
    next: nextField,
  })
  .meta({ id: 'DebtSlice', description: 'A part of the debts of a company.' });
