import { readdirSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { contractJson } from './contract-file.js';

/** `seen_by`: who can tell: a reader of the bytes, this schema, a decoder beyond it, or only who knows what is registered. */
interface Expected {
  valid: Record<string, Record<'client_id' | 'event_type' | 'message', string> & { key: string | null }>;
  invalid: Record<string, { reason: string; detail: string; seen_by: 'bytes' | 'schema' | 'decoder' | 'registry' }>;
}

const examples = new URL('../examples/events/', import.meta.url);
const expected = contractJson<Expected>('examples/events/expected.json');
const isEvent = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true }).compile(
  contractJson<object>('event.v1.schema.json'),
);
const utf8 = new TextDecoder('utf-8', { fatal: true });

function parsed(path: string): unknown {
  return JSON.parse(utf8.decode(readFileSync(new URL(path, examples))));
}

describe('every valid example is an event by the schema', () => {
  test.each(Object.keys(expected.valid))('%s', (name) => {
    isEvent(parsed(`valid/${name}`));
    expect(isEvent.errors ?? []).toEqual([]);
  });
});

describe('every invalid example is refused by who can see it', () => {
  test.each(Object.entries(expected.invalid))('%s', (name, { seen_by }) => {
    if (seen_by === 'bytes') expect(() => parsed(`invalid/${name}`)).toThrow();
    else expect(isEvent(parsed(`invalid/${name}`))).toBe(seen_by !== 'schema');
  });
});

test('every example is expected, and every invalid one is named by its reason', () => {
  for (const kind of ['valid', 'invalid'] as const)
    expect(readdirSync(new URL(kind, examples)).sort()).toEqual(Object.keys(expected[kind]).sort());
  const named = Object.keys(expected.invalid).map((name) => name.slice(0, name.indexOf('.')));
  expect(named).toEqual(Object.values(expected.invalid).map(({ reason }) => reason));
});

test('a message is kept as it was sent: a string as it is, else as the JSON of the same value', () => {
  for (const [name, { message }] of Object.entries(expected.valid)) {
    const { message: own, data, specversion, event_type } = parsed(`valid/${name}`) as Record<string, unknown>;
    const sent = specversion !== undefined && event_type === undefined ? data : own;
    expect(typeof sent === 'string' ? message : JSON.parse(message), name).toEqual(sent);
  }
});
