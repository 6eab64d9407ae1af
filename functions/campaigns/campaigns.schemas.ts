import { z } from 'zod';
import { pageFields, pageOf } from '../platform/validation.js';
import { REJECT_REASONS } from '../recipients/phone-number.js';

/** Portuguese words, the same in SQL, JSON, metrics and Postman. */
export const CAMPAIGN_STATUSES = ['pendente', 'enfileirado', 'enviando', 'enviado', 'pausado', 'cancelado'] as const;

const NAME_LIMIT = 200;
const MESSAGE_LIMIT = 1_600;
const CONTROL = /\p{Cc}/u;
const CONTROL_BUT_TAB_AND_NEWLINE = /[^\P{Cc}\t\n]/u;

/** Carriers count characters, so the limits are Unicode code points and not UTF-16 units. */
function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

const name = z
  .string()
  .trim()
  .min(1, 'must not be blank')
  .refine((text) => codePoints(text) <= NAME_LIMIT, `must have at most ${NAME_LIMIT} characters`)
  .refine((text) => !CONTROL.test(text) && text.isWellFormed(), 'must not hold control characters')
  .meta({ description: 'For people; 1 to 200 characters.', example: 'Black Friday' });

const message = z
  .string()
  .refine((text) => text.trim() !== '', 'must not be blank')
  .refine((text) => codePoints(text) <= MESSAGE_LIMIT, `must have at most ${MESSAGE_LIMIT} characters`)
  .refine(
    (text) => !CONTROL_BUT_TAB_AND_NEWLINE.test(text) && text.isWellFormed(),
    'must not hold control characters other than tab and newline',
  )
  .meta({ description: 'The text, kept as it is; 1 to 1,600 Unicode code points.', example: 'Hoje tudo pela metade.' });

const companyId = z.string().min(1, 'must not be empty').meta({ description: 'The company that sends.' });

/** The fields of the multipart form beside its file. */
export const campaignForm = z.strictObject({
  name,
  message,
  company_id: companyId,
  allow_duplicates: z.enum(['true', 'false']).optional().meta({ description: 'Keep repeated numbers.' }),
});

/** The JSON way to the same campaign. */
export const campaignJson = z.strictObject({
  name,
  message,
  company_id: companyId,
  allow_duplicates: z.boolean().optional(),
  phone_numbers: z.array(z.string()).meta({ description: 'One number an entry.', example: ['+55 11 98765-4321'] }),
});

/** The form as OpenAPI has it: a file is no JSON type, so zod cannot say it. */
export const uploadBody = {
  type: 'object' as const,
  description: 'A form has `file`; a JSON body has `phone_numbers` in its place, and `allow_duplicates` as a boolean.',
  required: ['name', 'message', 'company_id'],
  properties: {
    name: { type: 'string', minLength: 1, maxLength: NAME_LIMIT, example: 'Black Friday' },
    message: { type: 'string', minLength: 1, maxLength: MESSAGE_LIMIT, example: 'Hoje tudo pela metade.' },
    company_id: { type: 'string' },
    allow_duplicates: { type: 'string', enum: ['true', 'false'], description: 'Keep repeated numbers.' },
    file: { type: 'string', format: 'binary', description: 'One number a line; the first column of a CSV counts.' },
    phone_numbers: { type: 'array', items: { type: 'string' }, description: 'In a JSON body, in place of the file.' },
  },
};

/** All that may change after acceptance. */
export const campaignChange = z.strictObject({ name });

/** Query of the list. */
export const campaignQuery = z.strictObject({
  company_id: z.string().optional(),
  status: z.enum(CAMPAIGN_STATUSES).optional(),
  ...pageFields,
});

const MAX_INT = 999_999_999;
const after = z.coerce.number().int().min(0).max(MAX_INT).default(0);

/** Query of messages and rejects. */
export const sliceQuery = z.strictObject({ after, limit: z.coerce.number().int().min(1).max(1_000).default(100) });
/** Query of the CSV exports: everything unless told otherwise. */
export const exportQuery = z.strictObject({
  after,
  limit: z.coerce.number().int().min(1).max(MAX_INT).default(MAX_INT),
});

const reject = z.object({
  line: z.int().meta({ description: 'From 1.' }),
  value: z.string().meta({ description: 'The first column, cut to 64 characters.' }),
  reason: z.enum(REJECT_REASONS),
});

/** A campaign as every answer shows it. stored <= published <= total always. */
export const campaignView = z.object({
  id: z.string(),
  name: z.string(),
  message: z.string(),
  company_id: z.string(),
  user_id: z.string(),
  status: z.enum(CAMPAIGN_STATUSES),
  total: z.int().meta({ description: 'Numbers accepted.' }),
  published: z.int().meta({ description: 'Numbers known to have reached the queue.' }),
  stored: z.int().meta({ description: 'Numbers whose message is stored.' }),
  percent: z.int().meta({ description: 'floor(100 x stored / total)' }),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
  deleted: z.boolean(),
});

/** What POST answers. lines = accepted + duplicate + invalid + blank. */
export const createdCampaignView = campaignView.extend({
  file: z.object({
    lines: z.int(),
    accepted: z.int(),
    duplicate: z.int(),
    invalid: z.int(),
    blank: z.int(),
    rejects: z.array(reject),
  }),
});

/** A page of campaigns, newest first. */
export const campaignPage = pageOf(campaignView);

const next = z.int().nullable().meta({ description: 'The next `after`; null at the end.' });

/** A slice of a campaign's messages by sequence. */
export const messageSlice = z.object({
  data: z.array(
    z.object({
      identifier: z.string(),
      phone_number: z.string(),
      message: z.string(),
      campaign_id: z.string(),
      company_id: z.string(),
      sequence: z.int(),
      created_at: z.iso.datetime(),
      updated_at: z.iso.datetime(),
      deleted: z.boolean(),
    }),
  ),
  next,
});

/** A slice of a file's rejects by line. */
export const rejectSlice = z.object({ data: z.array(reject), next });

export type CampaignQuery = z.output<typeof campaignQuery>;
export type CampaignChange = z.output<typeof campaignChange>;
export type Slice = z.output<typeof sliceQuery>;
export type CampaignStatus = (typeof CAMPAIGN_STATUSES)[number];
