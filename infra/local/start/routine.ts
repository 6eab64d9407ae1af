import { parseEntry } from '../supervise/log-line.js';

const INFO = 30;
const SERVER_ERROR = 500;
/** What is logged once a request, once a batch, once a publishing. Of campaigns there is a line of progress in their place. */
const ROUTINE = new Set(['answered', 'batch settled', 'publishing ended']);
/** What serverless offline writes of each request and of each tick of its clock, whatever came of it. */
const CALLS = [
  /^[A-Z]+ \/\S* \(λ: [\w-]+\)$/,
  /^\(λ: [\w-]+\) RequestId: /,
  /^Successfully invoked scheduled function: /,
];

/** Whether a line of a child tells only that the system does its work. Never of a warning, an error, a 500. */
export function isRoutine(line: string): boolean {
  const entry = parseEntry(line);
  if (!entry) return CALLS.some((call) => call.test(line.trim()));
  const failed = typeof entry.status === 'number' && entry.status >= SERVER_ERROR;
  return Number(entry.level) <= INFO && ROUTINE.has(String(entry.msg)) && !failed;
}

/** The campaigns that a line tells of: a batch that a consumer settled, a publishing that ended. */
export function campaignsIn(line: string): string[] {
  const entry = parseEntry(line);
  if (!entry) return [];
  if (entry.msg === 'publishing ended') return [entry.campaign_id].filter((id) => typeof id === 'string');
  if (entry.msg !== 'batch settled' || !Array.isArray(entry.campaigns)) return [];
  return (entry.campaigns as { id?: unknown }[]).flatMap(({ id }) => (typeof id === 'string' ? [id] : []));
}
