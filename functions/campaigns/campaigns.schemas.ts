import { z } from 'zod';
import { CAMPAIGN_STATUSES } from '../ledger/read/campaign-row.js';
import { nextField, pageFields, pageOf } from '../platform/http/slices.js';
import { nameOf, textOf } from '../platform/http/text.js';
import { idOf, lifeFields, timeOf } from '../platform/http/validation.js';
import { REJECT_REASONS } from '../recipients/number/phone-number.js';

const MESSAGE_LIMIT = 1_600;
/** How many entries that are not texts an error names; there may be millions. */
const MAX_WRONG_ENTRIES = 10;

const name = nameOf('Black Friday');

const message = textOf(MESSAGE_LIMIT, { lines: true }).meta({
  description: 'The text, kept as it is; 1 to 1,600 Unicode code points.',
  minLength: 1,
  maxLength: MESSAGE_LIMIT,
  example: 'Hoje tudo pela metade.',
});

const companyId = z
  .string()
  .min(1, 'must not be empty')
  .meta({ description: 'The id of the company that sends.', example: 'tz4a98xxat96iws9zmbrgj3a' });

const COLUMN_NAME_LIMIT = 200;
const COLUMN_LIMIT = 10_000;
const COLUMN_META = {
  description:
    'The column with the numbers: its name, as the header has it (case and accents do not matter), or its number from 1. ' +
    'Without it, the column whose name says telephone; the first where there is no header.',
  example: '1',
};
const columnNumber = z.int().min(1).max(COLUMN_LIMIT);
const columnName = z
  .string()
  .trim()
  .min(1, 'must not be blank')
  .max(COLUMN_NAME_LIMIT, `must have at most ${COLUMN_NAME_LIMIT} characters`);
/** The field of a form. A form has only texts, so digits stand for the number of a column. */
export const phoneColumn = columnName
  .refine((text) => !/^0+$/.test(text), 'must be a name, or a number from 1')
  .transform((text) => (/^[0-9]{1,5}$/.test(text) ? Number(text) : text));
const columnError = `must be the name of a column, or its number from 1 to ${COLUMN_LIMIT}`;
const jsonColumn = z.union([columnNumber, phoneColumn], { error: columnError });

/** The fields of the multipart form, without its file. */
export const campaignForm = z
  .strictObject({
    name,
    message,
    company_id: companyId,
    allow_duplicates: z.enum(['true', 'false']).optional().meta({
      description: '`true` keeps repeated numbers; without it they are counted and left out.',
      example: 'false',
    }),
    phone_column: phoneColumn.optional().meta(COLUMN_META),
  })
  .meta({ description: 'A form; its parts may come in any order.' });

/**
 * A list of texts. The library's own visits each entry for a second, and makes an issue of each that is none: ten megabytes of
 * them would be gigabytes.
 */
const phoneNumbers = z
  .unknown()
  .superRefine((list, context) => {
    for (const { path, message } of errorsOfList(list)) context.addIssue({ code: 'custom', path, message });
  })
  .transform((list) => list as string[]);

function errorsOfList(list: unknown): { path: number[]; message: string }[] {
  if (!Array.isArray(list)) return [{ path: [], message: list === undefined ? 'must be given' : 'must be a list' }];
  const errors: { path: number[]; message: string }[] = [];
  for (let at = 0; at < list.length && errors.length < MAX_WRONG_ENTRIES; at++)
    if (typeof list[at] !== 'string') errors.push({ path: [at], message: 'must be a text' });
  return errors;
}

/** The JSON way to the same campaign. */
export const campaignJson = z
  .strictObject({
    name,
    message,
    company_id: companyId,
    allow_duplicates: z.boolean().optional().meta({
      description: '`true` keeps repeated numbers; without it they are counted and left out.',
      example: false,
    }),
    phone_column: jsonColumn.optional().meta({ ...COLUMN_META, example: 1 }),
    phone_numbers: phoneNumbers.meta({
      description: 'The numbers, each as a line of a file may have it.',
      type: 'array',
      items: { type: 'string' },
      example: ['+55 11 98765-4321', '(21) 99876-5432', '31987651234'],
    }),
  })
  .meta({ description: 'The numbers in the body, in place of a file.' });

/** The file of the form as OpenAPI has it: a file is no JSON type, so zod cannot say it. */
export const filePart = {
  type: 'string',
  format: 'binary',
  description:
    'UTF-8 text, one number a line; of a CSV the column whose header says telephone, or the first where there is no header.',
};

/** The only field that may change after acceptance. */
export const campaignChange = z.strictObject({ name }).meta({ description: 'The new name.' });

const status = z.enum(CAMPAIGN_STATUSES).meta({
  description:
    '`pendente` (accepted), `enfileirado` (all in the queue), `enviando` (some stored), `enviado` (all stored); or ' +
    '`pausado`, or `cancelado`, which is final.',
  example: 'enviado',
});

/** Query of the list. */
export const campaignQuery = z.strictObject({
  company_id: z.string().optional().meta({ description: 'Of this company only.', example: 'tz4a98xxat96iws9zmbrgj3a' }),
  status: status.optional(),
  ...pageFields,
});

