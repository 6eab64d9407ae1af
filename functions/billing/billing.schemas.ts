import { Param } from '@nestjs/common';
import { z } from 'zod';
import { isId } from '../platform/http/validation.js';
import { DebtNotFound, ImportNotFound } from './billing.errors.js';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The company, which each route needs. */
export const companyId = z
  .string()
  .min(1, 'must not be empty')
  .meta({ description: 'The id of the company.', example: 'tz4a98xxat96iws9zmbrgj3a' });
/** The query of a route without other fields. */
export const ofCompany = z.strictObject({ company_id: companyId });
export type OfCompany = z.output<typeof ofCompany>;

/** The debt in the path, in lower case. A text that is no UUID is answered as not found. */
export const DebtId = (): ParameterDecorator =>
  Param('debt_id', {
    transform: (id: string) => {
      if (!UUID.test(id)) throw new DebtNotFound();
      return id.toLowerCase();
    },
  });

/** The import in the path. A text that cannot be an id is answered as not found. */
export const ImportId = (): ParameterDecorator =>
  Param('id', {
    transform: (id: string) => {
      if (!isId(id)) throw new ImportNotFound();
      return id;
    },
  });
