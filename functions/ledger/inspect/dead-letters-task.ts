/** What `npm run dead-letters` is told to do. `place`: of one letter, from 1; without it all of them. */
export type DeadLettersTask =
  | { command: 'list' }
  | { command: 'show'; place: number }
  | { command: 'replay' | 'drop'; place: number | undefined };

/** How it is told. */
export const DEAD_LETTERS_USAGE = 'usage: npm run dead-letters -- list | show N | replay [N] | drop N | drop --all';

const PLACE = /^[1-9]\d{0,5}$/;
const ALL = '--all';

/**
 * Undefined: these arguments are none. What is dropped is gone, so all of them go only where all are asked for; replaying
 * once too often does no harm.
 */
export function deadLettersTask([command, which, ...more]: readonly string[]): DeadLettersTask | undefined {
  if (more.length > 0) return undefined;
  if (command === 'list') return which === undefined ? { command } : undefined;
  const place = which !== undefined && PLACE.test(which) ? Number(which) : undefined;
  if (command === 'show') return place === undefined ? undefined : { command, place };
  if (command !== 'replay' && command !== 'drop') return undefined;
  const all = which === ALL || (command === 'replay' && which === undefined);
  return all || place !== undefined ? { command, place } : undefined;
}
