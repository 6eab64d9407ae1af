import { EXIT } from '@disparo/contract';
import { createApp } from './app.js';
import { loadConfig } from './platform/config.js';
import { runOnce } from './platform/once.js';
import { Retention } from './retention/retention.js';
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
    const retention = app.get(Retention);
    const run = { dryRun: task.dryRun, stop };
    const { line, complete } = await ('phoneNumber' in task
      ? retention.forget(task.phoneNumber, run)
      : retention.erase(task.olderThanDays, run));
    process.stdout.write(`${line}\n`);
    return complete ? EXIT.drained : EXIT.forced;
  },
);
