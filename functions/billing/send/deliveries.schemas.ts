import { Param } from '@nestjs/common';
import { z } from 'zod';
import { textOf } from '../../platform/http/text.js';
import { DeliveryNotFound } from '../billing.errors.js';

/** Code points of a note, at most. */
const NOTE_LIMIT = 500;
const POSITIVE = /^[1-9][0-9]{0,9}$/;
/** What PostgreSQL's int can hold. */
const MAX_NUMBER = 2_147_483_647;

/** What a person says of a mail of which nobody knows whether it was sent. */
export const resolution = z
  .strictObject({
    outcome: z.enum(['enviada', 'nao_enviada']).meta({
      description:
        '`enviada`: it was sent. `nao_enviada`: it was not, so it goes out again, unless the debt is closed.',
      example: 'enviada',
    }),
    note: z
      .string()
      .trim()
      .pipe(textOf(NOTE_LIMIT, { lines: true }))
      .meta({
        description: `How that is known; kept with who says it. 1 to ${NOTE_LIMIT} characters.`,
        minLength: 1,
        maxLength: NOTE_LIMIT,
        example: 'Fulana says on the phone that she has it.',
      }),
  })
  .meta({ description: 'What became of a mail.' });
export type Resolution = z.output<typeof resolution>;

/** The number of the delivery in the path. A text that is no such number is answered as not found. */
export const DeliveryNumber = (): ParameterDecorator =>
  Param('number', {
    transform: (text: string) => {
      if (!POSITIVE.test(text) || Number(text) > MAX_NUMBER) throw new DeliveryNotFound();
      return Number(text);
    },
  });
