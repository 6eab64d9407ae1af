import { z } from 'zod';
import { isVisible } from '../platform/http/text.js';

/** UTF-16 units of a name. */
const NAME_LIMIT = 200;
const AGE_LIMIT = 150;
const PROJECTS_LIMIT = 100;
const LOGS_LIMIT = 1_000;
/** U+0000 to U+001F: every UTF-16 unit that is not from the blank on. */
const CONTROL = /[^ -\uffff]/;
/** PostgreSQL has no year 0. */
const YEAR_0 = /^0000/;

/** Kept as given: no blank is cut off, nothing is normalised. zod's own `max` counts code points, and this counts units. */
function textOf(description: string, example: string) {
  return z
    .string()
    .refine((text) => text.length <= NAME_LIMIT, {
      error: `must have at most ${NAME_LIMIT} UTF-16 units`,
      abort: true,
    })
    .refine(isVisible, { error: 'must not be blank', abort: true })
    .refine((text) => text.isWellFormed(), { error: 'must not hold half of a surrogate pair', abort: true })
    .refine((text) => !CONTROL.test(text), 'must not hold control characters')
    .meta({
      description: `${description}; 1 to ${NAME_LIMIT} UTF-16 units, kept as given.`,
      minLength: 1,
      maxLength: NAME_LIMIT,
      example,
    });
}

/** A number of JSON: `1e999` reads as Infinity, which PostgreSQL would take and JSON cannot say. */
function numberOf() {
  return z.number({ error: ({ input }) => (input === undefined ? 'must be given' : 'must be a finite number') });
}

const droppedId = numberOf().optional().meta({ description: 'Taken and not kept.', example: 1 });

/**
 * A list whose length is judged before its entries. A body of 256 KiB holds 80,000 entries, and an error for each of them
 * would keep the process busy for long.
 */
function listOf<T extends z.ZodType>(item: T, limit: number) {
  const entries = z.array(item).max(limit);
  return z.preprocess(
    (list) => (Array.isArray(list) && list.length > limit ? list.slice(0, limit + 1) : list),
    entries,
  );
}

const project = z.strictObject({
  id: droppedId,
  name: textOf('The name of the project', 'App mobile'),
  completed: z.boolean().meta({ description: 'Whether it is completed.', example: true }),
});

const log = z.strictObject({
  id: droppedId,
  date: z.iso
    .date()
    .refine((date) => !YEAR_0.test(date), 'must be of the year 0001 or later')
    .meta({ description: 'A day that exists, `YYYY-MM-DD`.', example: '2025-03-01' }),
  action: z.enum(['login', 'logout']).meta({ description: 'What the user did.', example: 'login' }),
});

/** What a page of the OpenAPI document sends when somebody tries the route. */
const EXAMPLE = {
  team: { name: 'Vendas', leader: false, projects: [{ name: 'App mobile', completed: true }] },
  logs: [{ date: '2025-03-01', action: 'login' }],
};

/** The body of POST: a user with team, projects and logs. Two users are the same contact exactly when their `id` is. */
export const newContact = z
  .strictObject({
    id: z.guid().toLowerCase().meta({
      description: 'A UUID of any version, in any letter case: the key of the contact.',
      example: '550e8400-e29b-41d4-a716-446655440000',
    }),
    name: textOf('The name of the user', 'Ana Souza'),
    age: z.int().min(0).max(AGE_LIMIT).meta({ description: 'Years.', example: 31 }),
    score: numberOf().meta({ description: 'Finite, a double.', example: 87.5 }),
    active: z.boolean().meta({ description: 'Whether the user is active.', example: true }),
    country: textOf('The country', 'Brasil'),
    team: z
      .strictObject({
        id: droppedId,
        name: textOf('The name of the team', 'Vendas'),
        leader: z.boolean().meta({ description: 'Whether the user leads it.', example: false }),
        projects: listOf(project, PROJECTS_LIMIT).meta({
          description: 'The projects of the team, at most 100; their order is kept.',
          example: EXAMPLE.team.projects,
        }),
      })
      .meta({ description: 'The team of the user.', example: EXAMPLE.team }),
    logs: listOf(log, LOGS_LIMIT).meta({
      description: 'What the user did and when, at most 1,000 entries; their order is kept.',
      example: EXAMPLE.logs,
    }),
  })
  .meta({ description: 'A user with team, projects and logs.' });

