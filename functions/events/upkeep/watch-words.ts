import { age, columns } from '../../platform/terminal.js';
import type { EventsNow } from './watch-events.js';

/** Wide enough that the three tables stand below one another. */
const NAME = 'conflicting_duplicate'.length;

/**
 * What goes on as lines of one screen, or why nobody knows. What an operator acts on stands on top: of types there may be more
 * than there are lines.
 */
export function watchScreen(now: EventsNow | string, { rows, width }: { rows: number; width: number }): string[] {
  const title = (at: Date) => `Events  ${at.toISOString().replace('T', ' ').slice(0, 19)}`;
  if (typeof now === 'string') return [title(new Date()), '', now].map((line) => line.slice(0, width));
  const { at, perSecond, open, ready } = now;
  const waiting = Object.entries(ready).map(([queue, messages]) => [
    queue,
    messages === undefined ? '?' : count(messages),
  ]);
  const reasons = open.map((one) => [one.reason, count(one.count), age(one.oldest_s)]);
  const rates = Object.entries(perSecond).map(([type, rate]) => [type, count(rate)]);
  const head = (name: string) => name.padEnd(NAME);
  const lines = [
    title(at),
    '',
    ...columns([head('queue'), 'waiting'], waiting),
    '',
    ...columns([head('in quarantine'), 'open', 'oldest'], reasons.length > 0 ? reasons : [['nothing', '0', '']]),
    '',
    ...columns([head('type'), 'events/s'], [['all', count(allOf(perSecond))], ...rates]),
  ].map((line) => line.slice(0, width));
  const more = lines.length - rows;
  return more > 0 ? [...lines.slice(0, rows - 1), `... and ${more + 1} more lines`.slice(0, width)] : lines;
}

/** What goes on as one line, or why nobody knows. */
export function watchLine(now: EventsNow | string): string {
  if (typeof now === 'string') return `${new Date().toISOString()} ${now}`;
  const { at, perSecond, open, ready } = now;
  const types = Object.entries(perSecond).map(([type, rate]) => `${type} ${rate}`);
  const reasons = open.map((one) => `${one.reason} ${one.count}`);
  const oldest = Math.max(...open.map(({ oldest_s }) => oldest_s));
  const waiting = Object.entries(ready).map(([queue, messages]) => `${queue} ${messages ?? '?'}`);
  const listed = (words: readonly string[]) => (words.length > 0 ? ` (${words.join(', ')})` : '');
  return [
    `${at.toISOString()} ${allOf(perSecond)} events/s${listed(types)}`,
    `${open.reduce((sum, one) => sum + one.count, 0)} in quarantine${listed(reasons)}`,
    ...(open.length > 0 ? [`oldest ${age(oldest)}`] : []),
    `waiting: ${waiting.join(', ')}`,
  ].join('; ');
}

function allOf(perSecond: EventsNow['perSecond']): number {
  return Object.values(perSecond).reduce((sum, rate) => sum + rate, 0);
}

function count(of: number): string {
  return of.toLocaleString('en');
}
