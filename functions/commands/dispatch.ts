import { EXIT } from '@disparo/contract';
import type { Command } from '../platform/command.js';

/**
 * Runs one pass, for a machine without a scheduler. Ends with EXIT.forced while running campaigns still owe messages, or
 * when a stopped campaign could not be swept.
 */
const dispatch: Command<'pass'> = {
  usage: 'npm run dispatch',
  task: (args) => (args.length === 0 ? 'pass' : undefined),
  reads: () => undefined,
  logs: true,
  work: async (app, _, stop) => {
    const { DISPATCH, Duties } = await import('../platform/duties.js');
    const { DispatchCampaigns } = await import('../ledger/dispatch-campaigns.js');
    const { Broker } = await import('../platform/stores/rabbitmq.js');
    const done = await app.get(Duties).pass(DISPATCH, stop);
    const { published = 0, failed = 0, healed = 0, swept = 0, not_swept: notSwept = 0 } = done;
    const owing = await app.get(DispatchCampaigns).owing();
    const words = [
      `${published} campaigns published, ${owing.running} still owed`,
      // Our own leases are given back by now.
      owing.leased > 0 ? `${owing.leased} of them with another publisher` : '',
      owing.paused > 0 ? `${owing.paused} paused before all was published` : '',
      healed > 0 ? `${healed} numbers were late and went back to the outbox` : '',
      swept > 0 ? `${swept} stopped campaigns swept` : '',
      notSwept > 0 ? `${notSwept} stopped campaigns could not be swept` : '',
      stop.aborted ? 'told to stop' : '',
    ];
    process.stdout.write(`${words.filter(Boolean).join(', ')}\n`);
    if (failed > 0 && !stop.aborted) await app.get(Broker).ping();
    return owing.running + notSwept === 0 ? EXIT.drained : EXIT.forced;
  },
};
export default dispatch;
