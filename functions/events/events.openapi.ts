import { CompanyNotFound, TOKEN_ERRORS } from '../accounts/accounts.errors.js';
import type { RouteDocs } from '../platform/http/describe.js';
import { MediaTypeRefused } from '../platform/problem.js';
import {
  EnvelopeInvalid,
  EventConflict,
  EventTooLarge,
  PayloadInvalid,
  UnknownEventType,
  UnregisteredTenant,
} from './events.errors.js';
import { acceptedEvent, eventResults, eventSlice, sendBody } from './events.schemas.js';

/** What OpenAPI says of the routes of events. */
export const EVENT_ROUTES = {
  send: {
    id: 'sendEvents',
    summary: 'Send an event, or up to 500',
    description:
      "By a member's token, or by a key of the client that it is for. Answered when it is committed. With an `id` of the " +
      'producer the request may be repeated: the same client, id, type and message are one event. Without an `id` each ' +
      'request is an event of its own. Nothing that is refused is kept.',
    requestBody: sendBody,
    answers: {
      200: {
        description: 'One: a duplicate, with the id of the first. Many: what became of each.',
        schema: acceptedEvent.or(eventResults).meta({ description: 'One, or many.' }),
      },
      202: { description: 'One: stored.', schema: acceptedEvent },
    },
    errors: [
      EnvelopeInvalid,
      UnregisteredTenant,
      EventConflict,
      EventTooLarge,
      MediaTypeRefused,
      UnknownEventType,
      PayloadInvalid,
      ...TOKEN_ERRORS,
    ],
  },
  list: {
    id: 'listEvents',
    summary: 'List the events of your companies',
    description:
      'By id. `next` is the `after` of the next call. An answer has at most 2 MiB of messages, and so perhaps fewer events ' +
      'than `limit`. Events are committed side by side, so one with a lower id may appear a moment later.',
    answers: { 200: { description: 'A part of them.', schema: eventSlice } },
    errors: [CompanyNotFound, UnregisteredTenant, ...TOKEN_ERRORS],
  },
} satisfies Record<string, RouteDocs>;
