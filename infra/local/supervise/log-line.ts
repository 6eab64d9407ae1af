import { colour, interactive, say } from './terminal.js';

/** Pino's numbers. */
const LEVELS: Record<number, string> = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' };
/** Fields that are shown in their own way, or that the reader of one terminal does not need. */
const LEFT_OUT = new Set(['level', 'time', 'pid', 'hostname', 'msg', 'name']);

/** A child's line for people: JSON of pino becomes time, level, sentence and fields; any other line stays as it is. */
export function prettyLine(line: string): string {
  const entry = parseEntry(line);
  if (!entry) return line;
  const level = LEVELS[Number(entry.level)] ?? String(entry.level);
  const fields = Object.entries(entry).filter(([key, value]) => !LEFT_OUT.has(key) && value !== undefined);
  const parts = [
    colour('dim', timeOf(entry.time)),
    Number(entry.level) >= 40 ? colour(Number(entry.level) >= 50 ? 'red' : 'yellow', level.padEnd(5)) : level.padEnd(5),
    String(entry.msg ?? ''),
    colour('dim', fields.map(([key, value]) => `${key}=${show(value)}`).join(' ')),
  ];
  return parts.filter((part) => part !== '').join(' ');
}

/** How the output of a command's one program is shown: for people on a terminal, unchanged for a program that reads it. */
export function foregroundLine(): { line?: (line: string) => void } {
  return interactive ? { line: (line) => say(prettyLine(line)) } : {};
}

/**
 * The fields of a line of pino; undefined for any other line. Consumers in other languages write the fields in another
 * order.
 */
export function parseEntry(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{"')) return undefined;
  try {
    const entry = JSON.parse(line) as Record<string, unknown>;
    return typeof entry.level === 'number' && typeof entry.msg === 'string' ? entry : undefined;
  } catch {
    return undefined;
  }
}

function timeOf(time: unknown): string {
  const date = new Date(time as number | string);
  return Number.isNaN(date.getTime()) ? '' : date.toTimeString().slice(0, 8);
}

/** Errors that say that a store is away: where in our code that was seen tells nothing. */
const OUTAGES = new Set(['ServiceUnavailable', 'NotPublished']);

/** A value as text. An error is shown as its stack, which says more than pino's other fields for it; an outage as its message. */
function show(value: unknown): string {
  const { type, message, stack } = (value ?? {}) as { type?: unknown; message?: unknown; stack?: unknown };
  if (OUTAGES.has(String(type))) return JSON.stringify(message);
  if (typeof stack === 'string') return stack;
  return typeof value === 'string' && /^\S+$/.test(value) ? value : JSON.stringify(value);
}

/** Cuts a stream into lines. What follows the last newline is passed on when the stream ends. */
export function eachLine(stream: NodeJS.ReadableStream, take: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
  });
  stream.on('end', () => {
    if (rest !== '') take(rest);
  });
}
