import { z } from 'zod';
import { campaignJson, fileView } from '../campaigns/campaigns.schemas.js';
import { problemView } from '../platform/http/problem.schemas.js';
import { idOf, timeOf } from '../platform/http/validation.js';

/** Portuguese words, the same in SQL and JSON. */
const UPLOAD_STATUSES = ['esperando', 'recebendo', 'aceito', 'recusado'] as const;

/** The campaign that a file becomes, and the file's size. */
export const newUpload = campaignJson
  .omit({ phone_numbers: true })
  .extend({ size: z.int().min(0).meta({ description: 'Bytes of the file, exactly.', example: 75 }) })
  .meta({ description: 'The campaign that the file becomes.' });

/** Where to send the file: one PUT, with a Content-Length of `size`. */
export const createdUploadView = z
  .object({
    id: idOf('upload', 'x1lw8ke1oslp98wc1x2yzkgb'),
    url: z.url().meta({
      description: 'Takes the file by one PUT, with nothing but its Content-Length.',
      example: 'https://disparo-uploads.s3.example.com/uploads/x1lw8ke1oslp98wc1x2yzkgb?X-Amz-Signature=...',
    }),
    expires_at: timeOf('The PUT begins before'),
  })
  .meta({ id: 'CreatedUpload', description: 'Where to send the file.' });

/** The state of an upload. */
export const uploadView = z
  .object({
    status: z.enum(UPLOAD_STATUSES).meta({
      description:
        '`esperando` (no file has come), `recebendo` (it is being read), `aceito` (it is a campaign or an import), ' +
        '`recusado` (`problem` says why).',
      example: 'aceito',
    }),
    campaign_id: z.string().nullable().meta({
      description: 'The campaign: set exactly when it is `aceito` as one.',
      example: 'ue1nqjq0mq0csmsie5av34o2',
    }),
    import_id: z
      .string()
      .nullable()
      .meta({ description: 'The import: set exactly when a file of debts is `aceito`.', example: null }),
    file: fileView.nullable().meta({
      description:
        'The counts of its lines, once it is read; of a file of debts its import has them, and this is null.',
    }),
    problem: problemView
      .nullable()
      .meta({ description: 'Why it was refused; or, if it was accepted, that its URL was used twice.' }),
  })
  .meta({ id: 'Upload', description: 'An upload, and its result.' });

export type NewUpload = z.output<typeof newUpload>;
export type UploadStatus = (typeof UPLOAD_STATUSES)[number];
