import { EXIT } from '@disparo/contract';
import { createApp } from './app.js';
import { EraseCampaigns, type Erasure } from './ledger/erase/erase-campaigns.js';
import { ForgetNumber, type Forgetting } from './ledger/erase/forget-number.js';
import { loadConfig } from './platform/config.js';
import { runOnce } from './platform/once.js';
import { RETENTION_USAGE, retentionTask } from './retention/retention-task.js';

/**
 * `npm run retention -- --older-than <days> | --phone <number> [--dry-run]`. Never prints a number. Ends with EXIT.forced when
 * it was told to stop, and when a campaign that holds the number is not finished.
 */
await runOnce(
  async () => createApp({ ...loadConfig(), logLevel: 'silent' }, 'server'),
  async (app, stop) => {
    const task = retentionTask(process.argv.slice(2));
    if (!task) {
      process.stderr.write(`${RETENTION_USAGE}\n`);
      return EXIT.configuration;
    }
    if ('phoneNumber' in task) {
      const forgetting = app.get(ForgetNumber);
      const { phoneNumber, dryRun } = task;
      const found = await (dryRun ? forgetting.count(phoneNumber, stop) : forgetting.forget(phoneNumber, stop));
      process.stdout.write(`${forgotten(found, dryRun)}\n`);
      return found.whole && found.waiting === 0 ? EXIT.drained : EXIT.forced;
    }
    const erasing = app.get(EraseCampaigns);
    const { olderThanDays, dryRun } = task;
    const erasure = await (dryRun ? erasing.count(olderThanDays, stop) : erasing.erase(olderThanDays, stop));
    process.stdout.write(`${erased(erasure, olderThanDays, dryRun)}\n`);
    return erasure.whole ? EXIT.drained : EXIT.forced;
  },
);

function erased(
  { campaigns, numbers, rejects, documents, refusals, returned, waiting, whole }: Erasure,
  days: number,
  dryRun: boolean,
): string {
  return words([
    `${count(campaigns)} campaigns older than ${count(days)} days ${dryRun ? 'would be erased' : 'erased'}`,
    `${count(numbers)} numbers in the ledger`,
    `${count(rejects)} rejects`,
    `${count(documents)} documents`,
    refusals > 0 ? `the rejects of ${count(refusals)} refused uploads` : '',
    returned > 0 ? `${count(returned)} documents that had come back` : '',
    waiting > 0 ? `${count(waiting)} cancelled campaigns wait until dispatch has swept them for the last time` : '',
    whole ? '' : 'told to stop: run it again',
  ]);
}

function forgotten({ campaigns, numbers, rejects, documents, waiting, whole }: Forgetting, dryRun: boolean): string {
  return words([
    `${dryRun ? 'Would be forgotten' : 'Forgotten'} in ${count(campaigns)} campaigns`,
    `${count(numbers)} numbers in the ledger`,
    `${count(rejects)} rejects`,
    `${count(documents)} documents`,
    waiting > 0 ? `${count(waiting)} campaigns that hold it are not finished: run it again when they are` : '',
    whole ? '' : 'told to stop: run it again',
  ]);
}

function words(parts: string[]): string {
  return parts.filter(Boolean).join(', ');
}

function count(of: number): string {
  return of.toLocaleString('en');
}
