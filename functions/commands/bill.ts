import { EXIT } from '@disparo/contract';
import type { Command } from '../platform/command.js';

/**
 * Runs one pass of billing, for a machine without a scheduler. Ends with EXIT.forced while something is still owed that may be
 * done now, or that another process holds. Titles that the bank does not know yet are asked about for seven days, mails that are
 * held wait for a person, and without a mail server all mails wait: these are shown only.
 */
const bill: Command<'pass'> = {
  usage: 'npm run bill',
  task: (args) => (args.length === 0 ? 'pass' : undefined),
  reads: () => undefined,
  needs: ['DATABASE_URL'],
  logs: true,
  work: async (app, _, stop) => {
    const { WorkBilling } = await import('../billing/work-billing.js');
    const { BillingUpkeepRepository } = await import('../billing/upkeep/upkeep.repository.js');
    const done = await app.get(WorkBilling).pass(stop);
    const { Config } = await import('../platform/config.js');
    const hasMailServer = app.get(Config).smtp !== undefined;
    const { owed } = await app.get(BillingUpkeepRepository).standing();
    const words = [
      `${done.merged} chunks merged, ${done.issued} boletos issued, ${done.sent} mails sent, ${done.written_off} written off`,
      done.refused > 0 ? `${done.refused} refused by the bank` : '',
      done.unanswered > 0 ? `${done.unanswered} that the bank did not answer` : '',
      done.mails_refused > 0 ? `${done.mails_refused} mails refused` : '',
      done.mails_later > 0 ? `${done.mails_later} mails put off` : '',
      done.mails_unsent > 0 ? `${done.mails_unsent} mails that the server did not take` : '',
      done.mails_unknown > 0 ? `${done.mails_unknown} mails of which nobody knows whether they were sent` : '',
      `still owed: ${owed.merge} lines, ${owed.issue} boletos, ${owed.send} mails, ${owed.write_off} write-offs`,
      owed.held > 0 ? `${owed.held} mails wait for a person` : '',
      owed.send > 0 && !hasMailServer ? `${owed.send} mails wait: SMTP_URL is not set` : '',
    ];
    process.stdout.write(`${words.filter(Boolean).join(', ')}\n`);
    const owedNow = owed.merge + owed.issue + (hasMailServer ? owed.send : 0);
    return owedNow + done.unanswered === 0 && !stop.aborted ? EXIT.drained : EXIT.forced;
  },
};
export default bill;
