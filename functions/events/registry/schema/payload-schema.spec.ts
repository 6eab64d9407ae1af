import { describe, expect, test } from 'vitest';
import { payloadCheck as compile } from './payload-schema.js';
import { SchemaRefused } from './schema-walk.js';

type Json = Record<string, unknown>;

/** Checks messages by their own size. */
function payloadCheck(schema: Json): (message: unknown, units?: number) => string | undefined {
  const check = compile(schema);
  return (message, units = JSON.stringify(message).length) => check(message, units);
}

/** The path of a refusal, and its reason; undefined: it is taken. */
function refusalOf(schema: Json): [path: string, reason: string] | undefined {
  try {
    payloadCheck(schema);
    return undefined;
  } catch (error) {
    if (error instanceof SchemaRefused) return [error.path, error.reason];
    throw error;
  }
}

const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));

describe('a message', () => {
  const check = payloadCheck({
    type: 'object',
    required: ['age', 'host'],
    properties: { age: { type: 'integer', minimum: 3 }, name: { type: 'string' }, host: {} },
  });

  test('is valid, or each place that is wrong is named with its keyword', () => {
    expect(check({ age: 3, host: 1 })).toBeUndefined();
    expect(check({ age: 1, name: 3 })).toBe('/host required; /age minimum; /name type');
    expect(check('text')).toBe('/ type');
  });

  test('that is wrong in many places has its first ten named, and no value', () => {
    const numbers = payloadCheck({ type: 'array', items: { type: 'number' } });
    const places = numbers(times(500, () => 'secret'));
    expect(places).toBe(times(10, (at) => `/${at} type`).join('; '));
  });

  test('has its places cut, and nothing in them that PostgreSQL could not hold', () => {
    const strict = payloadCheck({ type: 'object', additionalProperties: { type: 'number' } });
    const detail = strict({ [`a\0\n\ud800${'x'.repeat(300_000)}`]: 'text' });
    expect(detail).toMatch(/^\/a\?\?\ufffdx{90,100}\.\.\. type$/);
  });

  test('is asked for its own names alone, not for those that every object has', () => {
    expect(payloadCheck({ type: 'object', required: ['constructor'] })({})).toBe('/constructor required');
    expect(payloadCheck({ type: 'object', properties: { toString: { type: 'string' } } })({})).toBeUndefined();
  });

  test('of an amount is a multiple of a cent', () => {
    const cents = payloadCheck({ type: 'number', multipleOf: 0.01 });
    expect([cents(19.99), cents(1_234_567.89), cents(19.999)]).toEqual([undefined, undefined, '/ multipleOf']);
  });

  test('is checked by one schema alone, whatever another one has for an $id', () => {
    const $id = 'https://example.com/type';
    const [text, number] = [payloadCheck({ $id, type: 'string' }), payloadCheck({ $id, type: 'number' })];
    expect([text('a'), number(1), text(1), number('a')]).toEqual([undefined, undefined, '/ type', '/ type']);
  });

  test.each<[schema: Json, valid: unknown, invalid: unknown]>([
    [{ type: ['string', 'null'], maxLength: 2 }, null, 'abc'],
    [{ type: 'string', format: 'date-time' }, '2026-11-24T12:00:00Z', '2026-13-24T12:00:00Z'],
    [{ type: 'string', format: 'email' }, 'a@example.com', 'a'],
    [{ type: 'string', format: 'url' }, 'https://example.com/a', 'example'],
    [{ type: 'array', prefixItems: [{ type: 'number' }], minItems: 1, items: false }, [1], ['a']],
    [
      { $defs: { a: { type: 'number' } }, type: 'object', properties: { a: { $ref: '#/$defs/a' } } },
      { a: 1 },
      { a: '' },
    ],
    [{ type: 'object', dependentRequired: { a: ['b'] } }, { a: 1, b: 1 }, { a: 1 }],
    [{ type: 'object', properties: { a: {} }, unevaluatedProperties: false }, { a: 1 }, { b: 1 }],
    [
      { type: 'object', properties: { ab: {} }, patternProperties: { '^a': { type: 'number' } } },
      { ab: 1 },
      { ab: '' },
    ],
    [
      { type: 'object', properties: { children: { type: 'array', items: { $ref: '#' } } } },
      { children: [{}] },
      { children: [1] },
    ],
  ])('is checked as %j says', (schema, valid, invalid) => {
    const honest = payloadCheck(schema);
    expect(honest(valid)).toBeUndefined();
    expect(honest(invalid)).toEqual(expect.any(String));
  });
});

