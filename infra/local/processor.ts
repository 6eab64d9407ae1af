import { CommandError } from '../../services/command-error.js';
import { appScript } from './supervise/app-command.js';
import { prettyLine } from './supervise/log-line.js';
import { runAlone } from './supervise/session.js';
import type { ChildOptions } from './supervise/supervisor.js';
import { say } from './supervise/terminal.js';

/** The processor of events, under the name that its lines have in `npm start`. */
export const PROCESSOR: Omit<ChildOptions, 'env'> = { name: 'processor', args: appScript('processor') };

/**
 * `npm run processor`: takes events from their queues until it is told to stop. It reads .env and the environment, and runs
 * next to npm start or without it; any number of them share a queue. Returns its exit code.
 */
export default async function processor(args: string[]): Promise<number> {
  if (args.length > 0) throw new CommandError('usage: npm run processor');
  return runAlone({ ...PROCESSOR, line: (line: string) => say(prettyLine(line)) });
}
