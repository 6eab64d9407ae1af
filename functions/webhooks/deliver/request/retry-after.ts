const SECONDS = /^-?\d+$/;
/** The three forms of an HTTP date, by RFC 9110, 5.6.7. `Date.parse` alone takes nonsense as well: "wait 1". */
const DATES = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/,
];

/**
 * Milliseconds from now, by a header `Retry-After`: seconds, or a date. 0 for what has passed, null without a header and for
 * what is none.
 * @param nowMs since 1970
 */
export function retryAfterMs(header: string | undefined, nowMs: number): number | null {
  const value = header?.trim() ?? '';
  if (SECONDS.test(value)) return Math.min(Math.max(0, Number(value) * 1_000), Number.MAX_SAFE_INTEGER);
  if (!DATES.some((form) => form.test(value))) return null;
  // The third form has no zone, and means GMT.
  const at = Date.parse(value.endsWith('GMT') ? value : `${value} GMT`);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}
