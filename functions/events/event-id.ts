/** The id of an event as callers see it. @param id `events.id`, a bigint, as PostgreSQL writes it. */
export function eventId(id: string): string {
  return `evt_${id}`;
}
