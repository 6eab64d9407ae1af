import { CommandError } from './command-error.js';
import { runAlone } from './supervise/session.js';

/** `npm run dead-letters -- list | show N | replay [N] | drop [N]`: the dead-letter queue. Answers its exit code. */
export default async function deadLetters(args: string[]): Promise<number> {
  const [command = '', place, ...more] = args;
  const known = ['list', 'show', 'replay', 'drop'].includes(command);
  const wellFormed = place === undefined ? command !== 'show' : command !== 'list' && /^[1-9]\d{0,5}$/.test(place);
  if (!known || !wellFormed || more.length > 0)
    throw new CommandError('usage: npm run dead-letters -- list | show N | replay [N] | drop [N]');
  return runAlone({ name: 'dead-letters', args: ['dist/functions/dead-letters.js', ...args] });
}
