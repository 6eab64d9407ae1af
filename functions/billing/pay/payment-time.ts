import { ZONE } from '../zone.js';

/** Standard time first: it is what an hour means that comes twice when summer time ends, and one that is skipped when it begins. */
const OFFSETS = ['-03:00', '-02:00'] as const;
const ISO = /^(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/;
const LOCAL = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})$/;
/** Far beyond what a payment can be, and within what all stores and zones know. */
const FIRST = Date.UTC(2000, 0, 1);
const LAST = Date.UTC(2100, 0, 1);
/** Writes `YYYY-MM-DD HH:MM:SS`. */
const local = new Intl.DateTimeFormat('sv-SE', { timeZone: ZONE, dateStyle: 'short', timeStyle: 'medium' });

/** The instant of an ISO 8601 text with an offset, from 2000 to 2099; undefined: it is none. */
export function instantOf(text: string): Date | undefined {
  const [, day] = ISO.exec(text) ?? [];
  if (day === undefined || !exists(day)) return undefined;
  return inTime(new Date(text));
}

/** The instant of `YYYY-MM-DD HH:MM:SS` in São Paulo, which had summer time until 2019; undefined: it is none. */
export function saoPauloInstantOf(text: string): Date | undefined {
  const [, day, time] = LOCAL.exec(text) ?? [];
  if (day === undefined || !exists(day)) return undefined;
  const instants = OFFSETS.map((offset) => inTime(new Date(`${day}T${time}${offset}`)));
  return instants.find((instant) => instant && local.format(instant) === text) ?? instants[0];
}

/** Date.parse takes the 30th of February for the first of March. */
function exists(day: string): boolean {
  const date = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(day);
}

function inTime(date: Date): Date | undefined {
  const at = date.getTime();
  return at >= FIRST && at < LAST ? date : undefined;
}
