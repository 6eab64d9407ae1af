import { EXIT } from '@disparo/contract';
import type { Command } from '../platform/command.js';

/**
 * Runs one pass of billing, for a machine without a scheduler. Ends with EXIT.forced while something is still owed that may be
 * done now, or that another process holds. Titles that the bank does not know yet are asked about for seven days, and are shown only.
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
    const { owed } = await app.get(BillingUpkeepRepository).standing();
    const words = [
      `${done.merged} chunks merged, ${done.issued} boletos issued, ${done.written_off} written off`,
      done.refused > 0 ? `${done.refused} refused by the bank` : '',
      done.unanswered > 0 ? `${done.unanswered} that the bank did not answer` : '',
      `still owed: ${owed.merge} lines, ${owed.issue} boletos, ${owed.write_off} write-offs`,
    ];
    process.stdout.write(`${words.filter(Boolean).join(', ')}\n`);
    return owed.merge + owed.issue + done.unanswered === 0 && !stop.aborted ? EXIT.drained : EXIT.forced;
  },
};
export default bill;
