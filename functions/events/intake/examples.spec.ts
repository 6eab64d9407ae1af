import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Registered } from '../registry/registered.js';
import { payloadCheck } from '../registry/schema/payload-schema.js';
import { triage } from './triage.js';

const FOLDER = new URL('../../../consumer/contract/examples/events/', import.meta.url);

interface Examples {
  valid: Record<
    string,
    Record<'client_id' | 'event_type' | 'message', string> & {
      version: number;
      key: string | null;
      time: string | null;
    }
  >;
  invalid: Record<string, { reason: string; detail: string }>;
}
interface Rows {
  clients: { client_id: string; company_id: string; deleted?: boolean; company_deleted?: boolean }[];
  types: { company_id: string; name: string; version: number; schema?: Record<string, unknown>; deleted?: boolean }[];
}

const json = <T>(file: string) => JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as T;
const examples = json<Examples>('expected.json');
const rows = json<Rows>('registered.json');
const living = rows.types.flatMap(({ deleted, schema, ...type }, id) =>
  deleted ? [] : [{ ...type, id, schema: schema && payloadCheck(schema) }],
);
const registered: Registered = {
  version: '1',
  companyOf: (id) =>
    rows.clients.find((row) => row.client_id === id && !row.deleted && !row.company_deleted)?.company_id,
  type: (company, name, version) =>
    living.findLast(
      (type) =>
        type.company_id === company && type.name === name && (version === undefined || type.version === version),
    ),
};
const KEY = 'b:m-1';
const triaged = (folder: string, name: string) =>
  triage({ body: readFileSync(new URL(`${folder}/${name}`, FOLDER)), key: KEY }, registered);

test('each example has its line, and each line its example', () => {
  for (const folder of ['valid', 'invalid'] as const)
    expect(readdirSync(new URL(`${folder}/`, FOLDER)).sort()).toEqual(Object.keys(examples[folder]).sort());
});

describe('an event', () => {
  test.each(Object.entries(examples.valid))('%s', (name, { client_id, event_type, version, message, key, time }) => {
    const event = triaged('valid', name);
    if (event.kind !== 'event') throw new Error(JSON.stringify(event));
    const type = living.find(({ id }) => id === event.typeId);
    const found = {
      clientId: event.clientId,
      key: event.key,
      message: event.message,
      type: type?.name,
      version: type?.version,
    };
    expect(found).toEqual({ clientId: client_id, key: key ?? KEY, message, type: event_type, version });
    const leap = time?.replace(':60Z', ':59Z').toUpperCase();
    expect(event.occurredAt && Date.parse(event.occurredAt)).toBe(leap && Date.parse(leap));
  });
});

describe('no event', () => {
  test.each(Object.entries(examples.invalid))('%s', (name, { reason, detail }) => {
    expect(triaged('invalid', name)).toMatchObject({ kind: 'refused', reason, detail });
  });
});
