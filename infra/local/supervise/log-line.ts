import { colour, interactive, say } from './terminal.js';

/** Pino's numbers. */
const LEVELS: Record<number, string> = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' };
/** They say nothing that the reader of one terminal does not know. */
const LEFT_OUT = new Set(['level', 'time', 'pid', 'hostname', 'msg', 'name']);

/** A line of a child for people: JSON of pino as time, level, sentence and fields; anything else as it is. */
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

/** The output of the one program that a command is: for people on a terminal, as it is for a program that reads it. */
export function foregroundLine(): { line?: (line: string) => void } {
  return interactive ? { line: (line) => say(prettyLine(line)) } : {};
}

/**
 * The fields of a line of pino; undefined for any other line. A consumer in another language writes them in an order of its
 * own.
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

/** An error is shown by its stack, which says more than the fields that pino makes of it. */
function show(value: unknown): string {
  const stack = (value as { stack?: unknown } | null)?.stack;
  if (typeof stack === 'string') return stack;
  return typeof value === 'string' && /^\S+$/.test(value) ? value : JSON.stringify(value);
}

/** Cuts a stream into lines; what follows the last newline comes at the end. */
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
