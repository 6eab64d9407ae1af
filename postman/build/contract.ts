/** What the collection takes from the OpenAPI document. */
export interface Contract {
  info: { description: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

/** An operation of the document. */
interface Operation {
  operationId: string;
  summary: string;
  description: string;
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { description: string; content?: Record<string, { schema?: Schema }> }>;
}

/** A parameter of the path, the query or a header. */
export interface Parameter {
  name: string;
  in: string;
  description?: string;
  example?: unknown;
  schema: Schema;
}

/** A schema of OpenAPI 3.0, with only the keywords that the API uses. */
interface Schema {
  $ref?: string;
  type?: string;
  nullable?: boolean;
  description?: string;
  example?: unknown;
  enum?: unknown[];
  allOf?: Schema[];
  anyOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  [keyword: string]: unknown;
}

/** An operation with its method and path. */
export interface Route {
  method: string;
  path: string;
  operation: Operation;
}

/** All operations, by operationId. */
export function routesOf(contract: Contract): Map<string, Route> {
  const routes = new Map<string, Route>();
  for (const [path, item] of Object.entries(contract.paths))
    for (const [method, operation] of Object.entries(item))
      routes.set(operation.operationId, { method: method.toUpperCase(), path, operation });
  return routes;
}

/** The example and the description of each property of a body. */
export function fieldsOf(operation: Operation, type: string): Map<string, { example: unknown; description: string }> {
  const { properties = {} } = operation.requestBody?.content[type]?.schema ?? {};
  return new Map(
    Object.entries(properties).map(([name, { example, description = '' }]) => [name, { example, description }]),
  );
}

/** The schema of a JSON answer; undefined where there is none. */
export function answerSchema({ responses }: Operation, status: number): Schema | undefined {
  return responses[status]?.content?.['application/json']?.schema;
}

const DRAFT_7 = ['type', 'enum', 'format', 'minLength', 'minimum', 'maximum', 'required'];

/** A schema as JSON Schema draft 7, which Postman checks: references are resolved, nullable is an `anyOf` with null. */
export function draft7(schema: Schema, contract: Contract): Record<string, unknown> {
  if (schema.$ref) {
    const name = schema.$ref.split('/').at(-1) ?? '';
    return draft7(contract.components.schemas[name] ?? {}, contract);
  }
  const kept: Record<string, unknown> = {};
  for (const keyword of DRAFT_7) if (schema[keyword] !== undefined) kept[keyword] = schema[keyword];
  if (schema.items) kept.items = draft7(schema.items, contract);
  if (schema.allOf) Object.assign(kept, ...schema.allOf.map((part) => draft7(part, contract)));
  if (schema.anyOf) kept.anyOf = schema.anyOf.map((part) => draft7(part, contract));
  if (schema.properties)
    kept.properties = Object.fromEntries(
      Object.entries(schema.properties).map(([name, property]) => [name, draft7(property, contract)]),
    );
  if (schema.additionalProperties === false) kept.additionalProperties = false;
  return schema.nullable ? { anyOf: [kept, { type: 'null' }] } : kept;
}
