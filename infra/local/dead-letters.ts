import { DEAD_LETTERS_USAGE, deadLettersTask } from '../../functions/ledger/inspect/dead-letters-task.js';
import { CommandError } from '../../services/command-error.js';
import { lookAlone, runAlone } from './supervise/session.js';

/** `npm run dead-letters -- list | show N | replay [N] | drop N | drop --all`: the dead-letter queue. Answers its exit code. */
export default async function deadLetters(args: string[]): Promise<number> {
  const task = deadLettersTask(args);
  if (!task) throw new CommandError(DEAD_LETTERS_USAGE);
  const program = { name: 'dead-letters', args: ['dist/functions/dead-letters.js', ...args] };
  const looks = task.command === 'list' || task.command === 'show';
  return looks ? lookAlone(program, ['RABBITMQ_URL']) : runAlone(program);
}
