import { z } from 'zod';
import { nameOf, textOf } from '../../platform/http/text.js';
import { timeOf } from '../../platform/http/validation.js';
import { pixKeyOf } from './pix-key.js';

const BENEFICIARY_LIMIT = 80;
const CITY_LIMIT = 40;
const PIX_KEY_LIMIT = 100;
const MAX_AGREEMENT = 999_999;
const MAX_DAYS_BEFORE = 365;
/** Latin-1: what the fonts of a boleto can write. */
const PRINTED = /^[\x20-\x7e\u00a1-\u00ff]+$/;
/** A Pix code has letters without accents, and needs one at least. */
const LETTER = /[a-z0-9]/i;

/** A text that is printed on the boleto, and stands in its Pix code. */
function printed(limit: number, description: string, example: string) {
  return textOf(limit, { lines: false })
    .transform((text) => text.normalize('NFC').trim())
    .refine((text) => PRINTED.test(text), { error: 'must have letters and signs of Latin-1 only', abort: true })
    .refine((text) => LETTER.test(text.normalize('NFKD')), 'must have a letter or a digit')
    .meta({ description, minLength: 1, maxLength: limit, example });
}

const pixKey = textOf(PIX_KEY_LIMIT, { lines: false }).transform((text, context) => {
  const key = pixKeyOf(text);
  if (key !== undefined) return key;
  const message = 'must be a CNPJ or CPF, a phone such as "+5511987654321", an e-mail, or a UUID';
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});

const FIELDS = {
  agreement: z
    .int()
    .min(1)
    .max(MAX_AGREEMENT)
    .meta({ description: "The beneficiary's number at the bank.", example: 1 }),
  unknown: z.enum(['hold', 'resend']).meta({
    description:
      'What becomes of a mail of which nobody knows whether it was sent: it waits for a person, or is sent again, perhaps twice.',
    example: 'hold',
  }),
  documents: z.enum(['lenient', 'strict']).meta({
    description: '`strict`: a line whose document has wrong check digits is rejected, as a real bank does.',
    example: 'lenient',
  }),
  issue_days_before: z
    .int()
    .min(0)
    .max(MAX_DAYS_BEFORE)
    .nullable()
    .meta({ description: 'So many days before it is due a debt gets its boleto; `null`: at once.', example: null }),
};
const BENEFICIARY = 'Who is paid, as printed on the boleto; the Pix code has its first 25 characters.';
const CITY = 'The city of the beneficiary; the Pix code has its first 15 characters.';
const PIX_KEY = 'The Pix key that is paid.';
const KEY_EXAMPLE = '12345678000195';

/** What PUT takes: all of it. */
export const newSettings = z
  .strictObject({
    beneficiary: printed(BENEFICIARY_LIMIT, BENEFICIARY, 'EMPRESA FICTICIA'),
    city: printed(CITY_LIMIT, CITY, 'SAO PAULO'),
    pix_key: pixKey.meta({ description: PIX_KEY, example: KEY_EXAMPLE }),
    sender_name: nameOf('Empresa Fictícia'),
    ...FIELDS,
  })
  .meta({ description: 'How a company is to bill from now on.' });
export type NewSettings = z.output<typeof newSettings>;

/** The settings of a company. */
export const settingsView = z
  .strictObject({
    beneficiary: z.string().meta({ description: BENEFICIARY, example: 'EMPRESA FICTICIA' }),
    city: z.string().meta({ description: CITY, example: 'SAO PAULO' }),
    pix_key: z.string().meta({ description: PIX_KEY, example: KEY_EXAMPLE }),
    sender_name: z.string().meta({ description: 'Whom a mail is from, for people.', example: 'Empresa Fictícia' }),
    ...FIELDS,
  })
  .meta({ description: 'How a company bills.' });
export type SettingsView = z.output<typeof settingsView>;

/** A new secret of the webhook of payments. */
export const webhookSecret = z
  .strictObject({
    secret: z.string().meta({
      description: 'The key of the HMAC, as a text. It is shown here and never again.',
      example: 'pay_FTHmJUYdAbSmCRtGPfO2uKHwRRcWxyfbI8YFUSCWfXM',
    }),
    created_at: timeOf('When it was made'),
  })
  .meta({ description: 'A new secret for the webhook of payments.' });
export type WebhookSecret = z.output<typeof webhookSecret>;
