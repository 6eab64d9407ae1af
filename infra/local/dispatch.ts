import { CommandError } from '../../services/command-error.js';
import { runAlone } from './supervise/session.js';

/** `npm run dispatch`: one pass that publishes what is owed. Answers its exit code. */
export default async function dispatch(args: string[]): Promise<number> {
  if (args.length > 0) throw new CommandError('usage: npm run dispatch');
  return runAlone({ name: 'dispatch', args: ['dist/functions/dispatch-once.js'] });
}
