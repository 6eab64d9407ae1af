import { isObject } from '../json.js';
import { parseExact } from './exact-json.js';

/** Bytes of an event at most, as it came. */
export const MAX_EVENT_BYTES = 256 * 1_024;
const PRODUCER_ID = /^[\x20-\x7e]{1,255}$/;
const RFC_3339 = /^(\d{4}-\d\d-\d\d)[Tt]((?:[01]\d|2[0-3]):[0-5]\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
const MAX_MICROSECOND_DIGITS = 7;
const WHOLE_SECONDS = 'YYYY-MM-DDTHH:MM:SS'.length;
const YEAR_1 = Date.parse('0001-01-01T00:00:00Z');
const YEAR_10000 = Date.parse('+010000-01-01T00:00:00Z');

/** What stands in an envelope, each field of its type. */
export interface Envelope {
  eventType: string;
  /** As it came: whether it names a tenant is another question. */
  clientId: unknown;
  /** Parsed, for a schema. */
  message: string | object;
  /** What is kept: a string as it is, else JSON. */
  text: string;
  id: string | undefined;
  version: number | undefined;
  /** In the form that PostgreSQL reads, UTC. */
  occurredAt: string | undefined;
}

/** An envelope, or which of its fields is wrong; then also its client's id and id, where they can be read. */
export type ReadEnvelope =
  | { ok: true; envelope: Envelope }
  | { ok: false; field: string; clientId?: unknown; id?: string };

type Fields = Record<'event_type' | 'client_id' | 'message', string>;
/** The names of the fields: our own, and those of a CloudEvent 1.0 in structured mode. */
const OWN: Fields = { event_type: 'event_type', client_id: 'client_id', message: 'message' };
const CLOUD_EVENT: Fields = { event_type: 'type', client_id: 'subject', message: 'data' };

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Reads bytes as an envelope. Unknown fields are ignored. Never throws. */
export function readEnvelope(body: Buffer): ReadEnvelope {
  if (body.length > MAX_EVENT_BYTES) return { ok: false, field: 'size: over 256 KiB' };
  if (body.length === 0) return { ok: false, field: 'body: empty' };
  let text: string;
  try {
    text = utf8.decode(body);
  } catch {
    return { ok: false, field: 'body: not UTF-8' };
  }
  try {
    return readFields(parseExact(text));
  } catch (error) {
    return { ok: false, field: error instanceof RangeError ? 'message: nested too deeply' : 'body: not JSON' };
  }
}

function readFields({ value, exact, textOf }: ReturnType<typeof parseExact>): ReadEnvelope {
  if (!isObject(value)) return { ok: false, field: 'body: not an object' };
  // No attribute of a CloudEvent may have an underscore in its name.
  const isCloudEvent = 'specversion' in value && !('event_type' in value);
  if (isCloudEvent && value.specversion !== '1.0') return { ok: false, field: 'specversion' };
  const names = isCloudEvent ? CLOUD_EVENT : OWN;
  const clientId = value[names.client_id];
  const id = isProducerId(value.id) ? value.id : undefined;
  const wrong = (field: string): ReadEnvelope => ({ ok: false, field, clientId, ...(id !== undefined && { id }) });

  const eventType = value[names.event_type];
  if (typeof eventType !== 'string' || eventType === '') return wrong(names.event_type);
  const message = value[names.message];
  if (typeof message !== 'string' && !(typeof message === 'object' && message !== null)) return wrong(names.message);
  if (value.id !== undefined && id === undefined) return wrong('id');
  const { version, time } = value;
  if (version !== undefined && !isVersion(version)) return wrong('version');
  const occurredAt = time === undefined ? undefined : timestamp(time);
  if (time !== undefined && occurredAt === undefined) return wrong('time');
  const text = typeof message === 'string' ? message : textOf((exact as Record<string, unknown>)[names.message]);
  return { ok: true, envelope: { eventType, clientId, message, text, id, version, occurredAt } };
}

function isProducerId(id: unknown): id is string {
  return typeof id === 'string' && PRODUCER_ID.test(id);
}

/** Within int4, as the column is. */
function isVersion(version: unknown): version is number {
  return typeof version === 'number' && Number.isInteger(version) && version >= 1 && version <= 0x7fff_ffff;
}

/**
 * RFC 3339 as UTC with up to six digits of a second, or undefined. PostgreSQL takes neither an offset of 23 hours nor the
 * year 0, and a Date no leap second, which RFC 3339 has.
 */
function timestamp(time: unknown): string | undefined {
  const [, date, minutes, seconds = '', fraction = '', offset = ''] =
    (typeof time === 'string' && RFC_3339.exec(time)) || [];
  if (date === undefined || Number(seconds) > 60) return undefined;
  const leap = seconds === '60';
  const at = Date.parse(`${date}T${minutes}:${leap ? '59' : seconds}${offset.toUpperCase()}`);
  if (!(at >= YEAR_1 && at < YEAR_10000)) return undefined;
  // A Date takes February 30 for March 1.
  if (new Date(`${date}T00:00:00Z`).getUTCDate() !== Number(date.slice(-2))) return undefined;
  // Most are in UTC: to write a Date costs more than all else here.
  const isUtc = offset.toUpperCase() === 'Z' && !leap;
  const whole = isUtc ? `${date}T${minutes}:${seconds}` : new Date(at).toISOString().slice(0, WHOLE_SECONDS);
  return `${whole}${fraction.slice(0, MAX_MICROSECOND_DIGITS)}Z`;
}
