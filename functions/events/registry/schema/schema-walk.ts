import { isObject } from '../../json.js';
import type { Patterns } from './linear-pattern.js';

/** A schema is not taken. `path` is a JSON pointer to what is wrong in it, empty for the whole. */
export class SchemaRefused extends Error {
  constructor(
    readonly path: string,
    readonly reason: string,
  ) {
    super(`${path || 'the schema'} ${reason}`);
  }
}

/** The keyword of our own that each subschema of a copy has: a Cost. */
export const COST = 'disparo:cost';

/** What a subschema looks at, for each value that it is applied to. */
export interface Cost {
  /** Entries of its keywords. */
  entries: number;
  /** Whether it looks at each name of an object. */
  names: boolean;
}

type Json = Record<string, unknown>;

const MAX_BYTES = 65_536;
/** Objects and lists within one another. */
const MAX_DEPTH = 32;
/** A `$ref` without anything that a reader of URLs could read in another way. */
const POINTER = /^#(?:\/[\w$.~-]+)*$/;
const DRAFT = 'https://json-schema.org/draft/2020-12/schema';
/** Time to compile, which grows faster than their number: with this one it takes some tenths of a second. */
const MAX_SUBSCHEMAS = 500;
/** The instructions of all patterns together: time to compile. */
const MAX_PATTERN_SIZE = 10_000;
/** And their memory. */
const MAX_PATTERN_BYTES = 4_194_304;

/** Keywords whose value is a schema, a list of schemas, or schemas by name. */
type Holding = 'one' | 'list' | 'map';
const HOLDS = new Map<string, Holding>([
  ...allAre('one', ['additionalProperties', 'contains', 'else', 'if', 'items', 'not', 'propertyNames', 'then']),
  ...allAre('one', ['unevaluatedItems', 'unevaluatedProperties']),
  ...allAre('list', ['allOf', 'anyOf', 'oneOf', 'prefixItems']),
  ...allAre('map', ['$defs', 'definitions', 'dependentSchemas', 'patternProperties', 'properties']),
]);
/** Said to people, or to nobody: they check nothing. */
const SILENT = new Set([
  ...['$comment', '$schema', '$id', 'title', 'description', 'default', 'deprecated', 'readOnly', 'writeOnly'],
  ...['examples', 'contentEncoding', 'contentMediaType', 'contentSchema'],
]);
/** Why a keyword is not taken, though JSON Schema or ajv knows it. */
const REFUSED: Record<string, string> = {
  $anchor: 'is not taken; a $ref takes a pointer, as #/$defs/name',
  $async: 'would let every message pass',
  $dynamicRef: 'is not taken; $ref is',
  $dynamicAnchor: 'is not taken',
  $recursiveRef: 'is not taken; $ref is',
  $recursiveAnchor: 'is not taken',
  $vocabulary: 'is not taken',
  dependencies: 'is of draft 7; dependentRequired and dependentSchemas are of 2020-12',
  id: 'is of draft 4; nothing is found by an id here',
  uniqueItems: 'is not taken: to compare all items with one another takes too long',
};
/** Keywords that look at every name of an object. */
const BY_NAME = ['additionalProperties', 'maxProperties', 'minProperties', 'patternProperties', 'propertyNames'];

/** Which keywords and formats there are. */
export interface Known {
  keyword(name: string): boolean;
  format(name: string): boolean;
}

/** A schema that is taken. */
export interface WalkedSchema {
  /** A copy, in which each subschema says what it costs, and nothing is left that checks nothing. */
  copy: Json;
  /** Of its JSON. */
  bytes: number;
  subschemas: number;
}

/**
 * Throws SchemaRefused for what is not taken. All that the copy refers to was walked through: a `$ref` names a subschema, and
 * each pattern is in `patterns`.
 */
export function walkSchema(schema: Json, known: Known, patterns: Patterns): WalkedSchema {
  requireTame(schema, '', 1);
  const bytes = Buffer.byteLength(JSON.stringify(schema));
  if (bytes > MAX_BYTES) throw new SchemaRefused('', 'is over 64 KiB of JSON');
  const walk = new Walk(known, patterns);
  const copy = walk.subschema(schema, '') as Json;
  walk.requireTargets();
  return { copy, bytes, subschemas: walk.subschemas };
}

/** Depth first, as all that follows calls itself. Then what PostgreSQL or JSON could not hold. */
function requireTame(value: unknown, path: string, depth: number): void {
  if (typeof value === 'string') requireText(value, path);
  if (typeof value === 'number' && !Number.isFinite(value)) throw new SchemaRefused(path, 'is no number of a double');
  if (typeof value !== 'object' || value === null) return;
  if (depth > MAX_DEPTH) throw new SchemaRefused(path, `is more than ${MAX_DEPTH} levels deep`);
  for (const [name, each] of Object.entries(value)) {
    requireText(name, path);
    if (name === '__proto__') throw new SchemaRefused(at(path, name), 'is a name that cannot be checked');
    requireTame(each, at(path, name), depth + 1);
  }
}

