import { z } from 'zod';
import { eventIdField } from '../../events/events.schemas.js';
import { NAME } from '../../events/name.js';
import { afterField, nextField, pageOf, sliceQuery } from '../../platform/http/slices.js';
import { idOf, timeOf } from '../../platform/http/validation.js';

/** UTF-16 units. */
const MAX_URL = 2_048;
const MAX_TYPES = 100;
const NAME_FORM = 'must be 1 to 100 letters, digits, dots, hyphens and underscores, and begin with a letter or digit';

const url = z.string().max(MAX_URL).meta({
  description: 'Where events go: `https`, and no private address. A name is looked up at each request.',
  example: 'https://example.com/hooks/disparo',
});
const clientId = z
  .string()
  .regex(NAME, NAME_FORM)
  .nullable()
  .meta({ description: 'Events of this client only; null: of all clients of the company.', example: 'client-1' });
const typeNames = z
  .array(z.string().regex(NAME, NAME_FORM))
  .min(1)
  .max(MAX_TYPES)
  .nullable()
  .meta({
    description: 'Events of these types only, which need not be registered yet; null: of all types.',
    example: ['user-app', 'monitor-app'],
  });
const rate = z.int().min(1).max(1_000).meta({ description: 'The most requests a second.', example: 50 });

/** The body of a new endpoint. */
export const newEndpoint = z
  .strictObject({
    company_id: z
      .string()
      .min(1, 'must not be empty')
      .meta({ description: 'The id of the company.', example: 'tz4a98xxat96iws9zmbrgj3a' }),
    url,
    client_id: clientId.optional(),
    type_names: typeNames.optional(),
    rate_per_s: rate.default(50),
  })
  .meta({ description: 'Where events of a company go.' });
export type NewEndpoint = z.output<typeof newEndpoint>;

/** The body of a change. */
export const endpointChange = z
  .strictObject({
    url: url.optional(),
    type_names: typeNames.optional(),
    rate_per_s: rate.optional(),
    disabled: z
      .boolean()
      .optional()
      .meta({ description: '`false` also closes its breaker: what is due goes at once.', example: false }),
    rotate_secret: z
      .literal(true)
      .optional()
      .meta({ description: 'A new secret, shown once; the one before signs, too, for 24 hours.', example: true }),
  })
  .refine((change) => Object.values(change).some((value) => value !== undefined), 'names nothing to change')
  .meta({ description: 'What changes: at least one of them.' });
export type EndpointChange = z.output<typeof endpointChange>;

const secret = z.string().meta({
  description: 'Signs the requests: `whsec_` and base64 of 24 bytes. Shown here and never again.',
  example: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
});

/** An endpoint as lists show it. */
export const endpointView = z
  .object({
    id: idOf('endpoint', 'vz5b07xxat96iws9zmbrgj3c'),
    company_id: idOf('company', 'tz4a98xxat96iws9zmbrgj3a'),
    url,
    client_id: clientId,
    type_names: typeNames,
    rate_per_s: rate,
    state: z.enum(['active', 'open', 'disabled']).meta({
      description:
        '`active`; `open`: it failed five times in a row or more, and is tried once when `open_until` is over; `disabled`: it ' +
        'gets nothing.',
      example: 'active',
    }),
    failures: z.int().min(0).meta({ description: 'Failed attempts since the last success.', example: 0 }),
    open_until: timeOf('Until then nothing goes there; null: its breaker is closed').nullable(),
    disabled_at: timeOf('Since when it is disabled; null: it is not').nullable(),
    disabled_reason: z.enum(['member', 'gone', 'failing']).nullable().meta({
      description: '`member`: somebody did it; `gone`: it answered 410; `failing`: five days without a success.',
      example: null,
    }),
    last_success_at: timeOf('The last success, up to a minute behind; null: there was none').nullable(),
    old_secret_until: timeOf('Until then the secret before the last rotation signs, too').nullable(),
    created_at: timeOf('When it was made'),
  })
  .meta({ id: 'Endpoint', description: 'Where events of a company go. Secrets are in no list.' });

/** An endpoint with a secret that is new. */
export const createdEndpointView = endpointView
  .extend({ secret })
  .meta({ id: 'CreatedEndpoint', description: 'The endpoint, and what signs its requests.' });
export type CreatedEndpoint = z.output<typeof createdEndpointView>;

/** What a change answers. */
export const changedEndpointView = endpointView
  .extend({ secret: secret.optional() })
  .meta({ id: 'ChangedEndpoint', description: 'The endpoint; with `secret`, where it was rotated.' });

const attemptView = z
  .object({
    id: z.int().min(1).meta({ description: 'Its place in the log.', example: 1 }),
    event_id: eventIdField,
    attempt: z.int().min(1).meta({ description: 'Which attempt of this event at this endpoint.', example: 1 }),
    at: timeOf('When it had ended'),
    status: z
      .int()
      .nullable()
      .meta({ description: 'The status that was answered; null: there was none.', example: 500 }),
    error: z.string().nullable().meta({ description: 'Why there was no answer.', example: null }),
    took_ms: z.int().min(0).meta({ description: 'From the look-up of the name to the last byte.', example: 31 }),
    response: z
      .string()
      .nullable()
      .meta({ description: 'The first KiB of what was answered.', example: 'Internal Server Error' }),
  })
  .meta({ id: 'DeliveryAttempt', description: 'One request and how it ended. Kept for 15 days.' });
