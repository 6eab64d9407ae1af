import { z } from 'zod';
import { pageFields, pageOf } from '../../platform/http/slices.js';
import { idOf, timeOf } from '../../platform/http/validation.js';
import { NAME } from '../name.js';

const nameOf = (what: string, example: string) =>
  z
    .string()
    .regex(NAME, 'must be 1 to 100 letters, digits, dots, hyphens and underscores, and begin with a letter or digit')
    .meta({ description: `${what}: 1 to 100 of \`A-Z a-z 0-9 . _ -\`, first a letter or a digit.`, example });
const clientId = nameOf('The client, unique over all companies', 'client-1');
const name = nameOf('The name of the type', 'monitor-app');
const companyId = z
  .string()
  .min(1, 'must not be empty')
  .meta({ description: 'The id of the company.', example: 'tz4a98xxat96iws9zmbrgj3a' });
const MAX_VERSION = 2_147_483_647;
const version = z.int().min(1).max(MAX_VERSION).meta({ description: 'From 1, without a gap.', example: 1 });

/** The body of a new client. */
export const newClient = z
  .strictObject({ client_id: clientId, company_id: companyId })
  .meta({ description: 'Who events are for.' });
export type NewClient = z.output<typeof newClient>;

const EXAMPLE_SCHEMA = {
  type: 'object',
  required: ['host'],
  properties: { host: { type: 'string' }, cpu: { type: 'number', minimum: 0, maximum: 1 } },
};

/** The body of a type, or of its next version. */
export const newType = z
  .strictObject({
    company_id: companyId,
    name,
    version: version.optional().meta({
      description: 'The next version, for a caller who wants no other one; without it, whichever is next.',
      example: 1,
    }),
    schema: z
      .looseObject({})
      .nullish()
      .meta({
        description:
          'A JSON Schema 2020-12 for messages, an object of at most 64 KiB and 32 levels. Without it, or null: any message ' +
          'that is not empty.',
        example: EXAMPLE_SCHEMA,
      }),
  })
  .meta({ description: 'A type of events, or its next version.' });
export type NewType = z.output<typeof newType>;

/** The query of the lists. */
export const companyQuery = z.strictObject({ company_id: companyId, ...pageFields });
export type CompanyQuery = z.output<typeof companyQuery>;
/** The query of a deletion by name. */
export const ofCompany = z.strictObject({ company_id: companyId });
export type OfCompany = z.output<typeof ofCompany>;

const apiKey = z.string().meta({
  description: 'For `Authorization: Bearer`. Shown here and never again.',
  example: 'evk_u0mSJ3cVZ0kq3q0N3mS0m1d3v2q1m2o3n4p5q6r7s8t',
});

/** A client as lists show it. */
export const clientView = z
  .object({
    client_id: clientId,
    company_id: idOf('company', 'tz4a98xxat96iws9zmbrgj3a'),
    created_at: timeOf('When it was registered'),
  })
  .meta({ id: 'EventClient', description: 'Who events are for.' });
export type ClientView = z.output<typeof clientView>;

/** What the registration of a client answers. */
export const createdClientView = clientView
  .extend({ api_key: apiKey })
  .meta({ id: 'CreatedEventClient', description: 'The client with its first key.' });

/** What a new key answers. */
export const clientKeyView = z
  .object({ client_id: clientId, api_key: apiKey })
  .meta({ id: 'EventClientKey', description: 'A key of a client.' });
export type ClientKey = z.output<typeof clientKeyView>;

/** What the registration of a type answers. */
export const createdTypeView = z
  .object({ name, version })
  .meta({ id: 'CreatedEventType', description: 'The type, and the version that it has now.' });
export type CreatedType = z.output<typeof createdTypeView>;

/** A version of a type as lists show it. */
export const typeView = z
  .object({
    company_id: idOf('company', 'tz4a98xxat96iws9zmbrgj3a'),
    name,
    version,
    schema: z
      .looseObject({})
      .nullable()
      .meta({ description: 'The JSON Schema of its messages; null: it has none.', example: EXAMPLE_SCHEMA }),
  })
  .meta({ id: 'EventType', description: 'One version of a type.' });

export const clientPage = pageOf(clientView).meta({ id: 'EventClientPage', description: 'Clients, by their id.' });
export const typePage = pageOf(typeView).meta({ id: 'EventTypePage', description: 'Types, by name and version.' });
