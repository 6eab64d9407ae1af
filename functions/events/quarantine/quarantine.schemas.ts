import { z } from 'zod';
import { afterField, nextField, sliceQuery } from '../../platform/http/slices.js';
import { timeOf } from '../../platform/http/validation.js';
import { eventIdField, reasonField } from '../events.schemas.js';

const companyId = z.string().min(1, 'must not be empty').meta({
  description: 'The company whose messages these are.',
  example: 'tz4a98xxat96iws9zmbrgj3a',
});
const MANY_LIMIT = 1_000;

/** The query of the list. */
export const quarantineQuery = z.strictObject({
  company_id: companyId,
  reason: reasonField.optional(),
  resolved: z.enum(['true', 'false']).default('false').meta({
    description: '`true`: those that were replayed or discarded.',
    example: 'false',
  }),
  after: afterField,
  limit: sliceQuery.shape.limit,
});
export type QuarantineQuery = z.output<typeof quarantineQuery>;

/** The body of the replay of one. */
export const newBody = z
  .strictObject({
    body: z
      .union(
        [z.string().refine((text) => text.isWellFormed(), 'must not hold half of a surrogate pair'), z.looseObject({})],
        { error: 'must be an envelope, or its text' },
      )
      .optional()
      .meta({
        description: 'In place of the kept body: an envelope, or the text of one, byte for byte.',
        example: { event_type: 'user-app', client_id: 'client-1', message: { age: 31 } },
      }),
  })
  .meta({ description: 'Nothing, or another body.' });

/** The body of the replay of many. */
export const manyToReplay = z
  .strictObject({
    company_id: companyId,
    reason: reasonField,
    after: z.int().min(0).default(0).meta({ description: 'Begins after this one: the `next` of before.', example: 0 }),
    limit: z
      .int()
      .min(1)
      .max(MANY_LIMIT)
      .default(MANY_LIMIT)
      .meta({ description: 'The most messages.', example: 1_000 }),
  })
  .meta({ description: 'Which messages, oldest first.' });
export type ManyToReplay = z.output<typeof manyToReplay>;

const messageId = z.string().meta({ description: 'The id of the message in quarantine, digits.', example: '7' });

const quarantinedView = z
  .object({
    id: messageId,
    company_id: companyId,
    client_id: z.string().nullable().meta({ description: 'null: it names none.', example: 'client-1' }),
    reason: reasonField,
    detail: z
      .string()
      .meta({ description: 'What of it is wrong: never anything of its content.', example: 'user-app' }),
    dedupe_key: z.string().meta({
      description: "Its key: `p:` and the producer's id, else `b:` or `h:` and one of the queue's.",
      example: 'p:order-4711',
    }),
    received_at: timeOf('When it was put into quarantine'),
    resolved_at: timeOf('When it was replayed or discarded; null while it is open').nullable(),
    resolution: z.enum(['replayed', 'discarded']).nullable().meta({ description: 'How it ended.', example: null }),
    event_id: eventIdField.nullable().meta({ description: 'The event that it became.', example: null }),
    body: z.string().nullable().meta({
      description: 'As it came, at most the first 256 KiB; null where it is not UTF-8.',
      example: '{"event_type":"user-app","client_id":"client-1","message":{"age":31}}',
    }),
    body_base64: z.string().nullable().meta({ description: 'In its place, where it is not UTF-8.', example: null }),
    body_bytes: z.int().min(0).meta({ description: 'Bytes of the whole body.', example: 68 }),
  })
  .meta({ id: 'QuarantinedMessage', description: 'A message that is no event.' });
export type QuarantinedView = z.output<typeof quarantinedView>;

/** A slice of messages in quarantine by id. */
export const quarantineSlice = z
  .object({ data: z.array(quarantinedView).meta({ description: 'By id, oldest first.' }), next: nextField })
  .meta({ id: 'QuarantineSlice', description: 'A part of the messages in quarantine.' });

/** What a replay answers. */
export const replayedView = z
  .object({
    outcome: z.enum(['stored', 'duplicate', 'quarantined']).meta({
      description: '`stored` or `duplicate`: it is an event and has left quarantine. `quarantined`: it stays.',
      example: 'stored',
    }),
    event_id: eventIdField.optional(),
    reason: reasonField.optional(),
  })
  .meta({ id: 'ReplayedMessage', description: 'What became of it: `event_id` of an event, else the `reason`.' });
export type ReplayedView = z.output<typeof replayedView>;

/** What the replay of many answers. */
export const passView = z
  .object({
    count: z.int().min(0).meta({ description: 'Messages that are events now.', example: 12 }),
    looked_at: z.int().min(0).meta({ description: 'Messages that were tried.', example: 15 }),
    next: nextField,
  })
  .meta({
    id: 'ReplayedMessages',
    description: 'How many were replayed; those that were tried in vain stay as they are.',
  });
export type PassView = z.output<typeof passView>;

/** What a discard answers. */
export const discardedView = z
  .object({
    id: messageId,
    resolution: z.literal('discarded').meta({ description: 'Always the same.', example: 'discarded' }),
  })
  .meta({ id: 'DiscardedMessage', description: 'It ended without an event.' });
export type DiscardedView = z.output<typeof discardedView>;
