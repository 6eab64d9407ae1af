import { linkTo, problemList } from './platform/http/describe.js';
import type { ApiDocs } from './platform/http/openapi.js';
import { NotFound } from './platform/problem.js';

const LOG_IN = linkTo('users', 'logIn');

/** What OpenAPI says of the API as a whole; a module with routes is one more tag here. */
export const API_DOCS: ApiDocs = {
  title: 'Disparo',
  description: `Campaigns of messages: a file of phone numbers becomes exactly one message a number, in order.

**To try it here**: ${linkTo('users', 'createUser')}, ${LOG_IN}, copy the \`access_token\` into *Authorize*,
${linkTo('companies', 'createCompany')}, and ${linkTo('campaigns', 'createCampaign')} with its \`id\`.

Every error, from every layer, is \`application/problem+json\` (RFC 9457) with a stable \`code\`, of which each route lists
its own. An address without a route is 404:

${problemList([new NotFound()])}`,
  tags: [
    ['operating', 'Is it up, and what does it do? No login.'],
    ['users', 'Register, log in, see yourself and those who share a company with you.'],
    ['companies', 'The tenants: only its members see what a company has, and nobody becomes one without accepting.'],
    ['campaigns', 'A text and numbers, which become messages, one a number, in order.'],
    ['uploads', 'Files that are too large for a request: one PUT to a URL, and they become campaigns or imports.'],
    ['contacts', 'Users by the hundred thousand: each request is a job, and each job has an end. No login.'],
    ['events', 'Events of many tenants: who they are for, and what they may be.'],
    ['webhooks', 'Where events go: endpoints, signed requests, what became of each, and again.'],
    ['pix', 'Pix messages, collected by streams of long polls: at most six an ISPB, and no message in two.'],
    ['billing', 'A CSV of debts becomes boletos with Pix codes, and payments are matched to them.'],
  ],
  key: `The \`api_key\` of ${linkTo('events', 'createEventClient')}, for the events of that client alone; or, on the routes of
collectors, that of ${linkTo('pix', 'bindPixIspb')}, for that ISPB alone, which needs none until it is bound.`,
  token: `The \`access_token\` of ${LOG_IN}.`,
};
