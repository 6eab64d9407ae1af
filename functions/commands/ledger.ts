import { EXIT } from '@disparo/contract';
import type { Difference } from '../ledger/inspect/check-ledger.js';
import type { Command } from '../platform/command.js';

const DIFFERENT = 1;

/** Prints where ledger and message store differ. Ends with 1 when they do. */
const ledger: Command<{ campaignId: string | undefined }> = {
  usage: 'npm run ledger -- check [campaign]',
  task: ([command, campaignId, ...more]) => (command === 'check' && more.length === 0 ? { campaignId } : undefined),
  reads: () => ['DATABASE_URL', 'MONGODB_URL'],
  logs: false,
  work: async (app, { campaignId }) => {
    const { CheckLedger } = await import('../ledger/inspect/check-ledger.js');
    const check = await app.get(CheckLedger).check(campaignId);
    if (!check) {
      process.stderr.write(`There is no campaign "${campaignId}"\n`);
      return EXIT.configuration;
    }
    const { campaigns, messages, ahead, differences } = check;
    for (const difference of differences) process.stdout.write(`${inWords(difference)}\n`);
    const found = differences.length === 0 ? 'no difference' : `${differences.length} with a difference`;
    const unrecorded = ahead === 0 ? '' : `, ${count(ahead)} of them stored and not recorded yet`;
    process.stdout.write(`${count(campaigns)} campaigns, ${count(messages)} messages${unrecorded}: ${found}\n`);
    return differences.length === 0 ? EXIT.drained : DIFFERENT;
  },
};
export default ledger;

function inWords({ campaignId, counters, missing, different, unknown, wronglyMarked, sequences }: Difference): string {
  const parts = [
    ...counters,
    missing > 0 ? `${count(missing)} recorded as stored and not there` : '',
    different > 0 ? `${count(different)} with another phone number` : '',
    unknown > 0 ? `${count(unknown)} that the ledger does not know` : '',
    wronglyMarked > 0 ? `${count(wronglyMarked)} whose "deleted" is not the campaign's` : '',
  ].filter(Boolean);
  const where = sequences.length === 0 ? '' : ` (first at sequence ${sequences.join(', ')})`;
  return `${campaignId}: ${parts.join('; ')}${where}`;
}

function count(of: number): string {
  return of.toLocaleString('en');
}
