import { z } from 'zod';
import { companyId } from '../billing.schemas.js';

/** The file of debts that is sent by URL. */
export const newDebtsUpload = z
  .strictObject({
    company_id: companyId,
    size: z.int().min(0).meta({ description: 'Bytes of the file, exactly.', example: 1_024 }),
    file_name: z
      .string()
      .optional()
      .meta({ description: "Kept with the import, as a form's file name is.", example: 'debts.csv' }),
  })
  .meta({ description: 'The file of debts.' });
export type NewDebtsUpload = z.output<typeof newDebtsUpload>;
