import { REPLACEMENT } from '../../platform/http/text.js';
import { parseWith } from '../../platform/http/validation.js';
import { NotUtf8, ValidationProblem } from '../../platform/problem.js';
import { eventId } from '../event-id.js';
import { exactJsonOf } from '../intake/exact-json.js';
import type { KeptBody, QuarantineRow } from './quarantine.repository.js';
import { newBody, type QuarantinedView } from './quarantine.schemas.js';

/**
 * The bytes that a replay brings in place of the kept ones; undefined: none. Of an envelope, each number as it is written.
 * Throws ValidationProblem and NotUtf8.
 */
export function newBodyIn(bytes: Buffer | undefined): Buffer | undefined {
  if (bytes === undefined || bytes.length === 0) return undefined;
  // A gateway puts it in place of bytes that are not UTF-8.
  if (bytes.includes(REPLACEMENT)) throw new NotUtf8('');
  const json = exactJsonOf(bytes);
  if (!json) throw new ValidationProblem([{ path: '', message: 'the body is not JSON' }]);
  const { body } = parseWith(newBody, json.value);
  if (body === undefined || typeof body === 'string') return body === undefined ? undefined : Buffer.from(body);
  try {
    return Buffer.from(json.textOf((json.exact as { body: unknown }).body));
  } catch {
    throw new ValidationProblem([{ path: 'body', message: 'is nested too deeply' }]);
  }
}

/** A row as callers see it. */
export function viewOf({
  body,
  event_id,
  received_at,
  resolved_at,
  ...row
}: QuarantineRow & KeptBody & { company_id: string }): QuarantinedView {
  const text = textIn(body, body.length < row.body_bytes);
  return {
    ...row,
    received_at: received_at.toISOString(),
    resolved_at: resolved_at?.toISOString() ?? null,
    event_id: event_id === null ? null : eventId(event_id),
    body: text ?? null,
    body_base64: text === undefined ? body.toString('base64') : null,
  };
}

/** Bytes as text; undefined where they are not UTF-8. Those that were cut may end within a character, which is left out. */
export function textIn(bytes: Buffer, isCut: boolean): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: isCut });
  } catch {
    return undefined;
  }
}
