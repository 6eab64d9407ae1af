import { EXIT } from '@disparo/contract';
import { createApp } from './app.js';
import { DispatchCampaigns } from './ledger/dispatch-campaigns.js';
import { loadConfig } from './platform/config.js';
import { runOnce } from './platform/once.js';
import { Broker } from './platform/stores/rabbitmq.js';

/**
 * `npm run dispatch`: one pass, for a machine without a scheduler. Ends with EXIT.forced while running campaigns still owe, or
 * when a stopped one could not be swept.
 */
await runOnce(
  async () => createApp(loadConfig(), 'server'),
  async (app, stop) => {
    const dispatcher = app.get(DispatchCampaigns);
    const { published, failed, healed, swept, unswept } = await dispatcher.pass(stop);
    const owing = await dispatcher.owing();
    const words = [
      `${published} campaigns published, ${owing.running} still owed`,
      // Ours are given back by now.
      owing.leased > 0 ? `${owing.leased} of them with another publisher` : '',
      owing.paused > 0 ? `${owing.paused} paused before all was published` : '',
      healed > 0 ? `${healed} numbers were late and went back to the outbox` : '',
      swept > 0 ? `${swept} stopped campaigns swept` : '',
      unswept > 0 ? `${unswept} stopped campaigns could not be swept` : '',
      stop.aborted ? 'told to stop' : '',
    ];
    process.stdout.write(`${words.filter(Boolean).join(', ')}\n`);
    if (failed > 0 && !stop.aborted) await app.get(Broker).ping();
    return owing.running + unswept === 0 ? EXIT.drained : EXIT.forced;
  },
);
