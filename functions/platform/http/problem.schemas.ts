import { z } from 'zod';

/** A problem as answers show it, RFC 9457. */
export const problemView = z
  .looseObject({
    type: z.string().meta({ description: 'Always `about:blank`: the code says more.', example: 'about:blank' }),
    title: z.string().meta({ description: 'The words of the status.', example: 'Bad Request' }),
    status: z.int().min(400).max(599).meta({ description: 'The HTTP status.', example: 400 }),
    detail: z.string().meta({ description: 'What is wrong, for people.', example: 'email: must be an e-mail address' }),
    code: z.string().meta({ description: 'Stable: what a program may rely on.', example: 'VALIDATION' }),
    errors: z
      .array(
        z.object({
          path: z
            .string()
            .meta({ description: 'The field, as a dotted path; empty for the whole request.', example: 'email' }),
          message: z.string().meta({ description: 'What is wrong with it.', example: 'must be an e-mail address' }),
        }),
      )
      .optional()
      .meta({ description: 'With `VALIDATION`: the fields that are wrong, the first ten.' }),
  })
  .meta({ id: 'Problem', description: 'A problem, RFC 9457.' });
