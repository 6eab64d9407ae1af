import { NAME } from '../name.js';
import type { PayloadCheck, Registered } from '../registry/registered.js';
import { type Envelope, readEnvelope } from './envelope.js';
import type { Delivery } from './event-source.js';

/** Why a message is no event. The last one is found at the insert. */
export const REASONS = [
  'invalid_envelope',
  'missing_tenant',
  'unregistered_tenant',
  'unknown_event_type',
  'invalid_payload',
  'conflicting_duplicate',
] as const;
export type Reason = (typeof REASONS)[number];

/** What is stored as an event. */
export interface NewEvent {
  kind: 'event';
  companyId: string;
  clientId: string;
  typeId: number;
  typeName: string;
  key: string;
  message: string;
  /** Undefined: the producer did not say. */
  occurredAt: string | undefined;
}

/** What goes into quarantine. */
export interface Refused {
  kind: 'refused';
  reason: Reason;
  /** Never anything of the message. */
  detail: string;
  key: string;
  /** Undefined: none that has the form of one. */
  clientId: string | undefined;
  /** Undefined: no company is known, so that no member sees it. */
  companyId: string | undefined;
  /** What it said, where it may be an event from before it was refused. Undefined: it can be none. */
  said: Said | undefined;
}

/** By which an event is the same, next to its key. */
export type Said = Pick<NewEvent, 'typeName' | 'message'>;

export type Triaged = NewEvent | Refused;

/** What its schema has to check, which is not in memory. */
export interface Unchecked {
  kind: 'unchecked';
  typeId: number;
}

/**
 * What a message is, by what is registered: the checks in this order, and the first that fails is the reason. Pure, and
 * never throws. A message that is `unchecked` is triaged again with the check of its type.
 *
 * | check                                                    | reason                |
 * |----------------------------------------------------------|-----------------------|
 * | size, UTF-8, JSON, an object, fields of their types      | `invalid_envelope`    |
 * | a client's id is there                                   | `missing_tenant`      |
 * | the client and its company are registered                | `unregistered_tenant` |
 * | type and version are registered for that company         | `unknown_event_type`  |
 * | the message can be kept, and its schema takes it         | `invalid_payload`     |
 */
export function triage({ body, key }: Delivery, registered: Registered, check?: PayloadCheck): Triaged | Unchecked {
  const read = readEnvelope(body);
  if (!read.ok) return refused('invalid_envelope', read.field, keyOf(read.id, key), read.clientId, registered);
  const { envelope } = read;
  const dedupeKey = keyOf(envelope.id, key);
  const refuse = (reason: Reason, detail: string): Refused => ({
    ...refused(reason, detail, dedupeKey, envelope.clientId, registered),
    said: saidBy(envelope),
  });

  if (typeof envelope.clientId !== 'string' || envelope.clientId === '') return refuse('missing_tenant', '');
  const companyId = registered.companyOf(envelope.clientId);
  if (companyId === undefined) return refuse('unregistered_tenant', '');
  const type = registered.type(companyId, envelope.eventType, envelope.version);
  if (type === undefined) return refuse('unknown_event_type', nameAndVersion(envelope));
  if (type.schema === undefined && envelope.text === '') return refuse('invalid_envelope', 'message: empty');
  const schema = type.schema === 'unloaded' ? check : type.schema;
  if (schema === undefined && type.schema !== undefined) return { kind: 'unchecked', typeId: type.id };
  const wrong = unusable(envelope, schema);
  if (wrong !== undefined) return refuse('invalid_payload', wrong);
  const { text: message, occurredAt } = envelope;
  return {
    kind: 'event',
    companyId,
    clientId: envelope.clientId,
    typeId: type.id,
    typeName: envelope.eventType,
    key: dedupeKey,
    message,
    occurredAt,
  };
}

/** The producer's own id protects an event that is published again; the broker's only one that is delivered again. */
function keyOf(id: string | undefined, key: string): string {
  return id === undefined ? key : `p:${id}`;
}

function refused(reason: Reason, detail: string, key: string, clientId: unknown, registered: Registered): Refused {
  // Anything else may be as long as the message, or hold what PostgreSQL cannot.
  const known = typeof clientId === 'string' && NAME.test(clientId) ? clientId : undefined;
  const companyId = known && registered.companyOf(known);
  return { kind: 'refused', reason, detail, key, clientId: known, companyId, said: undefined };
}

/** guard: what PostgreSQL cannot keep was never stored, and may look like another message once it is written in UTF-8. */
function saidBy({ eventType, clientId, message, text }: Envelope): Said | undefined {
  const isNamed = typeof clientId === 'string' && NAME.test(clientId) && NAME.test(eventType);
  return isNamed && unkept(message, text) === undefined ? { typeName: eventType, message: text } : undefined;
}

function nameAndVersion({ eventType, version }: Envelope): string {
  const name = NAME.test(eventType) ? eventType : 'a name that no type can have';
  return version === undefined ? name : `${name}, version ${version}`;
}

/** What PostgreSQL cannot keep, then the schema. The content of a string is checked as JSON where there is a schema. */
function unusable({ message, text }: Envelope, schema: PayloadCheck | undefined): string | undefined {
  const held = unkept(message, text);
  if (held !== undefined || schema === undefined) return held;
  if (typeof message !== 'string') return schema(message, text.length);
  try {
    return schema(JSON.parse(message), text.length);
  } catch {
    return 'message: not JSON, as its schema asks';
  }
}

const NUL = 'message: U+0000';
const SURROGATE = 'message: half of a surrogate pair';

function unkept(message: string | object, text: string): string | undefined {
  return typeof message === 'string' ? unkeepable(message) : unkeepableInJson(text);
}

function unkeepable(text: string): string | undefined {
  if (text.includes('\0')) return NUL;
  return text.isWellFormed() ? undefined : SURROGATE;
}

/** JSON.stringify escapes both, with lower-case digits. */
function unkeepableInJson(text: string): string | undefined {
  const [, escaped] = /(?<!\\)(?:\\\\)*\\u(0000|d[89a-f][0-9a-f]{2})/.exec(text) ?? [];
  if (escaped === undefined) return undefined;
  return escaped === '0000' ? NUL : SURROGATE;
}
