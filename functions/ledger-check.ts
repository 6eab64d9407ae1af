import { EXIT } from '@disparo/contract';
import { createApp } from './app.js';
import { CheckLedger, type Difference } from './ledger/inspect/check-ledger.js';
import { loadConfig } from './platform/config.js';
import { runOnce } from './platform/once.js';

const DIFFERENT = 1;

/** `npm run ledger -- check [campaign]`: what ledger and store do not agree on. Ends with 1 when there is something. */
await runOnce(
  async () => createApp({ ...loadConfig(), logLevel: 'silent' }, 'server'),
  async (app) => {
    const [campaignId] = process.argv.slice(2);
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
);

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
