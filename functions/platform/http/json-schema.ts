import type { OpenAPIObject } from '@nestjs/swagger';
import { z } from 'zod';

type Schemas = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>;
type Schema = Exclude<Schemas[string], { $ref: string }>;

/** A zod schema as OpenAPI 3.0 writes it. Schemas within it that have an id are components. */
interface ConvertedSchema {
  schema: Schema;
  components: Schemas;
}

/** Converts a schema. `io`: what a caller sends is an input, what the API answers is an output. */
export function jsonSchemaOf(zod: z.ZodType, io: 'input' | 'output'): ConvertedSchema {
  const options = { target: 'openapi-3.0', io, override: tidy } as const;
  const written = JSON.stringify(z.toJSONSchema(zod, options)).replaceAll('"#/definitions/', '"#/components/schemas/');
  const { definitions = {}, ...schema } = JSON.parse(written) as Schema & { definitions?: Schemas };
  return { schema, components: definitions };
}

/** Removes what tells a reader nothing: the bounds of whole numbers in JSON, and the pattern that checks a format. */
function tidy({ jsonSchema }: { jsonSchema: { [key: string]: unknown } }): void {
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.format !== undefined) delete jsonSchema.pattern;
}
