import { z } from 'zod';
import { exportQuery, nextField, pageFields, pageOf, sliceQuery } from '../../platform/http/slices.js';
import { idOf, timeOf } from '../../platform/http/validation.js';
import { companyId, ofCompany } from '../billing.schemas.js';
import { FIELD_REASONS } from './file/fields.js';
import { LINE_REASONS } from './file/splitter.js';

/** The fields of a form with a file. */
export const importForm = ofCompany.meta({ description: 'A form; its parts may come in any order.' });
/** The query of the list of imports. */
export const importsQuery = z.strictObject({ company_id: companyId, ...pageFields });
export type ImportsQuery = z.output<typeof importsQuery>;
/** The query of the rejects of an import, and of their export. */
export const rejectsQuery = z.strictObject({ company_id: companyId, ...sliceQuery.shape });
export const rejectsExport = z.strictObject({ company_id: companyId, ...exportQuery.shape });
export type RejectsQuery = z.output<typeof rejectsQuery>;

const count = (description: string, example: number) => z.int().min(0).meta({ description, example });

const reject = z
  .object({
    line: z.int().positive().meta({ description: 'The physical line of the file; the header is 1.', example: 3 }),
    column: z.string().meta({ description: 'The column; empty where it is the whole line.', example: 'debtAmount' }),
    value: z.string().meta({
      description: 'Of the column or the line the first 64 characters; what cannot be seen is escaped, as `\\u200b`.',
      example: '1.000,00',
    }),
    reason: z.enum([...LINE_REASONS, ...FIELD_REASONS, 'conflict']).meta({
      description:
        '`columns` (not as many as the header has), `quotes` (one is not closed), `line_too_long` (over 4,096 bytes), the ' +
        'first column that is wrong, or `conflict`: the debtId is there with other content, which stays.',
      example: 'amount_invalid',
    }),
  })
  .meta({ id: 'BillingReject', description: 'A line that became no debt.' });
export type Reject = z.output<typeof reject>;

/** An import as every answer shows it. */
export const importView = z
  .object({
    id: idOf('import', 'q3k5x7m2w9c4v6b8n1z0s2d4'),
    company_id: idOf('company', 'tz4a98xxat96iws9zmbrgj3a'),
    file_name: z.string().nullable().meta({ description: 'As the sender names it.', example: 'debts.csv' }),
    sha256: z.string().meta({ description: "Of the file's bytes, hexadecimal.", example: 'e3b0c44298fc1c149afbf4c8' }),
    bytes: count('Of the file.', 1_024),
    status: z
      .enum(['importando', 'importado'])
      .meta({ description: '`importado`: no line waits any more.', example: 'importado' }),
    lines: count('After the header; the sum of `accepted`, `rejected` and `blank`.', 5),
    blank: count('Lines of blanks.', 0),
    accepted: count('The sum of `waiting`, `created`, `repeated` and `conflicting`.', 4),
    rejected: count('Lines that are no debt.', 1),
    waiting: count('Lines that are not looked at yet.', 0),
    created: count('Lines that became debts.', 4),
    repeated: count('Lines whose debt was there, with the same content.', 0),
    conflicting: count('Lines whose debtId was there with other content, which stays. They are among the rejects.', 0),
    percent: z.int().min(0).max(100).meta({ description: 'Of the accepted lines, those looked at.', example: 100 }),
    repeats_import: z
      .string()
      .nullable()
      .meta({ description: "The company's earliest import of the same bytes.", example: null }),
    rejects: z.array(reject).meta({ description: 'The first 20.', example: [] }),
    created_at: timeOf('When it was accepted'),
    finished_at: timeOf('When its last line was merged; null before').nullable(),
  })
  .meta({ id: 'BillingImport', description: 'A file of debts, accepted whole.' });
export type ImportView = z.output<typeof importView>;
/** A page of imports. */
export const importPage = pageOf(importView).meta({ id: 'BillingImportPage', description: 'A page of imports.' });
/** A slice of an import's rejects by line. */
export const importRejects = z
  .object({ data: z.array(reject).meta({ description: 'By line.' }), next: nextField })
  .meta({ id: 'BillingRejectSlice', description: 'A part of the lines that became no debt.' });
/** The file of the form. */
export const debtsPart = {
  type: 'string',
  format: 'binary',
  description:
    'CSV with a header: name, governmentId, email, debtAmount, debtDueDate, debtId, in any order. Separated by comma, ' +
    'semicolon or tab. Its field name does not count.',
} as const;