const reject = z
  .object({
    line: z.int().positive().meta({ description: 'The line of the file, from 1.', example: 3 }),
    value: z.string().meta({
      description: 'The column as it is, cut to 64 characters; what cannot be seen is escaped, as `\\u200b`.',
      example: '1133334444',
    }),
    reason: z.enum(REJECT_REASONS).meta({
      description:
        '`not_a_number` (other characters, or no digits), `not_mobile` (a landline, or a ninth digit that is not 9), ' +
        '`wrong_length`, `unknown_ddd`, `extra_digits` (an extension, a counter or a second number next to the number), ' +
        '`fraction` (a decimal fraction that is not zero), `not_in_plan` (not a number of its country).',
      example: 'not_mobile',
    }),
  })
  .meta({ id: 'Reject', description: 'A line that is not a number.' });

/** The result of a file. lines = accepted + duplicate + invalid + blank. */
export const fileView = z
  .object({
    lines: z.int().min(0).meta({ description: 'accepted + duplicate + invalid + blank', example: 5 }),
    accepted: z.int().min(0).meta({ description: 'Numbers that become messages.', example: 5 }),
    duplicate: z
      .int()
      .min(0)
      .meta({ description: 'Numbers that were in the file before, and are left out.', example: 0 }),
    invalid: z.int().min(0).meta({ description: 'Lines that are not numbers.', example: 0 }),
    blank: z.int().min(0).meta({ description: 'Lines of white space, and a header.', example: 0 }),
    phone_column: z
      .union([z.string(), z.int().min(1)])
      .optional()
      .meta({
        description: 'The column that was read: its name where the file has a header, else its number from 1.',
        example: 'telefone',
      }),
    rejects_kept: z
      .int()
      .min(0)
      .meta({
        description:
          'Of the invalid lines, how many the campaign keeps with value and reason: the first 10,000. The others are ' +
          'counted only. 0 where there is no campaign.',
        example: 0,
      }),
    rejects: z.array(reject).meta({ description: 'The first 20 of the invalid lines.', example: [] }),
  })
  .meta({ id: 'FileSummary', description: 'The counts of the lines of a file, and its first rejects.' });

/** A campaign as every answer shows it. stored <= published <= total always. */
export const campaignView = z
  .object({
    id: idOf('campaign', 'ue1nqjq0mq0csmsie5av34o2'),
    name,
    message,
    company_id: idOf('company that sends', 'tz4a98xxat96iws9zmbrgj3a'),
    user_id: idOf('user who made it', 'pfh0haxfpzowht3oi213cqos'),
    status,
    total: z.int().min(0).meta({ description: 'Numbers accepted.', example: 5 }),
    published: z.int().min(0).meta({ description: 'Numbers known to have reached the queue.', example: 5 }),
    stored: z.int().min(0).meta({ description: 'Numbers whose message is stored.', example: 5 }),
    percent: z.int().min(0).max(100).meta({ description: 'floor(100 x stored / total)', example: 100 }),
    ...lifeFields,
  })
  .meta({ id: 'Campaign', description: 'A campaign. stored <= published <= total always.' });

/** What POST answers. */
export const createdCampaignView = campaignView
  .extend({ file: fileView })
  .meta({ id: 'CreatedCampaign', description: 'A campaign, with the counts of its file.' });

/** A page of campaigns, newest first. */
export const campaignPage = pageOf(campaignView).meta({ id: 'CampaignPage', description: 'Campaigns, newest first.' });

const messageView = z
  .object({
    identifier: idOf('message', 'pm8v3qpajlabg4zzlx8xeicl'),
    phone_number: z.string().meta({ description: 'E.164.', example: '+5511987654321' }),
    message,
    campaign_id: idOf('campaign', 'ue1nqjq0mq0csmsie5av34o2'),
    company_id: idOf('company', 'tz4a98xxat96iws9zmbrgj3a'),
    sequence: z.int().positive().meta({ description: 'Its place in the file, from 1.', example: 1 }),
    created_at: timeOf('When it was stored'),
    updated_at: timeOf('When it last changed'),
    deleted: z.boolean().meta({ description: 'Whether it is marked as deleted.', example: false }),
  })
  .meta({ id: 'Message', description: 'One number of a campaign, as it is stored.' });

/** A slice of a campaign's messages by sequence. */
export const messageSlice = z
  .object({ data: z.array(messageView).meta({ description: 'By sequence.' }), next: nextField })
  .meta({ id: 'MessageSlice', description: 'A part of the messages that are stored.' });

/** A slice of a file's rejects by line. */
export const rejectSlice = z
  .object({
    data: z.array(reject).meta({ description: 'By line.' }),
    next: nextField,
    not_kept: z
      .int()
      .min(0)
      .meta({ description: 'Invalid lines after the first 10,000: counted, but in no list.', example: 0 }),
  })
  .meta({ id: 'RejectSlice', description: 'A part of the lines that are not numbers.' });

/** The checked fields that a form and a JSON body have in common. */
export type CampaignFields = Pick<z.output<typeof campaignForm>, 'name' | 'message' | 'company_id' | 'phone_column'>;
export type CampaignQuery = z.output<typeof campaignQuery>;
export type CampaignChange = z.output<typeof campaignChange>;
