import { RETENTION_USAGE, retentionTask } from '../../functions/retention/retention-task.js';
import { CommandError } from '../../services/command-error.js';
import { lookAlone, runAlone } from './supervise/session.js';

/** `npm run retention -- --older-than <days> | --phone <number> [--dry-run]`: erases phone numbers. Answers its exit code. */
export default async function retention(args: string[]): Promise<number> {
  const task = retentionTask(args);
  if (!task) throw new CommandError(RETENTION_USAGE);
  const program = { name: 'retention', args: ['dist/functions/retention.js', ...args] };
  return task.dryRun ? lookAlone(program, ['DATABASE_URL', 'MONGODB_URL']) : runAlone(program);
}
