import type { RouteDocs } from '../platform/http/describe.js';
import { NotFound } from '../platform/problem.js';
import { KEY_ERRORS, NotAcceptable, STREAM_ERRORS, TooManyStreams } from './pix.errors.js';
import { collected, madeMessages } from './pix.schemas.js';

const ids = { ispb: 'participant: its ISPB, eight digits', interationId: 'stream and its next read: from `Pull-Next`' };
const COLLECTOR = [...KEY_ERRORS, NotFound];
const NEXT = { 'Pull-Next': 'Where the stream goes on. Following it says that this answer was received.' };
const COLLECTED = {
  200: {
    description: 'One message; with `Accept: multipart/json` a list of one to ten.',
    schema: collected,
    headers: NEXT,
  },
  204: { description: 'No message came within eight seconds.', headers: NEXT },
} satisfies RouteDocs['answers'];

/** What OpenAPI says of the routes of Pix. */
export const PIX_ROUTES = {
  start: {
    id: 'startPixStream',
    ids: { ispb: ids.ispb },
    summary: 'Start a stream, and get its first messages',
    description:
      'Waits for up to eight seconds. At most six streams of an ISPB are open; one that is not followed for 60 seconds expires.',
    answers: COLLECTED,
    errors: [...COLLECTOR, NotAcceptable, TooManyStreams],
  },
  next: {
    id: 'followPixStream',
    ids,
    summary: 'Get the next messages of a stream',
    description:
      'Says that the answer before was received, and waits for up to eight seconds. With the token before, the same answer comes again: it was lost.',
    answers: COLLECTED,
    errors: [...COLLECTOR, NotAcceptable, ...STREAM_ERRORS],
  },
  close: {
    id: 'endPixStream',
    ids,
    summary: 'End a stream',
    description: 'With the last token: what it brought was received. With the one before: it was not, and waits again.',
    answers: { 200: { description: 'It is ended: `{}`.' } },
    errors: [...COLLECTOR, ...STREAM_ERRORS],
  },
  make: {
    id: 'makePixMessages',
    ids: { ispb: ids.ispb },
    params: { number: 'How many: up to 1,000,000, in a function up to 50,000.' },
    summary: 'Make test messages',
    description:
      'Of invented people. Only where `PIX_TEST_MESSAGES` is `on`; a 404 elsewhere. They are made 50,000 at a time: what is made waits, also when this is then answered with 503, or its client leaves.',
    answers: { 201: { description: 'They wait.', schema: madeMessages } },
    errors: COLLECTOR,
  },
} satisfies Record<string, RouteDocs>;