describe('a pattern', () => {
  test('of a schema is told apart from the others', () => {
    const properties = { a: { type: 'string', pattern: '^a+$' }, b: { type: 'string', pattern: '^b+$' } };
    const check = payloadCheck({ type: 'object', properties });
    expect([check({ a: 'a', b: 'b' }), check({ a: 'b', b: 'b' }), check({ a: 'a', b: 'a' })]).toEqual([
      undefined,
      '/a pattern',
      '/b pattern',
    ]);
  });

  test('runs in the time of the text, where one that goes back would not end', () => {
    const check = payloadCheck({ type: 'string', pattern: '^(a+)+$' });
    const text = 'a'.repeat(250_000);
    expect([check(text), check(`${text}!`)]).toEqual([undefined, '/ pattern']);
  });

  test('of property names runs on the same engine, and not at all on names of the schema', () => {
    const name = `${'a'.repeat(50_000)}!`;
    const check = payloadCheck({
      type: 'object',
      properties: { [name]: {} },
      patternProperties: { '^(a+)+$': { type: 'number' } },
    });
    expect([check({ [name]: 'text' }), check({ aa: 'text' })]).toEqual([undefined, '/aa type']);
  });

  test.each([
    ['\\u0041\\x42\\cJ', 'AB\n', 'AB'],
    ['^\\p{L}+$', 'ação', 'a1'],
    ['^(?<year>\\d{4})$', '2026', '26'],
    ['^[^]$', '\n', ''],
    ['^.$', '\u{1f600}', 'ab'],
  ])('%s means what it means in ECMA-262', (pattern, valid, invalid) => {
    const check = payloadCheck({ type: 'string', pattern });
    expect([check(valid), check(invalid)]).toEqual([undefined, '/ pattern']);
  });

  test.each(['(?=a)', '(?!a)', '(?<=a)b', '(a)\\1', 'a{1001}', '(', '\\C', '\\z', '(?i)a', '(?:a{500}b){2}'])(
    '%s is not taken',
    (pattern) => {
      expect(refusalOf({ type: 'string', pattern })?.[0]).toBe('/pattern');
      expect(refusalOf({ type: 'object', patternProperties: { [pattern]: {} } })?.[0]).toBe(
        `/patternProperties/${pattern}`,
      );
    },
  );

  test('is not taken where all of a schema together are too large', () => {
    const properties = Object.fromEntries(times(20, (at) => [`p${at}`, { type: 'string', pattern: `a{900}${at}` }]));
    expect(refusalOf({ type: 'object', properties })).toEqual([
      '/properties/p11/pattern',
      'is one pattern too many, or too large',
    ]);
  });
});

describe('a schema is refused', () => {
  const deep = (levels: number) => times(levels - 1, () => 0).reduce<Json>((items) => ({ type: 'array', items }), {});

  test.each<[what: string, schema: Json, path: string]>([
    ['$async', { $async: true, type: 'string' }, '/$async'],
    ['$async inside', { type: 'object', properties: { a: { $async: true } } }, '/properties/a/$async'],
    ['uniqueItems', { type: 'array', uniqueItems: true }, '/uniqueItems'],
    ['dependencies of draft 7', { type: 'object', dependencies: { a: ['b'] } }, '/dependencies'],
    ['tuples of draft 7', { type: 'array', items: [{}] }, '/items'],
    ['draft 7', { $schema: 'http://json-schema.org/draft-07/schema#' }, '/$schema'],
    ['a remote $ref', { $ref: 'https://example.com/schema' }, '/$ref'],
    ['a $ref to the schema of schemas', { $ref: 'https://json-schema.org/draft/2020-12/schema' }, '/$ref'],
    ['a $ref to nothing', { $ref: '#/$defs/none' }, '/$ref'],
    [
      'a $ref into a default',
      { default: { a: { uniqueItems: true } }, allOf: [{ $ref: '#/default/a' }] },
      '/allOf/0/$ref',
    ],
    ['a $ref into an enum', { enum: [{ $async: true }], allOf: [{ $ref: '#/enum/0' }] }, '/allOf/0/$ref'],
    ['a $ref to a list', { allOf: [{ $ref: '#/allOf' }] }, '/allOf/0/$ref'],
    ['a $ref with an escape', { $defs: { a: {} }, $ref: '#/%24defs/a' }, '/$ref'],
    ['$dynamicRef', { $dynamicRef: '#a' }, '/$dynamicRef'],
    ['$anchor', { $anchor: 'a' }, '/$anchor'],
    ['an $id inside', { $defs: { a: { $id: 'b' } } }, '/$defs/a/$id'],
    ['an unknown keyword', { type: 'object', properties: { a: { nullable: true, foo: 1 } } }, '/properties/a/foo'],
    ['a name of every object for a keyword', { constructor: 1 }, '/constructor'],
    ['an unknown format', { type: 'string', format: 'zip' }, '/format'],
    [
      'a limit of a format, which is in no draft',
      { type: 'string', format: 'date', formatMinimum: 'a' },
      '/formatMinimum',
    ],
    ['$data', { type: 'number', minimum: { $data: '1/a' } }, '/minimum'],
    ['a wrong type', { type: 'object', properties: { a: { type: 'int' } } }, '/properties/a/type'],
    ['no schema', { type: 'object', properties: { a: 1 } }, '/properties/a'],
    ['properties without a type', { allOf: [{ properties: {} }] }, '/allOf/0'],
    ['over 64 KiB', { description: 'x'.repeat(65_536) }, ''],
    ['U+0000', { const: 'a\0' }, '/const'],
    ['half of a surrogate pair in a name', { type: 'object', properties: { '\ud800': {} } }, '/properties'],
    ['a number over those of a double', JSON.parse('{"const":1e999}'), '/const'],
    ['__proto__', JSON.parse('{"type":"object","properties":{"__proto__":{}}}'), '/properties/__proto__'],
    ['33 levels', deep(33), '/items'.repeat(32)],
    ['30,000 levels', JSON.parse(`${'{"not":'.repeat(30_000)}{}${'}'.repeat(30_000)}`), '/not'.repeat(32)],
    ['501 subschemas', { anyOf: times(501, () => ({})) }, '/anyOf/499'],
  ])('for %s', (_, schema, path) => {
    expect(refusalOf(schema)?.[0]).toBe(path);
  });

  test('and one within the limits is taken', () => {
    expect(refusalOf(deep(32))).toBeUndefined();
    expect(refusalOf({ anyOf: times(499, () => ({})) })).toBeUndefined();
    expect(
      refusalOf({ type: 'object', properties: { uniqueItems: { type: 'string' }, id: {}, $async: {} } }),
    ).toBeUndefined();
  });
});
