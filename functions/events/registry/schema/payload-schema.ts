import {
  _,
  Ajv2020,
  type AnySchemaObject,
  type CodeKeywordDefinition,
  type CodeOptions,
  type ErrorObject,
  type Options,
  type ValidateFunction,
} from 'ajv/dist/2020.js';
import type { AddedFormat } from 'ajv/dist/types/index.js';
import formats from 'ajv-formats';
import type { PayloadCheck } from '../registered.js';
import { Effort, TooCostly } from './effort.js';
import { Patterns } from './linear-pattern.js';
import { COST, type Cost, SchemaRefused, walkSchema } from './schema-walk.js';

/** Places that a failed check names. */
const MAX_PLACES = 10;
/** UTF-16 units of a place. */
const MAX_PLACE = 100;
/** UTF-16 units of what ajv says of a schema, which may quote it. */
const MAX_WORDS = 200;
/** Steps of a format a UTF-16 unit, at most: all but `url` look at a unit a few times. */
const FORMAT_STEPS = 20;
/** UTF-16 units of a URL of the format `url`, whose time grows with the square. */
const MAX_URL = 2_048;
/** Of a subschema that is applied to a value, and of each name of an object that it looks at. */
const STEPS_OF_A_CALL = 20;
/** UTF-16 units whose count takes a step. */
const UNITS_A_STEP = 16;
/** Bytes of memory of a check, compiled twice; of each byte of its schema and of each subschema. */
const BASE_MEMORY = 8_192;
const MEMORY_A_BYTE = 24;
const MEMORY_A_SUBSCHEMA = 512;

/**
 * What ajv takes, next to the refusals of walkSchema. Names that every object has, such as `constructor`, count only where
 * the message has them itself; 19.99 is a multiple of 0.01.
 */
const OPTIONS: Options = {
  strict: true,
  strictRequired: false,
  allowUnionTypes: true,
  // Else ajv runs the schema's patterns on the schema's names by the engine of JavaScript, which goes back.
  allowMatchingProperties: true,
  ownProperties: true,
  multipleOfPrecision: 6,
  // Else a schema that is referred to twice at each level is compiled twice at each level.
  inlineRefs: false,
  // walkSchema leaves no `$schema`, and META has checked it.
  meta: false,
  validateSchema: false,
  messages: false,
  logger: false,
};

/** Formats alone, without the keywords that compare them, which are in no draft. */
const NO_KEYWORDS = { keywords: false };

/** Checks schemas by the schema of schemas, and knows the names of keywords and formats. */
const META = new Ajv2020({ strict: false, logger: false });
formats.default(META, NO_KEYWORDS);
const KNOWN = {
  keyword: (name: string) => Object.hasOwn(META.RULES.keywords, name),
  format: (name: string) => Object.hasOwn(META.formats, name),
};

/** A check, and what it takes of the memory in bytes: half of it to twice as much, measured. */
export type CompiledCheck = PayloadCheck & { readonly bytes: number };

/**
 * Compiles a tenant's JSON Schema 2020-12. Throws SchemaRefused for what is not taken.
 *
 * Schema and message are both the tenant's, so no pair of them may stop the process: patterns run on RE2's engine, and each
 * check counts its steps (Effort).
 */
export function payloadCheck(schema: AnySchemaObject, effort = new Effort()): CompiledCheck {
  const { copy, patterns, bytes } = walked(schema);
  if (!META.validateSchema(schema)) {
    const [error] = META.errors ?? [];
    throw new SchemaRefused(error?.instancePath ?? '', error?.message ?? 'is no JSON Schema');
  }
  const isValid = compile(copy, effort, patterns, false);
  let all: ValidateFunction | undefined;
  const check: PayloadCheck = (message, units) => {
    try {
      effort.begin(units);
      if (isValid(message)) return undefined;
    } catch (error) {
      return error instanceof TooCostly ? error.message : 'cannot be checked: it is nested too deeply';
    }
    try {
      // Compiled when it is needed first: it goes on where the other ends at the first error.
      all ??= compile(copy, effort, patterns, true);
      effort.beginForAll();
      all(message);
      return placesOf(all.errors ?? []);
    } catch {
      // It takes too long to find all.
      return placesOf(isValid.errors ?? []);
    }
  };
  return Object.assign(check, { bytes });
}

/** What the check of a schema takes of the memory, without compiling it. Throws SchemaRefused. */
export function memoryOf(schema: AnySchemaObject): number {
  return walked(schema).bytes;
}

