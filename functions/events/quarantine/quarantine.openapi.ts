import { CompanyNotFound, TOKEN_ERRORS } from '../../accounts/accounts.errors.js';
import { BODY_ERRORS, type RouteDocs } from '../../platform/http/describe.js';
import { jsonSchemaOf } from '../../platform/http/json-schema.js';
import { MediaTypeRefused, NotUtf8 } from '../../platform/problem.js';
import { EventTooLarge, QuarantineNotFound, QuarantineResolved } from '../events.errors.js';
import { discardedView, newBody, passView, quarantineSlice, replayedView } from './quarantine.schemas.js';

const ids = { id: 'message in quarantine' };

/** What OpenAPI says of the routes of quarantine. */
export const QUARANTINE_ROUTES = {
  list: {
    id: 'listQuarantine',
    summary: 'List what came from a queue and is no event',
    description:
      'Messages of your company, each with its reason and its bytes. Those of which no company is known are for operators. ' +
      '`next` is the `after` of the next call; an answer has at most 2 MiB of bodies. What is sent over HTTP and refused is ' +
      'not kept.',
    answers: { 200: { description: 'A part of them.', schema: quarantineSlice } },
    errors: [CompanyNotFound, ...TOKEN_ERRORS],
  },
  replay: {
    id: 'replayMessage',
    summary: 'Try a message again, or a corrected one',
    description:
      'Under its kept key, unless the new body has an `id`. It leaves quarantine in the transaction that stores the event, and ' +
      'only then.',
    ids,
    requestBody: {
      required: false,
      content: { 'application/json': { schema: jsonSchemaOf(newBody, 'input').schema } },
    },
    answers: { 200: { description: 'What became of it.', schema: replayedView } },
    errors: [NotUtf8, EventTooLarge, MediaTypeRefused, QuarantineNotFound, QuarantineResolved, ...TOKEN_ERRORS],
  },
  replayMany: {
    id: 'replayMessages',
    summary: 'Try all of a reason again',
    description:
      'Oldest first, each for itself: as after its type was registered. Those that are refused again stay as they are; `next` ' +
      'is the `after` of the next call, null where there are no more.',
    answers: { 200: { description: 'How many.', schema: passView } },
    errors: [...BODY_ERRORS, CompanyNotFound, ...TOKEN_ERRORS],
  },
  discard: {
    id: 'discardMessage',
    summary: 'Discard a message',
    description:
      'It becomes no event, and is erased when its time is over. When a queue brings it again, it is open again.',
    ids,
    answers: { 200: { description: 'Discarded.', schema: discardedView } },
    errors: [QuarantineNotFound, QuarantineResolved, ...TOKEN_ERRORS],
  },
} satisfies Record<string, RouteDocs>;