export type AttemptView = z.output<typeof attemptView>;

/** An endpoint, and what a person needs who wonders why nothing arrives. */
export const endpointDetail = endpointView
  .extend({
    due: z.int().min(0).meta({
      description: 'Events that are to go there, those that wait for their next attempt included.',
      example: 0,
    }),
    dead: z.int().min(0).meta({ description: 'Events that were given up, which a replay tries again.', example: 0 }),
    last_attempt: attemptView.nullable().meta({ description: 'null: there is none in the log.' }),
  })
  .meta({ id: 'EndpointDetail', description: 'The endpoint, what is owed to it, and its last attempt.' });

export const endpointPage = pageOf(endpointView).meta({
  id: 'EndpointPage',
  description: 'Endpoints, the oldest first.',
});

/** The query of the log of attempts. */
export const attemptQuery = z.strictObject({ after: afterField, limit: sliceQuery.shape.limit });
export type AttemptQuery = z.output<typeof attemptQuery>;

/** A slice of the log of attempts. */
export const attemptSlice = z
  .object({ data: z.array(attemptView).meta({ description: 'In the order of the log.' }), next: nextField })
  .meta({ id: 'DeliveryAttemptSlice', description: 'A part of the attempts.' });

const deadDeliveryView = z
  .object({
    event_id: eventIdField,
    event_type: z.string().meta({ description: 'The name of its type.', example: 'user-app' }),
    state: z.literal('dead').meta({ description: 'It was given up.', example: 'dead' }),
    attempts: z.int().min(0).meta({ description: 'All of them, those before a replay too.', example: 8 }),
    dead_at: timeOf('When the last one failed'),
    received_at: timeOf('When the event was received'),
  })
  .meta({
    id: 'DeadDelivery',
    description: 'An event that was given up at an endpoint, until a replay tries it again.',
  });
export type DeadDelivery = z.output<typeof deadDeliveryView>;

/** The query of the list of what was given up. */
export const deliveryQuery = z.strictObject({
  state: z.literal('dead').default('dead').meta({ description: 'Those that were given up.', example: 'dead' }),
  after: afterField,
  limit: sliceQuery.shape.limit,
});
export type DeliveryQuery = z.output<typeof deliveryQuery>;

/** A slice of what was given up. */
export const deadDeliverySlice = z
  .object({ data: z.array(deadDeliveryView).meta({ description: 'In the order of the events.' }), next: nextField })
  .meta({ id: 'DeadDeliverySlice', description: 'A part of what was given up.' });

const YEAR_0 = /^0000/;
const instant = z.iso
  .datetime({ offset: true, error: 'must be a time with its offset, such as 2026-11-24T12:00:00Z' })
  .refine((time) => !YEAR_0.test(time), 'must be of the year 0001 or later')
  .meta({ example: '2026-11-24T12:00:00Z' });

/** The body of a replay of many. */
export const manyToReplay = z
  .strictObject({
    since: instant.meta({ description: 'Events that were received then or later.', example: '2026-11-24T12:00:00Z' }),
    until: instant
      .optional()
      .meta({ description: 'And before that; all without it.', example: '2026-11-24T18:00:00Z' }),
    only: z.enum(['dead', 'all']).meta({
      description:
        '`dead`: those that were given up. `all`: those that were delivered or wait for their next attempt, too, and those that ' +
        'the endpoint wants and was never owed, since it was disabled or not there.',
      example: 'dead',
    }),
    after: z.int().min(0).default(0).meta({ description: 'The `next` of the previous answer.', example: 0 }),
  })
  .refine(({ since, until }) => until === undefined || Date.parse(since) < Date.parse(until), {
    path: ['until'],
    error: 'must be later than since',
  })
  .meta({ description: 'Which events go there again.' });
export type ManyToReplay = z.output<typeof manyToReplay>;

const count = z.int().min(0).meta({ description: 'Deliveries that are due now and were not before.', example: 12 });

/** What the replay of one answers. */
export const replayedDelivery = z
  .object({ count: count.meta({ description: '1; 0: it is due already, or under way.', example: 1 }) })
  .meta({ id: 'ReplayedDelivery', description: 'The event goes there, again.' });
export type ReplayedDelivery = z.output<typeof replayedDelivery>;

/** What the replay of many answers. */
export const replayedDeliveries = z
  .object({
    count,
    next: nextField.meta({
      description: 'null: that was all. Else the `after` of the next call with the same times.',
      example: null,
    }),
  })
  .meta({ id: 'ReplayedDeliveries', description: 'How many go there, again.' });
export type ReplayedDeliveries = z.output<typeof replayedDeliveries>;
