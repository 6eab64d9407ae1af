import { expect, test } from 'vitest';
import { SchemaCache } from './schema-cache.js';

const schema = (at: number) => JSON.stringify({ const: at });

test('those that were not used for the longest time go, when all take more memory than they may', () => {
  const cache = new SchemaCache(100_000);
  const used = cache.put(0, schema(0), cache.epoch);
  for (let id = 1; id <= 40; id++) {
    cache.put(id, schema(id), cache.epoch);
    expect(cache.get(0)).toBe(used);
  }
  expect([cache.get(1), cache.get(40)]).toEqual([undefined, expect.any(Function)]);
});

test('a schema counts with its patterns', () => {
  const cache = new SchemaCache(500_000);
  const pattern = (at: number) => JSON.stringify({ type: 'string', pattern: `^[ab]{400}${at}$` });
  for (let id = 0; id < 8; id++) cache.put(id, pattern(id), cache.epoch);
  expect(Array.from({ length: 8 }, (_, id) => cache.get(id)).filter(Boolean).length).toBeLessThan(5);
});

test('a schema is compiled again only when it is another one', () => {
  const cache = new SchemaCache();
  const check = cache.put(1, schema(1), cache.epoch);
  cache.distrust();
  expect(cache.get(1)).toBeUndefined();
  expect(cache.put(1, schema(1), cache.epoch)).toBe(check);
  expect(cache.put(1, schema(2), cache.epoch)).not.toBe(check);
});

test('what was read before PostgreSQL was away is not kept', () => {
  const cache = new SchemaCache();
  const { epoch } = cache;
  cache.distrust();
  cache.put(1, schema(1), epoch);
  expect(cache.get(1)).toBeUndefined();
});

test('a schema that the rules do not take any more lets nothing pass', () => {
  const cache = new SchemaCache();
  expect(cache.put(1, '{"uniqueItems":true}', cache.epoch)(1, 1)).toMatch(/^the schema of the type is not taken/);
});
