import { RETENTION_USAGE, retentionTask } from '../../functions/retention/retention-task.js';
import { CommandError } from './command-error.js';
import { runAlone } from './supervise/session.js';

/** `npm run retention -- --older-than <days> | --phone <number> [--dry-run]`: erases phone numbers. Answers its exit code. */
export default async function retention(args: string[]): Promise<number> {
  if (!retentionTask(args)) throw new CommandError(RETENTION_USAGE);
  return runAlone({ name: 'retention', args: ['dist/functions/retention.js', ...args] });
}
