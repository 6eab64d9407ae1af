import { z } from 'zod';
import { afterField, nextField, sliceQuery } from '../platform/http/slices.js';
import { idOf, timeOf } from '../platform/http/validation.js';
import { REASONS } from './intake/triage.js';
import { NAME } from './name.js';

/** Events in a request at most. */
export const MAX_EVENTS = 500;

/** `client_id` or `event_type` in a query: a text that cannot be one names nothing. */
const clientId = z.string().regex(NAME).meta({ description: 'Of this client only.', example: 'client-1' });
const typeName = z
  .string()
  .regex(NAME)
  .meta({ description: 'Of this type only, in all its versions.', example: 'user-app' });

/** The id of an event in an answer. */
export const eventIdField = z.string().meta({ description: 'The id of the event.', example: 'evt_1' });
/** Why a message is no event. */
export const reasonField = z.enum(REASONS).meta({
  description:
    '`invalid_envelope`, `missing_tenant` (no client), `unregistered_tenant` (an unknown client), `unknown_event_type`, ' +
    "`invalid_payload` (its type's schema refuses the message), `conflicting_duplicate` (its key is held with other content).",
  example: 'unknown_event_type',
});

/** The query of the list. */
export const eventQuery = z.strictObject({
  company_id: z.string().optional().meta({ description: 'Of this company only.', example: 'tz4a98xxat96iws9zmbrgj3a' }),
  client_id: clientId.optional(),
  type: typeName.optional(),
  after: afterField,
  limit: sliceQuery.shape.limit,
});
export type EventQuery = z.output<typeof eventQuery>;

/** What POST answers for one envelope. */
export const acceptedEvent = z
  .object({
    id: eventIdField,
    outcome: z.enum(['stored', 'duplicate']).meta({
      description: '`stored`, or `duplicate`: it was stored before, with the same content, under this id.',
      example: 'stored',
    }),
  })
  .meta({ id: 'AcceptedEvent', description: 'An event that is stored.' });
export type AcceptedEvent = z.output<typeof acceptedEvent>;

const eventResult = z
  .object({
    index: z.int().min(0).meta({ description: 'Its place in the request, from 0.', example: 0 }),
    outcome: z.enum(['stored', 'duplicate', 'rejected']).meta({
      description: '`stored`, `duplicate` (stored before), or `rejected`: nothing is kept of it.',
      example: 'stored',
    }),
    id: eventIdField.optional(),
    reason: reasonField.optional(),
  })
  .meta({
    id: 'EventResult',
    description: 'What became of one of many: `id` of what is stored, `reason` of a rejected one.',
  });
export type EventResult = z.output<typeof eventResult>;

/** What POST answers for many. */
export const eventResults = z
  .object({ results: z.array(eventResult).meta({ description: 'One for each event, in their order.' }) })
  .meta({ id: 'EventResults', description: 'What became of each event.' });
export type EventResults = z.output<typeof eventResults>;

const eventView = z
  .object({
    id: eventIdField,
    event_type: z.string().meta({ description: 'The name of its type.', example: 'user-app' }),
    version: z.int().min(1).meta({ description: 'The version of its type.', example: 1 }),
    client_id: z.string().meta({ description: 'The client that it is for.', example: 'client-1' }),
    company_id: idOf('company of the client', 'tz4a98xxat96iws9zmbrgj3a'),
    message: z.string().meta({
      description: 'The message as it is kept: a text as it came, an object or a list as JSON.',
      example: '{"age":31}',
    }),
    time: z.string().nullable().meta({
      description: "The producer's `time`, in UTC with microseconds; null without one.",
      example: '2026-11-24T12:00:00.000000Z',
    }),
    received_at: timeOf('When it was stored'),
  })
  .meta({ id: 'Event', description: 'An event. It never changes.' });
export type EventView = z.output<typeof eventView>;

/** A slice of events by id. */
export const eventSlice = z
  .object({ data: z.array(eventView).meta({ description: 'By id.' }), next: nextField })
  .meta({ id: 'EventSlice', description: 'A part of the events.' });

const envelopeField = (description: string, example: unknown) => ({ description, example });

/** One envelope in the body of POST, as OpenAPI has it: the decoder of the queue reads it, and not this. */
const envelope = {
  type: 'object' as const,
  description: 'An event. Unknown fields are ignored. A CloudEvent 1.0 in structured mode is taken, too.',
  required: ['event_type', 'client_id', 'message'],
  properties: {
    event_type: { type: 'string' as const, ...envelopeField('The name of its type.', 'user-app') },
    client_id: { type: 'string' as const, ...envelopeField('The client that it is for.', 'client-1') },
    message: {
      description: 'A text, an object or a list; where the type has a schema, its content is checked.',
      oneOf: [{ type: 'string' as const }, { type: 'object' as const }, { type: 'array' as const, items: {} }],
      example: { age: 31 },
    },
    id: {
      type: 'string' as const,
      minLength: 1,
      maxLength: 255,
      ...envelopeField("The producer's own: with it the event is stored once, however often it is sent.", 'order-4711'),
    },
    version: { type: 'integer' as const, minimum: 1, ...envelopeField('Of the type; without it, the newest.', 1) },
    time: {
      type: 'string' as const,
      format: 'date-time',
      ...envelopeField('Kept, and never used for order.', '2026-11-24T12:00:00Z'),
    },
  },
};

/** The body of POST. */
export const sendBody = {
  required: true,
  content: {
    'application/json': {
      schema: {
        description: 'One event, or many.',
        oneOf: [
          envelope,
          {
            type: 'object' as const,
            description: 'Many at once: each has a result of its own.',
            required: ['events'],
            properties: {
              events: {
                type: 'array' as const,
                minItems: 1,
                maxItems: MAX_EVENTS,
                items: envelope,
                description: `1 to ${MAX_EVENTS} of them, together at most 4 MiB.`,
              },
            },
          },
        ],
      },
    },
  },
};
