import { describe, expect, test } from 'vitest';
import type { PayloadCheck, Registered } from '../registry/registered.js';
import { MAX_EVENT_BYTES } from './envelope.js';
import { type Triaged, triage, type Unchecked } from './triage.js';

const adult: PayloadCheck = (message) => ((message as { age?: number }).age === 18 ? undefined : '/age const');
const TYPES = [
  { name: 'user-app', version: 1, id: 1, schema: adult },
  { name: 'user-app', version: 2, id: 2, schema: undefined },
];
const registered: Registered = {
  version: '7',
  companyOf: (client) => (client === 'client-1' ? 'acme' : undefined),
  type: (company, name, version) =>
    TYPES.filter((type) => company === 'acme' && type.name === name).findLast(
      (type) => version === undefined || type.version === version,
    ),
};

const bytes = (text: string) => Buffer.from(text);
const sent = (body: Buffer | object | string): Triaged | Unchecked =>
  triage(
    { body: Buffer.isBuffer(body) ? body : bytes(typeof body === 'string' ? body : JSON.stringify(body)), key: 'b:1' },
    registered,
  );
const good = { event_type: 'user-app', client_id: 'client-1', message: { age: 17 } };
const event = {
  kind: 'event',
  companyId: 'acme',
  clientId: 'client-1',
  typeId: 2,
  typeName: 'user-app',
  key: 'b:1',
  message: '{"age":17}',
};
const refused = (reason: string, detail: string, more = {}) => ({
  kind: 'refused',
  reason,
  detail,
  key: 'b:1',
  clientId: 'client-1',
  companyId: 'acme',
  ...more,
});
const NOBODY = { clientId: undefined, companyId: undefined };

test('an envelope of a registered client and type is an event', () => {
  expect(sent(good)).toEqual({ ...event, occurredAt: undefined });
});

test.each<[string, Buffer | object | string, object]>([
  ['a byte order mark', `\ufeff${JSON.stringify(good)}`, {}],
  ['unknown fields', { ...good, colour: 'blue' }, {}],
  ['a string, kept as it is', { ...good, message: ' {"age": 1.0}\n' }, { message: ' {"age": 1.0}\n' }],
  ['a list', { ...good, message: [1] }, { message: '[1]' }],
  [
    'a number that no double holds',
    '{"event_type":"user-app","client_id":"client-1","message":[12345678901234567890]}',
    { message: '[12345678901234567890]' },
  ],
  ['an id of its producer', { ...good, id: 'a 1' }, { key: 'p:a 1' }],
  ['an older version', { ...good, version: 1, message: { age: 18 } }, { typeId: 1, message: '{"age":18}' }],
  [
    'JSON in a string, with a schema',
    { ...good, version: 1, message: ' {"age":18}' },
    { typeId: 1, message: ' {"age":18}' },
  ],
  ['a time', { ...good, time: '2026-02-28t23:59:60.1234567-23:59' }, { occurredAt: '2026-03-01T23:58:59.123456Z' }],
  ['a time in whole seconds', { ...good, time: '2026-02-28T10:00:00Z' }, { occurredAt: '2026-02-28T10:00:00Z' }],
  [
    'a CloudEvent',
    {
      specversion: '1.0',
      type: 'user-app',
      subject: 'client-1',
      source: '/a',
      id: '9',
      data: { age: 1 },
      time: '2026-01-01T00:00:00+01:00',
    },
    { key: 'p:9', message: '{"age":1}', occurredAt: '2025-12-31T23:00:00Z' },
  ],
  [
    'half of the letters that JSON escapes',
    { ...good, message: ['\\u0000', '\\\\ud800'] },
    { message: '["\\\\u0000","\\\\\\\\ud800"]' },
  ],
])('taken: %s', (_, body, differs) => {
  expect(sent(body)).toEqual({ ...event, occurredAt: undefined, ...differs });
});

test('what its schema has to check waits for the schema, and nothing else does', () => {
  const delivery = (over: object) => ({ body: bytes(JSON.stringify({ ...good, ...over })), key: 'b:1' });
  const unloaded: Registered = {
    ...registered,
    type: (company, name, version) => {
      const type = registered.type(company, name, version);
      return type?.schema ? { ...type, schema: 'unloaded' } : type;
    },
  };
  const old = delivery({ version: 1, message: { age: 18 } });
  expect(triage(old, unloaded)).toEqual({ kind: 'unchecked', typeId: 1 });
  expect(triage(old, unloaded, adult)).toEqual(triage(old, registered));
  for (const over of [{}, { version: 3 }, { client_id: 'client-2', version: 1 }, { message: 1 }])
    expect(triage(delivery(over), unloaded)).toEqual(triage(delivery(over), registered));
});

test('a schema is told the size of the text that it checks', () => {
  const sizes: number[] = [];
  const sized: Registered = {
    ...registered,
    type: () => ({ id: 1, version: 1, schema: (_, units) => void sizes.push(units) }),
  };
  for (const message of [{ age: 1 }, ' {"age":1}'])
    triage({ body: bytes(JSON.stringify({ ...good, message })), key: 'b:1' }, sized);
  expect(sizes).toEqual([9, 10]);
});

