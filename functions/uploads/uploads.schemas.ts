import { z } from 'zod';
import { campaignJson, createdCampaignView } from '../campaigns/campaigns.schemas.js';

/** Portuguese words, the same in SQL and JSON. */
export const UPLOAD_STATUSES = ['esperando', 'recebendo', 'aceito', 'recusado'] as const;

/** The campaign that a file becomes, and the file's size. */
export const newUpload = campaignJson.omit({ phone_numbers: true }).extend({
  size: z.int().min(0).meta({ description: 'Bytes of the file, exactly.', example: 75 }),
});

/** Where to send the file: one PUT, with a Content-Length of `size`. */
export const createdUploadView = z.object({
  id: z.string(),
  url: z.url().meta({ description: 'Takes the file by one PUT.' }),
  expires_at: z.iso.datetime().meta({ description: 'The PUT begins before.' }),
});

/** What became of an upload. */
export const uploadView = z.object({
  status: z.enum(UPLOAD_STATUSES),
  campaign_id: z.string().nullable().meta({ description: 'Set exactly when the status is `aceito`.' }),
  file: createdCampaignView.shape.file.nullable().meta({ description: 'What the lines came to, once it is read.' }),
  problem: z
    .looseObject({ status: z.int(), code: z.string(), title: z.string(), detail: z.string(), type: z.string() })
    .nullable()
    .meta({ description: 'Why it was refused; of an accepted one, that its URL was used twice.' }),
});

export type NewUpload = z.output<typeof newUpload>;
export type UploadStatus = (typeof UPLOAD_STATUSES)[number];
