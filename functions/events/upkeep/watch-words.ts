import { age, columns } from '../../platform/terminal.js';
import type { EventsNow } from './watch-events.js';

/** Wide enough that the three tables stand below one another. */
const NAME = 'conflicting_duplicate'.length;

/** What goes on as lines of one screen. */
export function watchScreen({ at, perSecond, open, ready }: EventsNow): string[] {
  const rates = Object.entries(perSecond).map(([type, rate]) => [type, count(rate)]);
  const all = Object.values(perSecond).reduce((sum, rate) => sum + rate, 0);
  const waiting = Object.entries(ready).map(([queue, messages]) => [
    queue,
    messages === undefined ? '?' : count(messages),
  ]);
  const reasons = open.map((one) => [one.reason, count(one.count), age(one.oldest_s)]);
  const head = (title: string) => title.padEnd(NAME);
  return [
    `Events  ${at.toISOString().replace('T', ' ').slice(0, 19)}`,
    '',
    ...columns([head('type'), 'events/s'], [...rates, ['all', count(all)]]),
    '',
    ...columns([head('in quarantine'), 'open', 'oldest'], reasons.length > 0 ? reasons : [['nothing', '0', '']]),
    '',
    ...columns([head('queue'), 'waiting'], waiting),
  ];
}

/** What goes on as one line. */
export function watchLine({ at, perSecond, open, ready }: EventsNow): string {
  const all = Object.values(perSecond).reduce((sum, rate) => sum + rate, 0);
  const types = Object.entries(perSecond).map(([type, rate]) => `${type} ${rate}`);
  const reasons = open.map((one) => `${one.reason} ${one.count}`);
  const oldest = Math.max(...open.map(({ oldest_s }) => oldest_s));
  const waiting = Object.entries(ready).map(([queue, messages]) => `${queue} ${messages ?? '?'}`);
  const listed = (words: readonly string[]) => (words.length > 0 ? ` (${words.join(', ')})` : '');
  return [
    `${at.toISOString()} ${all} events/s${listed(types)}`,
    `${open.reduce((sum, one) => sum + one.count, 0)} in quarantine${listed(reasons)}`,
    ...(open.length > 0 ? [`oldest ${age(oldest)}`] : []),
    `waiting: ${waiting.join(', ')}`,
  ].join('; ');
}

function count(of: number): string {
  return of.toLocaleString('en');
}
