import { describe, expect, test } from 'vitest';
import { Effort } from './effort.js';
import { payloadCheck as compile } from './payload-schema.js';

type Json = Record<string, unknown>;

/** Checks messages by their own size. */
function payloadCheck(schema: Json): (message: unknown, units?: number) => string | undefined {
  const check = compile(schema);
  return (message, units = JSON.stringify(message).length) => check(message, units);
}

const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));
const byName = (names: string[], schema: Json) => Object.fromEntries(names.map((name) => [name, schema]));
const TOO_MANY_STEPS = 'takes too many steps to check';

/** Without Effort each of these takes minutes to years, so that the test would not end. */
describe('a pair of schema and message that takes too long is ended', () => {
  const doubling = (keyword: string): Json => ({
    $defs: {
      ...Object.fromEntries(
        times(60, (at) => [`d${at}`, { [keyword]: [1, 2].map(() => ({ $ref: `#/$defs/d${at + 1}` })) }]),
      ),
      d60: { type: 'string' },
    },
    $ref: '#/$defs/d0',
  });
  const TWO_WAYS = {
    type: 'object',
    properties: { a: { anyOf: [{ $ref: '#' }, { $ref: '#' }] } },
    additionalProperties: false,
  };
  const nested = times(500, () => 0).reduce<unknown>((a) => ({ a }), { wrong: 1 });

  test.each<[what: string, schema: Json, message: unknown]>([
    ['$ref that doubles at each level', doubling('allOf'), 'text'],
    ['the same where each fails', doubling('anyOf'), 1],
    ['a recursion with two ways at each level of the message', TWO_WAYS, nested],
    ['an engine with many states', { type: 'string', pattern: '[ab]*a[ab]{900}[cd]' }, 'ab'.repeat(125_000)],
    [
      'many patterns on one long text',
      { type: 'string', allOf: times(200, (at) => ({ pattern: `[${at}x]y?z` })) },
      'xyz'.repeat(80_000),
    ],
    [
      'a long list of objects to compare with',
      { type: 'array', items: { enum: times(5_000, (at) => [at]) } },
      times(40_000, () => [4_999]),
    ],
    [
      'many names that are looked at again and again',
      { type: 'object', allOf: times(490, (at) => ({ minProperties: at, type: 'object' })) },
      byName(
        times(25_000, (at) => `k${at}`),
        {},
      ),
    ],
    [
      'a format again and again',
      { allOf: times(490, () => ({ type: 'string', format: 'uri' })) },
      `a:${'/'.repeat(250_000)}`,
    ],
  ])('%s', (_, schema, message) => {
    expect(payloadCheck(schema)(message)).toBe(TOO_MANY_STEPS);
  });

  test('and the next message begins anew', () => {
    const check = payloadCheck(TWO_WAYS);
    expect([check(nested), check({ a: {} }), check(nested)]).toEqual([TOO_MANY_STEPS, undefined, TOO_MANY_STEPS]);
  });

  test('a URL over 2,048 units is none', () => {
    const check = payloadCheck({ type: 'string', format: 'url' });
    expect([check(`http://a.example/${'a'.repeat(2_000)}`), check(`http://${':'.repeat(250_000)}`)]).toEqual([
      undefined,
      '/ format',
    ]);
  });

  test('a $ref to itself is caught', () => {
    expect(payloadCheck({ $ref: '#' })(1)).toMatch(/^cannot be checked|^takes too many/);
    const nestedLists = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
    expect(payloadCheck({ type: 'array', items: { $ref: '#' } })(nestedLists, 200_000)).toMatch(/^cannot be checked/);
  });

  test('and 300 small messages have fewer than three of 256 KiB', () => {
    const effort = new Effort();
    const check = compile(doubling('allOf'), effort);
    for (let sent = 0; sent < 300; sent++) expect(check('a'.repeat(80), 82)).toBe(TOO_MANY_STEPS);
    const large = new Effort();
    expect(compile(doubling('anyOf'), large)(0, 262_144)).toBe(TOO_MANY_STEPS);
    expect(effort.spent).toBeGreaterThan(0);
    expect(effort.spent / large.spent).toBeLessThan(3);
  });

  test('nor has the search for all errors', () => {
    const effort = new Effort();
    const required = times(2_000, (at) => `k${at}`);
    const check = compile({ type: 'array', items: { type: 'object', required } }, effort);
    const message = times(30, () => ({}));
    expect(check(message, 91)).toBe('/0/k0 required');
    expect(effort.spent).toBeLessThan(40_000);
  });
});

/** What honest senders may do, within the 256 KiB of a message. */
describe('a large message is checked to its end:', () => {
  const variant = (at: number) => ({
    type: 'object',
    required: ['t'],
    properties: { t: { const: at }, v: { type: 'number' } },
    additionalProperties: false,
  });
  const primitives = ['string', 'null', 'boolean', 'array', 'object', 'integer'].map((type) => ({ type }));
  const text = 'all that somebody wrote';

  test.each<[what: string, items: Json, item: unknown, size: number]>([
    ['numbers', { anyOf: [{ type: 'string' }, { type: 'integer' }] }, 1, 2],
    ['numbers that are the last of six types', { anyOf: primitives }, 1, 2],
    ['20,000 objects of one of four kinds', { anyOf: times(4, variant) }, { t: 3, v: 1 }, 13],
    ['20,000 objects of exactly one of ten', { oneOf: times(10, variant) }, { t: 9, v: 1 }, 13],
    ['texts with a limit in their pattern', { type: 'string', pattern: '^.{1,400}$' }, text, 26],
    ['one of 200 words', { enum: times(200, (at) => `v${at}`) }, 'v199', 7],
    ['dates and addresses', { type: 'string', format: 'email' }, 'someone@example.com', 22],
  ])('%s', (_, items, item, size) => {
    const check = compile({ type: 'array', items });
    const count = Math.floor(262_000 / size);
    expect(
      check(
        times(count, () => item),
        count * size,
      ),
    ).toBeUndefined();
  });

  test('a small one, too, where its texts are as long as their patterns', () => {
    const check = compile({ type: 'object', additionalProperties: { type: 'string', pattern: '^[a-z ]{1,400}$' } });
    expect(check({ a: text.repeat(17), b: text.repeat(17) }, 800)).toBeUndefined();
  });
});
