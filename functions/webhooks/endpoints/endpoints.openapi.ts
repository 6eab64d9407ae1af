import { CompanyNotFound, TOKEN_ERRORS } from '../../accounts/accounts.errors.js';
import { ClientNotFound } from '../../events/events.errors.js';
import { BODY_ERRORS, type RouteDocs } from '../../platform/http/describe.js';
import { DeliveryNotFound, EndpointNotFound, TooManyEndpoints, UrlRefused } from '../webhooks.errors.js';
import {
  attemptSlice,
  changedEndpointView,
  createdEndpointView,
  deadDeliverySlice,
  endpointDetail,
  endpointPage,
  replayedDeliveries,
  replayedDelivery,
} from './endpoints.schemas.js';

const ids = { id: 'endpoint' };
const FOUND = [...TOKEN_ERRORS, EndpointNotFound];

/** What OpenAPI says of the routes of endpoints. */
export const ENDPOINT_ROUTES = {
  create: {
    id: 'createEndpoint',
    summary: 'Register an endpoint',
    description:
      'Each event of the company that is stored from the answer on is sent there, if the endpoint wants it. The answer has the ' +
      'secret that signs the requests, once.',
    answers: { 201: { description: 'The endpoint, with its secret.', schema: createdEndpointView } },
    errors: [...BODY_ERRORS, ...TOKEN_ERRORS, UrlRefused, CompanyNotFound, ClientNotFound, TooManyEndpoints],
  },
  list: {
    id: 'listEndpoints',
    summary: 'List the endpoints of a company',
    description: 'The oldest first, disabled ones too. Secrets are in no list.',
    answers: { 200: { description: 'A page.', schema: endpointPage } },
    errors: [...TOKEN_ERRORS, CompanyNotFound],
  },
  get: {
    id: 'getEndpoint',
    ids,
    summary: 'See an endpoint',
    description: 'With what is owed to it, what was given up, and how its last attempt ended.',
    answers: { 200: { description: 'The endpoint.', schema: endpointDetail } },
    errors: FOUND,
  },
  change: {
    id: 'changeEndpoint',
    ids,
    summary: 'Change an endpoint, or its secret',
    description:
      'What is owed already goes to the new `url`, which begins as if it had never failed. While it is disabled nothing more is owed, and what was owed before waits. ' +
      'After `rotate_secret` both secrets sign for 24 hours; a second rotation voids the first of three at once.',
    answers: { 200: { description: 'The endpoint.', schema: changedEndpointView } },
    errors: [...BODY_ERRORS, ...FOUND, UrlRefused],
  },
  delete: {
    id: 'deleteEndpoint',
    ids,
    summary: 'Delete an endpoint',
    description: 'Nothing more goes there, but for requests that are under way.',
    answers: { 204: { description: 'Done.' } },
    errors: FOUND,
  },
  attempts: {
    id: 'listDeliveryAttempts',
    ids,
    summary: 'List the attempts of an endpoint',
    description: 'Those of the last 15 days, in the order of the log. `next` is the `after` of the next call.',
    answers: { 200: { description: 'A part of them.', schema: attemptSlice } },
    errors: FOUND,
  },
  deliveries: {
    id: 'listDeadDeliveries',
    ids,
    summary: 'List what was given up at an endpoint',
    description:
      'Events of which eight attempts failed, by event. A replay takes them off the list. `next` is the `after` of the next call.',
    answers: { 200: { description: 'A part of them.', schema: deadDeliverySlice } },
    errors: FOUND,
  },
  replayMany: {
    id: 'replayDeliveries',
    ids,
    summary: 'Send events of a time again',
    description:
      'They are due at once, and get all attempts anew. Those that are due already, or wait for their next attempt, stay as they ' +
      'are and are not counted. Where `next` is not null, call again with it as `after`.',
    answers: { 202: { description: 'How many.', schema: replayedDeliveries } },
    errors: [...BODY_ERRORS, ...FOUND],
  },
  replayOne: {
    id: 'replayDelivery',
    ids: { id: 'event, `evt_1`', endpoint: 'endpoint' },
    summary: 'Send one event again',
    description: 'Also one that the endpoint wants and was never owed.',
    answers: { 202: { description: 'It is due.', schema: replayedDelivery } },
    errors: [...FOUND, DeliveryNotFound],
  },
} satisfies Record<string, RouteDocs>;
