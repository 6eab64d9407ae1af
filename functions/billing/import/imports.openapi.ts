import { CompanyNotFound, TOKEN_ERRORS } from '../../accounts/accounts.errors.js';
import { BODY_ERRORS, linkTo, type RouteDocs } from '../../platform/http/describe.js';
import { jsonSchemaOf } from '../../platform/http/json-schema.js';
import { ExportTooLarge } from '../../platform/problem.js';
import {
  FileEmpty,
  FileMissing,
  FileNotText,
  FileTooLarge,
  HeaderInvalid,
  ImportNotFound,
  TooManyRejects,
} from '../billing.errors.js';
import { debtsPart, importForm, importPage, importRejects, importView } from './imports.schemas.js';

const CSV = 'text/csv';
const ids = { id: 'import' };
const COMPANY = [...TOKEN_ERRORS, CompanyNotFound];
const IMPORT = [...COMPANY, ImportNotFound];

const form = jsonSchemaOf(importForm, 'input').schema;

/** What OpenAPI says of the routes of imports. */
export const IMPORT_ROUTES = {
  create: {
    id: 'importDebts',
    summary: 'Import a file of debts',
    description:
      'It is refused whole, with nothing stored, or accepted whole: then the answer comes once its lines are merged, or two ' +
      'seconds after it was accepted, and the rest is merged after the answer. A line that is no debt is a reject, with its ' +
      'reason. Sending a file again is harmless: the first content of a debtId stays for ever, equal lines are `repeated`.',
    answers: {
      201: { description: 'The import.', schema: importView, headers: { Location: 'The path of the import.' } },
    },
    errors: [
      ...BODY_ERRORS,
      ...COMPANY,
      FileMissing,
      FileEmpty,
      HeaderInvalid,
      FileNotText,
      TooManyRejects,
      FileTooLarge,
    ],
    requestBody: {
      required: true,
      content: {
        'multipart/form-data': {
          schema: {
            ...form,
            properties: { ...form.properties, file: debtsPart },
            required: [...(form.required ?? []), 'file'],
          },
          encoding: { file: { contentType: 'text/csv, text/plain' } },
        },
      },
    },
  },
  list: {
    id: 'listImports',
    summary: 'List imports',
    description: 'Of one company, newest first.',
    answers: { 200: { description: 'A page.', schema: importPage } },
    errors: COMPANY,
  },
  find: {
    id: 'getImport',
    ids,
    summary: 'Get an import',
    description: 'Its counters by what is really stored: ask again until it is `importado`.',
    answers: { 200: { description: 'The import.', schema: importView } },
    errors: IMPORT,
  },
  rejects: {
    id: 'listImportRejects',
    ids,
    summary: 'List the lines that became no debt',
    description: 'With the reason, conflicts included. `next` is the `after` of the next call.',
    answers: { 200: { description: 'A part of them.', schema: importRejects } },
    errors: IMPORT,
  },
  rejectsCsv: {
    id: 'exportImportRejects',
    ids,
    summary: 'Export these lines as CSV',
    description: `As ${linkTo('campaigns', 'exportMessages')} does. Each value is given as it is.`,
    answers: {
      200: {
        description: 'The rows, with a header.',
        text: { type: CSV, example: 'line,column,value,reason\r\n3,debtAmount,1e3,amount_invalid\r\n' },
      },
    },
    errors: [...IMPORT, ExportTooLarge],
  },
} satisfies Record<string, RouteDocs>;
