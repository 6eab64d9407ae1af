import { z } from 'zod';
import { textOf } from '../../platform/http/text.js';
import { instantOf, saoPauloInstantOf } from './payment-time.js';

const MAX_CENTS = 9_999_999_999;
const AMOUNT = /^(\d{1,14})(?:\.(\d{1,2}))?$/;
const TEXT_LIMIT = 200;

const text = textOf(TEXT_LIMIT, { lines: false }).trim();

/**
 * Cents, by digits and never by a float. A number is a double by now, and is read as the shortest text of that double. For each
 * amount within the bounds, which has 10 digits at most, that is the amount as it was sent. A number with more decimals than a
 * double holds is read as the double nearest to it: 10.000000000000000001 is 10. As a text it is refused.
 */
const cents = z.unknown().transform((value, context) => {
  const [, whole, parts = ''] =
    AMOUNT.exec(typeof value === 'number' ? String(value) : typeof value === 'string' ? value : '') ?? [];
  const found = whole === undefined ? 0 : Number(whole + parts.padEnd(2, '0'));
  if (found >= 1 && found <= MAX_CENTS) return found;
  const message = 'must be an amount from 0.01 to 99999999.99, such as "10.00", with at most two decimals';
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});

/** A text that one of the readers of times understands. */
function timeBy(read: (text: string) => Date | undefined, message: string) {
  return z.string().transform((given, context) => {
    const found = read(given);
    if (found) return found;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
}

const NAMES_OF_DEBT = ['txid', 'debt_id', 'barcode', 'digitable_line'] as const;
type NameOfDebt = (typeof NAMES_OF_DEBT)[number];
/** What it was paid by: exactly one of these. */
type NamedDebt = Partial<Record<NameOfDebt, string | undefined>>;

/** The body of a payment. */
export const paymentBody = z
  .strictObject({
    event_id: text,
    txid: text.optional(),
    debt_id: text.optional(),
    barcode: text.optional(),
    digitable_line: text.optional(),
    paid_amount: cents,
    paid_at: timeBy(instantOf, 'must be a time with an offset, such as "2026-12-01T10:00:00-03:00", from 2000 to 2099'),
    method: z.enum(['pix', 'boleto']),
    paid_by: text.nullish(),
  })
  .refine((body: NamedDebt) => NAMES_OF_DEBT.filter((name) => body[name] !== undefined).length === 1, {
    path: [],
    message: `must have exactly one of ${NAMES_OF_DEBT.join(', ')}`,
  });
export type PaymentBody = z.output<typeof paymentBody>;

/** The older body. It has no event of its own. */
export const olderBody = z.strictObject({
  debtId: text,
  paidAt: timeBy(saoPauloInstantOf, 'must be a time of São Paulo, such as "2022-06-09 10:00:00", from 2000 to 2099'),
  paidAmount: cents,
  paidBy: text.nullish(),
});
export type OlderBody = z.output<typeof olderBody>;

/** What became of a payment. */
export const recordedPayment = z
  .strictObject({
    result: z.enum(['recorded', 'repeated', 'unmatched']).meta({
      description:
        '`recorded`: it counts for its debt. `repeated`: this event came before, and nothing has changed. `unmatched`: no ' +
        'debt of the company fits, and the payment is kept.',
      example: 'recorded',
    }),
  })
  .meta({ description: 'What became of a payment.' });
export type RecordedPayment = z.output<typeof recordedPayment>;

const amount = {
  description: 'A text or a number, with at most two decimals.',
  oneOf: [{ type: 'string' as const }, { type: 'number' as const }],
};
const aText = (description: string, example: string) => ({
  type: 'string' as const,
  minLength: 1,
  maxLength: TEXT_LIMIT,
  description,
  example,
});

/** The body of a payment, as OpenAPI shows it: the route reads the bytes itself. */
export const paymentRequestBody = {
  required: true,
  content: {
    'application/json': {
      schema: {
        description: 'A payment, in either form.',
        oneOf: [
          {
            type: 'object' as const,
            description: 'A payment, with exactly one of `txid`, `debt_id`, `barcode`, `digitable_line`.',
            required: ['event_id', 'paid_amount', 'paid_at', 'method'],
            properties: {
              event_id: aText('What the sender calls this payment: it counts once.', 'E0001'),
              txid: aText('Of the Pix code.', '1L8ND9OX4A0AYZM0RC57275ZJ'),
              debt_id: aText('The UUID.', '1adb6ccf-ff16-467f-bea7-5f05d494280f'),
              barcode: aText('44 digits.', '99991913601000000001700000100000000000000001'),
              digitable_line: aText(
                '47 digits; blanks and dots are skipped.',
                '99991700050010000000900000000018191360100000000',
              ),
              paid_amount: { ...amount, example: '1000000.00' },
              paid_at: aText('ISO 8601 with an offset.', '2026-12-01T10:00:00-03:00'),
              method: { type: 'string' as const, enum: ['pix', 'boleto'] },
              paid_by: { ...aText('For people.', 'Fulana de Tal'), nullable: true },
            },
          },
          {
            type: 'object' as const,
            description: 'The older form. The same debt, time and amount are the same event.',
            required: ['debtId', 'paidAt', 'paidAmount'],
            properties: {
              debtId: aText('The UUID.', '1adb6ccf-ff16-467f-bea7-5f05d494280f'),
              paidAt: aText('In the time of São Paulo.', '2022-06-09 10:00:00'),
              paidAmount: { ...amount, example: 1000000 },
              paidBy: { ...aText('For people.', 'Fulana de Tal'), nullable: true },
            },
          },
        ],
      },
    },
  },
};
