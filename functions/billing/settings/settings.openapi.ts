import { CompanyNotFound, NotOwner, TOKEN_ERRORS } from '../../accounts/accounts.errors.js';
import { BODY_ERRORS, linkTo, type RouteDocs } from '../../platform/http/describe.js';
import { settingsView, webhookSecret } from './settings.schemas.js';

const OWNED = [...TOKEN_ERRORS, CompanyNotFound, NotOwner];

/** What OpenAPI says of the routes of settings. */
export const SETTINGS_ROUTES = {
  get: {
    id: 'getBillingSettings',
    summary: 'See how a company bills',
    description: 'For members. Until somebody sets them, defaults, with the name and the CNPJ of the company.',
    answers: { 200: { description: 'The settings.', schema: settingsView } },
    errors: [...TOKEN_ERRORS, CompanyNotFound],
  },
  set: {
    id: 'setBillingSettings',
    summary: 'Set how a company bills',
    description:
      'For owners, all of it at once. It holds for boletos that are issued from now on: one that is issued keeps its beneficiary and key.',
    answers: { 200: { description: 'The settings.', schema: settingsView } },
    errors: [...BODY_ERRORS, ...OWNED],
  },
  makeSecret: {
    id: 'makeBillingWebhookSecret',
    summary: 'Get a secret that signs payments',
    description:
      `For owners. Who has it tells of payments by ${linkTo('billing', 'recordPayment')}. It is shown once. The one before fits ` +
      'for 24 hours more; at most a hundred fit at once, and the oldest of more goes.',
    answers: { 201: { description: 'The secret.', schema: webhookSecret } },
    errors: OWNED,
  },
} satisfies Record<string, RouteDocs>;
