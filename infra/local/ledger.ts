import { CommandError } from '../../services/command-error.js';
import { lookAlone } from './supervise/session.js';

/** `npm run ledger -- check [campaign]`: compares the ledger with the store. Answers its exit code. */
export default async function ledger(args: string[]): Promise<number> {
  const [command, ...campaign] = args;
  if (command !== 'check' || campaign.length > 1) throw new CommandError('usage: npm run ledger -- check [campaign]');
  const program = { name: 'ledger', args: ['dist/functions/ledger-check.js', ...campaign] };
  return lookAlone(program, ['DATABASE_URL', 'MONGODB_URL']);
}
