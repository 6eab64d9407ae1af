import { eventId } from '../../events/event-id.js';
import type { AttemptRow } from './endpoints.repository.js';

/** A line of the log as callers see it. */
export function attemptOf({ id, event_id, at, ...row }: AttemptRow) {
  return { id: Number(id), event_id: eventId(event_id), ...row, at: at.toISOString() };
}