function walked(schema: AnySchemaObject): { copy: AnySchemaObject; patterns: Patterns; bytes: number } {
  const patterns = new Patterns();
  const { copy, bytes, subschemas } = walkSchema(schema, KNOWN, patterns);
  const memory = BASE_MEMORY + MEMORY_A_BYTE * bytes + MEMORY_A_SUBSCHEMA * subschemas + patterns.bytes;
  return { copy, patterns, bytes: memory };
}

/** An instance of ajv a schema: nothing of one is found by another. Throws SchemaRefused. */
function compile(copy: AnySchemaObject, effort: Effort, patterns: Patterns, allErrors: boolean): ValidateFunction {
  const ajv = new Ajv2020({ ...OPTIONS, allErrors, code: { regExp: engine(effort, patterns), optimize: false } });
  formats.default(ajv, NO_KEYWORDS);
  for (const [name, format] of Object.entries(ajv.formats)) {
    const run = testOf(format);
    if (run) ajv.addFormat(name, counted(name, run, effort));
  }
  ajv.addKeyword(costKeyword(effort));
  try {
    return ajv.compile(copy);
  } catch (error) {
    if (error instanceof RangeError) throw new SchemaRefused('', 'is nested too deeply by its $ref');
    const words = error instanceof Error ? error.message : String(error);
    throw new SchemaRefused(
      / at "[^#"]*#?(\/[^"]*)"/.exec(words)?.[1] ?? '',
      `is not taken: ${words.slice(0, MAX_WORDS)}`,
    );
  }
}

/** Spends the steps of a subschema before all that is in it. */
function costKeyword(effort: Effort): CodeKeywordDefinition {
  const spend = (entries: number, names: boolean, data: unknown): void => {
    let size = entries;
    if (typeof data === 'string') size += data.length / UNITS_A_STEP;
    else if (Array.isArray(data)) size += data.length;
    else if (names && typeof data === 'object' && data !== null) size += Object.keys(data).length * STEPS_OF_A_CALL;
    effort.spend(STEPS_OF_A_CALL + size);
  };
  return {
    keyword: COST,
    schemaType: 'object',
    before: '$ref',
    // Code and no function with a result: ajv would leave out the call where nothing asks for the result.
    code: ({ gen, data, schema }) => {
      const { entries, names }: Cost = schema;
      gen.code(_`${gen.scopeValue('func', { ref: spend })}(${entries}, ${names}, ${data})`);
    },
  };
}

/** Patterns for ajv. */
function engine(effort: Effort, patterns: Patterns): NonNullable<CodeOptions['regExp']> {
  const regExp = (pattern: string) => {
    const { stepsAUnit, test } = patterns.get(pattern);
    return {
      test: (text: string) => {
        effort.spend(stepsAUnit * text.length);
        return test(text);
      },
      // guard: ajv tells patterns apart by this; without it the first pattern of a schema is run for all of them
      toString: () => pattern,
    };
  };
  // For the writing of standalone code, which this is not.
  return Object.assign(regExp, { code: '' });
}

/** A format that counts its steps. */
function counted(name: string, run: TextTest, effort: Effort): TextTest {
  return (text) => {
    effort.spend(FORMAT_STEPS * text.length);
    if (name !== 'url') return run(text);
    if (text.length > MAX_URL) return false;
    effort.spend(text.length ** 2 / UNITS_A_STEP);
    return run(text);
  };
}

type TextTest = (text: string) => boolean;

/** How a format looks at texts; undefined: it does not. */
function testOf(format: AddedFormat | undefined): TextTest | undefined {
  if (format instanceof RegExp) return (text) => format.test(text);
  if (typeof format === 'function') return format;
  if (typeof format !== 'object' || format.async || format.type === 'number') return undefined;
  const { validate } = format;
  if (validate instanceof RegExp) return (text) => validate.test(text);
  return typeof validate === 'function' ? (validate as TextTest) : undefined;
}

/** The first places and the keywords that they broke. Names in a message are not cut from a place: they are no values. */
function placesOf(errors: readonly ErrorObject[]): string {
  return errors
    .slice(0, MAX_PLACES)
    .map(({ instancePath, keyword, params }) => {
      const place = keyword === 'required' ? `${instancePath}/${params.missingProperty}` : instancePath;
      return `${shown(place)} ${keyword}`;
    })
    .join('; ');
}

/** A place without what PostgreSQL or a terminal could not take, and no longer than it may be. */
function shown(place: string): string {
  const cut = place.length > MAX_PLACE ? `${place.slice(0, MAX_PLACE)}...` : place;
  return cut.toWellFormed().replaceAll(/\p{Cc}/gu, '?') || '/';
}
