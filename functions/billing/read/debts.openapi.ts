import { CompanyNotFound, NotOwner, TOKEN_ERRORS } from '../../accounts/accounts.errors.js';
import type { RouteDocs } from '../../platform/http/describe.js';
import { ExportTooLarge } from '../../platform/problem.js';
import { DebtNotFound, ImportNotFound, InvalidTransition } from '../billing.errors.js';
import { debtDetail, debtSlice, debtView } from './debts.schemas.js';
import { reportView } from './report.schemas.js';

const params = { debt_id: 'The id of the debt in its file, a UUID in either letter case.' };
const READ = [...TOKEN_ERRORS, CompanyNotFound];
const CSV = 'text/csv; charset=utf-8';
const DEBTS_CSV = `${Object.keys(debtView.shape).join(',')}\r\n`;

/** What OpenAPI says of the routes of debts. */
export const DEBT_ROUTES = {
  list: {
    id: 'listDebts',
    summary: 'List the debts of a company',
    description:
      'In the order in which they were made. `next` is the `after` of the next call. Who reads to the end gets each debt that ' +
      'was there at the beginning once, also while files are imported. Filters are combined; a rare one is slow where there ' +
      'are many debts.',
    answers: { 200: { description: 'A part of them.', schema: debtSlice } },
    errors: [...READ, ImportNotFound],
  },
  csv: {
    id: 'exportDebts',
    summary: 'Export the debts of a company as CSV',
    description:
      'All of them, or those of the filters, with the fields of a debt as columns. Values are given as they are; what is null ' +
      'is empty.',
    answers: { 200: { description: 'A header, and a line each.', text: { type: CSV, example: DEBTS_CSV } } },
    errors: [...READ, ImportNotFound, ExportTooLarge],
  },
  find: {
    id: 'getDebt',
    params,
    summary: 'Show a debt',
    description: 'With its boleto, its mails and its payments.',
    answers: { 200: { description: 'The debt.', schema: debtDetail } },
    errors: [...READ, DebtNotFound],
  },
  cancel: {
    id: 'cancelDebt',
    params,
    summary: 'Cancel a debt',
    description:
      'For owners. No mail begins after it, and the bank is told to take the boleto back. Once more: the same answer. A payment ' +
      'that comes all the same is recorded, and the debt is `paga` then.',
    answers: { 200: { description: 'The debt, cancelled.', schema: debtView } },
    errors: [...READ, NotOwner, DebtNotFound, InvalidTransition],
  },
} satisfies Record<string, RouteDocs>;

/** What OpenAPI says of the routes of the report. */
export const REPORT_ROUTES = {
  read: {
    id: 'getBillingReport',
    summary: 'Count the debts of a company',
    description:
      'What was made, sent, paid and cancelled so far, of all debts or of some: a debt that was sent and then paid is counted ' +
      'in both. `by_status` has each debt once.',
    answers: { 200: { description: 'Counts and amounts, all of one moment.', schema: reportView } },
    errors: [...READ, ImportNotFound],
  },
  csv: {
    id: 'exportBillingReport',
    summary: 'Count the debts of a company, as CSV',
    description: 'A header and one line, with the fields of the report as columns, such as `by_status.paga`.',
    answers: {
      200: { description: 'A header, and a line.', text: { type: CSV, example: 'imported,generated\r\n1,1\r\n' } },
    },
    errors: [...READ, ImportNotFound],
  },
} satisfies Record<string, RouteDocs>;