describe('in quarantine', () => {
  test.each<[string, Buffer | object | string, object]>([
    [
      'over 256 KiB',
      { ...good, message: 'x'.repeat(MAX_EVENT_BYTES) },
      refused('invalid_envelope', 'size: over 256 KiB', NOBODY),
    ],
    ['no body', '', refused('invalid_envelope', 'body: empty', NOBODY)],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), refused('invalid_envelope', 'body: not UTF-8', NOBODY)],
    ['no JSON', "Hello, I'm a bad message", refused('invalid_envelope', 'body: not JSON', NOBODY)],
    ['a list', [good], refused('invalid_envelope', 'body: not an object', NOBODY)],
    ['null', 'null', refused('invalid_envelope', 'body: not an object', NOBODY)],
    ['no type', { ...good, event_type: undefined }, refused('invalid_envelope', 'event_type')],
    ['an empty type', { ...good, event_type: '' }, refused('invalid_envelope', 'event_type')],
    ['no message', { ...good, message: undefined }, refused('invalid_envelope', 'message')],
    ['a number as message', { ...good, message: 1 }, refused('invalid_envelope', 'message')],
    ['null as message', { ...good, message: null }, refused('invalid_envelope', 'message')],
    ['an empty message', { ...good, message: '' }, refused('invalid_envelope', 'message: empty')],
    ['an id with a line break', { ...good, id: 'a\n' }, refused('invalid_envelope', 'id')],
    ['an id of 256 characters', { ...good, id: 'a'.repeat(256) }, refused('invalid_envelope', 'id')],
    ['a version below 1', { ...good, version: 0 }, refused('invalid_envelope', 'version')],
    ['a version over int4', { ...good, version: 2 ** 31 }, refused('invalid_envelope', 'version')],
    ['a time without an offset', { ...good, time: '2026-01-01T00:00:00' }, refused('invalid_envelope', 'time')],
    ['February 30', { ...good, time: '2026-02-30T00:00:00Z' }, refused('invalid_envelope', 'time')],
    ['the hour 24', { ...good, time: '2026-01-01T24:00:00.5Z' }, refused('invalid_envelope', 'time')],
    ['the year 0', { ...good, time: '0000-06-01T00:00:00Z' }, refused('invalid_envelope', 'time')],
    [
      'a CloudEvent of another version',
      { specversion: '0.3', type: 'user-app' },
      refused('invalid_envelope', 'specversion', NOBODY),
    ],
    [
      'a CloudEvent without data',
      { specversion: '1.0', type: 'user-app', subject: 'client-1' },
      refused('invalid_envelope', 'data'),
    ],
    ['no client', { ...good, client_id: undefined }, refused('missing_tenant', '', NOBODY)],
    ['an empty client', { ...good, client_id: '' }, refused('missing_tenant', '', NOBODY)],
    ['a client that is no text', { ...good, client_id: 1 }, refused('missing_tenant', '', NOBODY)],
    [
      'an unknown client',
      { ...good, client_id: 'client-2' },
      refused('unregistered_tenant', '', { clientId: 'client-2', companyId: undefined }),
    ],
    ['a client that no column can hold', { ...good, client_id: 'a\0' }, refused('unregistered_tenant', '', NOBODY)],
    ['an unknown type', { ...good, event_type: 'x.1' }, refused('unknown_event_type', 'x.1')],
    [
      'a name that no type can have',
      { ...good, event_type: 'secret\0' },
      refused('unknown_event_type', 'a name that no type can have'),
    ],
    ['an unknown version', { ...good, version: 3 }, refused('unknown_event_type', 'user-app, version 3')],
    [
      'what its schema refuses',
      { ...good, version: 1, id: 'k' },
      refused('invalid_payload', '/age const', { key: 'p:k' }),
    ],
    [
      'a string that is no JSON, with a schema',
      { ...good, version: 1, message: '' },
      refused('invalid_payload', 'message: not JSON, as its schema asks'),
    ],
    ['U+0000 in a string', { ...good, message: 'a\0' }, refused('invalid_payload', 'message: U+0000')],
    ['U+0000 in a key', { ...good, message: { '\0': 1 } }, refused('invalid_payload', 'message: U+0000')],
    [
      'half of a pair in a string',
      { ...good, message: '\ud800' },
      refused('invalid_payload', 'message: half of a surrogate pair'),
    ],
    [
      'half of a pair in an object',
      { ...good, message: ['\\', '\udfff'] },
      refused('invalid_payload', 'message: half of a surrogate pair'),
    ],
    [
      'deeper than any stack',
      `{"event_type":"user-app","client_id":"client-1","message":${'['.repeat(120_000)}${']'.repeat(120_000)}}`,
      refused('invalid_envelope', 'message: nested too deeply', NOBODY),
    ],
  ])('%s', (_, body, expected) => {
    expect({ ...sent(body), said: undefined }).toEqual(expected);
  });

  const said = { typeName: 'user-app', message: '{"age":17}' };
  test.each<[string, object | string, object | undefined]>([
    ['of a client that is deleted', { ...good, client_id: 'client-2' }, said],
    ['of a type that is deleted', { ...good, event_type: 'x.1' }, { ...said, typeName: 'x.1' }],
    ['of a version that is deleted', { ...good, version: 3 }, said],
    ['refused by its schema', { ...good, version: 1 }, said],
    ['no JSON, with a schema', { ...good, version: 1, message: 'x' }, { ...said, message: 'x' }],
    ['of no client', { ...good, client_id: undefined }, undefined],
    ['of a client that no column can hold', { ...good, client_id: 'a\0' }, undefined],
    ['of a name that no type can have', { ...good, event_type: 'secret\0' }, undefined],
    ['U+0000', { ...good, message: 'a\0' }, undefined],
    [
      'half of a pair, which UTF-8 would make U+FFFD',
      { ...good, client_id: 'client-2', message: ['\ud800'] },
      undefined,
    ],
    ['no envelope', '{', undefined],
  ])('what it said goes along where it may have been stored before: %s', (_, body, expected) => {
    expect(sent(body)).toMatchObject({ kind: 'refused', said: expected });
  });
});
