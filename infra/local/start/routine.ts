import { parseEntry } from '../supervise/log-line.js';

const INFO = 30;
const SERVER_ERROR = 500;
/** Lines that are logged for each request, batch or publishing. The progress of campaigns is shown in their place. */
const ROUTINE = new Set([
  'answered',
  'batch settled',
  'publishing ended',
  'contacts accepted',
  'contacts processed',
  'events settled',
  'webhooks settled',
]);
/** Lines that serverless offline writes for each request and each tick of its schedule, whatever the outcome. */
const CALLS = [
  /^[A-Z]+ \/\S* \(λ: [\w-]+\)$/,
  /^\(λ: [\w-]+\) RequestId: /,
  /^Successfully invoked scheduled function: /,
];

/** Whether a child's line says only that the system does its work. Never true for a warning, an error or a 5xx. */
export function isRoutine(line: string): boolean {
  const entry = parseEntry(line);
  if (!entry) return CALLS.some((call) => call.test(line.trim()));
  const failed = typeof entry.status === 'number' && entry.status >= SERVER_ERROR;
  return Number(entry.level) <= INFO && ROUTINE.has(String(entry.msg)) && !failed;
}

/** The ids of the campaigns in a line about a settled batch or an ended publishing; none for other lines. */
export function campaignsIn(line: string): string[] {
  const entry = parseEntry(line);
  if (!entry) return [];
  if (entry.msg === 'publishing ended') return [entry.campaign_id].filter((id) => typeof id === 'string');
  if (entry.msg !== 'batch settled' || !Array.isArray(entry.campaigns)) return [];
  return (entry.campaigns as { id?: unknown }[]).flatMap(({ id }) => (typeof id === 'string' ? [id] : []));
}