export type NewContact = z.output<typeof newContact>;

/**
 * The one line that is stored and hashed: a fixed order of fields, and nothing that is dropped. Never holds LF. Blanks, the
 * order of keys, `19` and `19.0` and `-0` make no difference; the order of projects and logs does.
 */
export function canonicalLine({ id, name, age, score, active, country, team, logs }: NewContact): string {
  const projects = team.projects.map(({ name, completed }) => ({ name, completed }));
  return JSON.stringify({
    id,
    name,
    age,
    score,
    active,
    country,
    team: { name: team.name, leader: team.leader, projects },
    logs: logs.map(({ date, action }) => ({ date, action })),
  });
}

/** The query of GET. */
export const jobQuery = z.strictObject({
  wait: z
    .string()
    .regex(/^(?:[0-9]|[12][0-9]|30)$/, 'must be a whole number from 0 to 30')
    .transform(Number)
    .optional()
    .meta({
      description: 'Seconds, at most, to wait for the end of the job before the answer; a whole number from 0 to 30.',
      example: '5',
    }),
});
export type JobQuery = z.output<typeof jobQuery>;

/** The words of the order, letter by letter. */
const ACCEPTED = 'User add to queue successfully, wait for the result.';

/** The states of a job and the words of each. A job only moves forward; `waiting` may be followed by `completed` at once. */
export const STATUS_MESSAGES = {
  waiting: 'User not created yet...',
  active: 'User is being created...',
  completed: 'User created sucessfully',
  failed: 'Failed to create user',
} as const;
export type JobStatus = keyof typeof STATUS_MESSAGES;

/** Why a job failed. `conflict`: its id has other content. `refused_by_store`: a bug, as what is accepted can be stored. */
export const FAILURES = ['conflict', 'refused_by_store'] as const;
export type Failure = (typeof FAILURES)[number];

/** What POST answers: only after the COMMIT. */
export const acceptedView = z
  .object({
    message: z.literal(ACCEPTED).meta({ description: 'Always the same.', example: ACCEPTED }),
    job: z.string().meta({ description: 'The number of the job, digits.', example: '99007' }),
  })
  .meta({ id: 'AcceptedContact', description: 'The job of this request.' });
export type AcceptedContact = z.output<typeof acceptedView>;

/** The answer of POST for an accepted job. */
export function accepted(job: string): AcceptedContact {
  return { message: ACCEPTED, job };
}

/** `timer` of an answer of GET. */
const timer = z.number().min(0).meta({ description: 'Milliseconds that the answer took.', example: 1.4 });

/** What became of a job. */
export const jobView = z
  .object({
    status: z.enum(['waiting', 'active', 'completed', 'failed']).meta({
      description: '`waiting` (accepted), `active` (being stored), `completed`, or `failed` (`reason` says why).',
      example: 'completed',
    }),
    message: z.enum(Object.values(STATUS_MESSAGES)).meta({
      description: 'The words of the status.',
      example: STATUS_MESSAGES.completed,
    }),
    timer,
    reason: z
      .enum(FAILURES)
      .optional()
      .meta({
        description:
          'Only with `failed`. `conflict`: this id was stored before, with other content, which stays. ' +
          '`refused_by_store`: a bug; the log has it.',
        example: 'conflict',
      }),
  })
  .meta({
    id: 'ContactJob',
    description: 'A job, as it is now.',
    example: { status: 'completed', message: STATUS_MESSAGES.completed, timer: 1.4 },
  });
export type ContactJob = z.output<typeof jobView>;

const jobs = (of: string) =>
  z
    .int()
    .min(0)
    .meta({ description: `Jobs ${of}.`, example: 0 });

/** All jobs that can still be asked for, by their state. */
export const statsView = z
  .object({
    waiting: jobs('accepted and not begun'),
    active: jobs('begun and not done'),
    completed: jobs('completed, while they are kept'),
    failed: jobs('failed, while they are kept'),
    oldest_waiting_s: z.int().min(0).meta({
      description: 'Whole seconds since the oldest waiting job was accepted; 0 when none waits.',
      example: 0,
    }),
  })
  .meta({ id: 'ContactStats', description: 'Counts of jobs, at most a second old.' });
export type ContactStats = z.output<typeof statsView>;
