import { CommandError } from './command-error.js';
import { runAlone } from './supervise/session.js';

/** `npm run ledger -- check [campaign]`: compares the ledger with the store. Answers its exit code. */
export default async function ledger(args: string[]): Promise<number> {
  const [command, ...campaign] = args;
  if (command !== 'check' || campaign.length > 1) throw new CommandError('usage: npm run ledger -- check [campaign]');
  return runAlone({ name: 'ledger', args: ['dist/functions/ledger-check.js', ...campaign] });
}
