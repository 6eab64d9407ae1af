import { EXIT } from '@disparo/contract';
import { createApp } from './app.js';
import { DispatchCampaigns } from './ledger/dispatch-campaigns.js';
import { loadConfig } from './platform/config.js';
import { runOnce } from './platform/once.js';
import { Broker } from './platform/rabbitmq.js';

/** `npm run dispatch`: one pass, for a machine without a scheduler. Ends with EXIT.forced while something is still owed. */
await runOnce(
  async () => createApp(loadConfig(), 'server'),
  async (app, stop) => {
    const { published, failed, healed, swept } = await app.get(DispatchCampaigns).pass(stop);
    const also = [
      healed > 0 ? `, ${healed} numbers were late and went back to the outbox` : '',
      swept > 0 ? `, ${swept} stopped campaigns gone over` : '',
    ];
    process.stdout.write(`${published} campaigns published, ${failed} still owed${also.join('')}\n`);
    if (failed === 0) return EXIT.drained;
    await app.get(Broker).ping();
    return EXIT.forced;
  },
);