function requireText(text: string, path: string): void {
  if (text.includes('\0') || !text.isWellFormed())
    throw new SchemaRefused(path, 'has U+0000 or half of a surrogate pair');
}

class Walk {
  readonly #places = new Set<string>();
  readonly #refs: { ref: string; path: string }[] = [];

  constructor(
    private readonly known: Known,
    private readonly patterns: Patterns,
  ) {}

  get subschemas(): number {
    return this.#places.size;
  }

  subschema(schema: unknown, path: string): unknown {
    this.#places.add(path);
    if (this.#places.size > MAX_SUBSCHEMAS)
      throw new SchemaRefused(path, `is one subschema too many: ${MAX_SUBSCHEMAS} are taken`);
    if (typeof schema === 'boolean') return schema;
    if (!isObject(schema)) throw new SchemaRefused(path, 'must be a schema: an object, true or false');
    const copy: [string, unknown][] = [];
    let entries = 0;
    for (const [keyword, value] of Object.entries(schema)) {
      const here = at(path, keyword);
      this.#requireTaken(keyword, value, here, path);
      if (SILENT.has(keyword)) continue;
      copy.push([keyword, HOLDS.has(keyword) ? this.#within(keyword, value, here) : value]);
      entries += entriesOf(keyword, value);
    }
    const names = BY_NAME.some((keyword) => keyword in schema) || 'unevaluatedProperties' in schema;
    return Object.fromEntries([...copy, [COST, { entries, names } satisfies Cost]]);
  }

  /** Each `$ref` leads to a subschema that was walked through, and not into an `enum` or a `default`. */
  requireTargets(): void {
    for (const { ref, path } of this.#refs) {
      if (!POINTER.test(ref) || !this.#places.has(ref.slice(1)))
        throw new SchemaRefused(path, 'must lead to a subschema of the same schema, as in #/$defs/name');
    }
  }

  #within(keyword: string, value: unknown, path: string): unknown {
    if (HOLDS.get(keyword) === 'one') return this.subschema(value, path);
    if (HOLDS.get(keyword) === 'list') {
      if (!Array.isArray(value)) throw new SchemaRefused(path, 'must be a list of schemas');
      return value.map((each, index) => this.subschema(each, at(path, String(index))));
    }
    if (!isObject(value)) throw new SchemaRefused(path, 'must be an object of schemas');
    const entries = Object.entries(value);
    if (keyword === 'patternProperties')
      for (const [pattern] of entries) this.#requirePattern(pattern, at(path, pattern));
    return Object.fromEntries(entries.map(([name, each]) => [name, this.subschema(each, at(path, name))]));
  }

  #requireTaken(keyword: string, value: unknown, here: string, path: string): void {
    const why = Object.hasOwn(REFUSED, keyword) ? REFUSED[keyword] : undefined;
    if (why !== undefined) throw new SchemaRefused(here, why);
    if (!HOLDS.has(keyword) && !SILENT.has(keyword) && !this.known.keyword(keyword))
      throw new SchemaRefused(here, 'is no keyword of JSON Schema 2020-12');
    if (keyword === '$schema' && value !== DRAFT) throw new SchemaRefused(here, `must be ${DRAFT}`);
    if (keyword === '$id' && path !== '') throw new SchemaRefused(here, 'is taken at the top alone');
    if (keyword === 'items' && Array.isArray(value))
      throw new SchemaRefused(here, 'is of draft 7; prefixItems is a list');
    if (typeof value !== 'string') return;
    if (keyword === '$ref') this.#refs.push({ ref: value, path: here });
    if (keyword === 'pattern') this.#requirePattern(value, here);
    if (keyword === 'format' && !this.known.format(value))
      throw new SchemaRefused(here, 'is no format that is known here');
  }

  #requirePattern(pattern: string, path: string): void {
    try {
      this.patterns.get(pattern);
    } catch (error) {
      throw new SchemaRefused(path, `is a pattern that is not taken: ${reasonOf(error)}`);
    }
    const { size, bytes } = this.patterns;
    if (size > MAX_PATTERN_SIZE || bytes > MAX_PATTERN_BYTES)
      throw new SchemaRefused(path, 'is one pattern too many, or too large');
  }
}

/** One for each entry that is looked at before a subschema is called, or that a value is compared with. */
function entriesOf(keyword: string, value: unknown): number {
  if (keyword === '$defs' || keyword === 'definitions') return 0;
  if (typeof value !== 'object' || value === null) return 1;
  if (HOLDS.has(keyword)) return HOLDS.get(keyword) === 'one' ? 1 : Object.keys(value).length;
  return nodesIn(value);
}

function allAre(kind: Holding, keywords: string[]): [string, Holding][] {
  return keywords.map((keyword) => [keyword, kind]);
}

function nodesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce((sum: number, each) => sum + nodesIn(each), 1);
}

/** The JSON pointer (RFC 6901) of an entry. */
function at(path: string, name: string): string {
  return `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** The engine's words without the pattern, which may be long; on one line. */
function reasonOf(error: unknown): string {
  const words = error instanceof Error ? error.message : String(error);
  return words.replaceAll(/\s+/g, ' ').slice(0, 100);
}
