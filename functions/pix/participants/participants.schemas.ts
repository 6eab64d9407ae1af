import { z } from 'zod';
import { timeOf } from '../../platform/http/validation.js';

/** An ISPB that a company has bound, with its key. */
export const boundIspb = z
  .strictObject({
    ispb: z.string().meta({ description: 'The ISPB.', example: '32074986' }),
    api_key: z.string().meta({
      description:
        'What its collectors send from now on, as `Authorization: Bearer`. It is shown here and never again.',
      example: 'pix_FTHmJUYdAbSmCRtGPfO2uKHwRRcWxyfbI8YFUSCWfXM',
    }),
    created_at: timeOf('When the company bound it first'),
  })
  .meta({ description: 'An ISPB that is bound to a company, and a new key.' });
export type BoundIspb = z.output<typeof boundIspb>;
