import { CompanyNotFound, TOKEN_ERRORS } from '../accounts/accounts.errors.js';
import { BODY_ERRORS, linkTo, type RouteDocs } from '../platform/http/describe.js';
import { jsonSchemaOf } from '../platform/http/json-schema.js';
import { ExportTooLarge } from '../platform/problem.js';
import { FileIsNotText, PhoneColumnUnknown } from '../recipients/recipients.errors.js';
import {
  CampaignNotFound,
  FileEmpty,
  FileMissing,
  FileTooLarge,
  IdempotencyKeyReused,
  InvalidTransition,
} from './campaigns.errors.js';
import {
  campaignForm,
  campaignJson,
  campaignPage,
  campaignView,
  createdCampaignView,
  filePart,
  messageSlice,
  rejectSlice,
} from './campaigns.schemas.js';

/** Header of a rejects export: how many rejects were counted and not kept. Absent where all are kept. */
export const NOT_KEPT_HEADER = 'Disparo-Rejects-Not-Kept';
const LOCATION = { Location: 'The path of the campaign.' };
const ONE = [...TOKEN_ERRORS, CampaignNotFound];
const STEERED = { 200: { description: 'The campaign as it is now.', schema: campaignView } };
const CSV = 'text/csv';

const form = jsonSchemaOf(campaignForm, 'input').schema;

/** A form with a file, or JSON with the numbers: each has a schema of its own. */
const createBody = {
  required: true,
  content: {
    'multipart/form-data': {
      schema: {
        ...form,
        properties: { ...form.properties, file: filePart },
        required: [...(form.required ?? []), 'file'],
      },
      encoding: { file: { contentType: 'text/plain, text/csv' } },
    },
    'application/json': { schema: jsonSchemaOf(campaignJson, 'input').schema },
  },
};

/** What OpenAPI says of the routes of campaigns. */
export const CAMPAIGN_ROUTES = {
  create: {
    id: 'createCampaign',
    summary: 'Create a campaign and send it',
    description:
      'Takes a form with a file of numbers, or JSON with `phone_numbers`. It is refused whole, with nothing stored, or ' +
      'accepted whole: then the answer comes once all is in the queue, or two seconds after it was accepted, and the rest is ' +
      'sent after the answer. While the queue is away it is accepted all the same, as `pendente`. With an ' +
      '`Idempotency-Key` it is safe to repeat.',
    answers: {
      201: { description: 'The campaign.', schema: createdCampaignView, headers: LOCATION },
      200: {
        description: 'The first answer again: the `Idempotency-Key` was used for the same content.',
        schema: createdCampaignView,
        headers: LOCATION,
      },
    },
    errors: [
      ...BODY_ERRORS,
      ...TOKEN_ERRORS,
      FileMissing,
      FileEmpty,
      FileIsNotText,
      PhoneColumnUnknown,
      CompanyNotFound,
      CampaignNotFound,
      FileTooLarge,
      IdempotencyKeyReused,
    ],
    requestBody: createBody,
  },
  list: {
    id: 'listCampaigns',
    summary: 'List campaigns',
    description: 'Of all your companies, newest first.',
    answers: { 200: { description: 'A page.', schema: campaignPage } },
    errors: TOKEN_ERRORS,
  },
  find: {
    id: 'getCampaign',
    ids: { id: 'campaign' },
    summary: 'Get a campaign',
    description: 'Its status and its progress, by what is really stored: ask again until it is `enviado`.',
    answers: { 200: { description: 'The campaign.', schema: campaignView } },
    errors: ONE,
  },
  rename: {
    id: 'renameCampaign',
    ids: { id: 'campaign' },
    summary: 'Rename a campaign',
    description: 'Its text and its numbers never change once it is accepted.',
    answers: { 200: { description: 'The campaign as it is now.', schema: campaignView } },
    errors: [...BODY_ERRORS, ...ONE],
  },
  delete: {
    id: 'deleteCampaign',
    ids: { id: 'campaign' },
    summary: 'Delete a campaign',
    description: 'Its messages are marked as deleted; what is still in the queue is let go.',
    answers: { 204: { description: 'Done.' } },
    errors: ONE,
  },
  pause: {
    id: 'pauseCampaign',
    ids: { id: 'campaign' },
    summary: 'Pause a campaign',
    description:
      'What is not stored yet waits. A second call is fine; one for a campaign that is all stored is refused.',
    answers: STEERED,
    errors: [...ONE, InvalidTransition],
  },
  resume: {
    id: 'resumeCampaign',
    ids: { id: 'campaign' },
    summary: 'Resume a campaign',
    description: 'All that is not stored goes out again; what is stored is not stored twice. A second call is fine.',
    answers: STEERED,
    errors: [...ONE, InvalidTransition],
  },
  cancel: {
    id: 'cancelCampaign',
    ids: { id: 'campaign' },
    summary: 'Cancel a campaign',
    description: 'For good. What is stored stays, the rest is let go. A second call is fine.',
    answers: STEERED,
    errors: [...ONE, InvalidTransition],
  },
  messages: {
    id: 'listMessages',
    ids: { id: 'campaign' },
    summary: 'List the messages',
    description: 'Those that are stored, in the order of the file. `next` is the `after` of the next call.',
    answers: { 200: { description: 'A part of them.', schema: messageSlice } },
    errors: ONE,
  },
  messagesCsv: {
    id: 'exportMessages',
    ids: { id: 'campaign' },
    summary: 'Export the messages as CSV',
    description:
      'RFC 4180, all rows unless `limit` says fewer. The plain server streams any number; a function refuses over 5 MB.',
    answers: {
      200: {
        description: 'The rows, with a header.',
        text: {
          type: CSV,
          example:
            'sequence,phone_number,identifier,message,created_at\r\n' +
            '1,+5511987654321,pm8v3qpajlabg4zzlx8xeicl,Hoje tudo pela metade.,2026-11-24T12:00:00.000Z\r\n',
        },
      },
    },
    errors: [...ONE, ExportTooLarge],
  },
  rejects: {
    id: 'listRejects',
    ids: { id: 'campaign' },
    summary: 'List the rejected lines',
    description:
      'Lines of the file that are not numbers, with the reason: the first 10,000 of a campaign, and `not_kept` says how many ' +
      'more there were. Duplicates are counted and are not among them.',
    answers: { 200: { description: 'A part of them.', schema: rejectSlice } },
    errors: ONE,
  },
  rejectsCsv: {
    id: 'exportRejects',
    ids: { id: 'campaign' },
    summary: 'Export the rejected lines as CSV',
    description:
      `As ${linkTo('campaigns', 'exportMessages')} does. Where a campaign has more than 10,000 of them, the last row has no ` +
      '`line`, the `reason` `not_kept`, and a `value` that says how many more there were.',
    answers: {
      200: {
        description: 'The rows, with a header.',
        headers: { [NOT_KEPT_HEADER]: 'How many more there were than are kept; absent where all are.' },
        text: { type: CSV, example: 'line,value,reason\r\n3,1133334444,not_mobile\r\n' },
      },
    },
    errors: [...ONE, ExportTooLarge],
  },
} satisfies Record<string, RouteDocs>;
