import { LoadShare } from './load-share.js';
import type { Look, Share, ShareResult, Standing } from './share.js';

/** From the loader to one of its processes: in this order, `open` and `look` more than once. */
export type Order = { kind: 'open'; share: Share } | { kind: 'look' } | { kind: 'run' };

/** From a process to the loader. `opened` and `look` answer their orders; `result` is the last one. */
export type Report =
  | { kind: 'opened' }
  | { kind: 'look'; look: Look }
  | { kind: 'standing'; standing: Standing }
  | { kind: 'result'; result: ShareResult };

const STANDING_MS = 200;

/** One process of the loader: does what its parent orders, and ends with it. */
function serve(report: (what: Report) => void): void {
  let share: LoadShare | undefined;
  process.on('disconnect', () => process.exit(1));
  // A Ctrl-C goes to the whole group; the parent ends us.
  process.on('SIGINT', () => {});
  process.on('message', async (order: Order) => {
    if (order.kind === 'open') share ??= new LoadShare(order.share);
    if (!share) throw new Error('a bug: an order before there is a share');
    const { standing } = share;
    if (order.kind === 'open') {
      await share.open();
      report({ kind: 'opened' });
    } else if (order.kind === 'look') report({ kind: 'look', look: share.look() });
    else {
      const timer = setInterval(() => report({ kind: 'standing', standing }), STANDING_MS);
      const result = await share.run();
      clearInterval(timer);
      report({ kind: 'standing', standing });
      report({ kind: 'result', result });
    }
  });
}

serve((what) => process.send?.(what));
