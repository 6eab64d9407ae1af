import cluster from 'node:cluster';
import { withDeadline } from '../deadline.js';
import { ServiceUnavailable } from '../problem.js';
import type { Snapshot, ToMember, ToPrimary } from './messages.js';

/** Longer than the primary waits for the other processes. */
const SCRAPE_MS = 6_000;

/** The number of this process among those that share a port; undefined where it is alone. A process that follows another has a number of its own. */
export const memberNumber = cluster.worker?.id;

/** What the primary's message said, until `obeyPrimary` can act on it. */
let toldToStop: string | undefined;
/** What this process asks of the primary, by its id. */
const scrapes = new Map<number, (text: string) => void>();
let lastScrape = 0;

/**
 * From now on no signal ends this process: only the primary's message does. A Ctrl-C, and many a supervisor, signals every
 * process of a group; together with the message that would be a second signal, which gives up what is in flight.
 */
export function heedPrimaryOnly(): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => {});
  // It may say so while the app is still being made.
  cluster.worker?.on('message', (message: ToMember) => {
    if (message.kind === 'stop') toldToStop ??= message.signal;
  });
  void tellPrimary({ kind: 'hears' });
}

/** Tells the primary something, where there is one. Resolves when the message is sent, or cannot be. */
export function tellPrimary(message: ToPrimary): Promise<void> {
  return new Promise((sent) => {
    if (process.connected && process.send) process.send(message, undefined, {}, () => sent());
    else sent();
  });
}

/** Tells the primary that this process ends with a code that no restart can mend. */
export function reportFailure(line: string, code: number): Promise<void> {
  return tellPrimary({ kind: 'failed', line, code });
}

/**
 * Obeys the primary: `stop` is called when it says so, and when it is gone, so that no process stays behind. `count` returns
 * the metrics of this process. Does nothing where this process is alone.
 */
export function obeyPrimary(stop: (reason: string) => void, count: () => Promise<Snapshot>): void {
  const { worker } = cluster;
  if (!worker) return;
  worker.on('message', (message: ToMember) => {
    if (message.kind === 'stop') stop(message.signal);
    else if (message.kind === 'count') count().then((snapshot) => tellPrimary({ kind: 'counted', snapshot }));
    else scrapes.get(message.id)?.(message.text);
  });
  if (toldToStop !== undefined) stop(toldToStop);
  worker.on('disconnect', () => {
    // guard: without this mark Node ends the process on the spot, and with it the requests in flight.
    worker.exitedAfterDisconnect = true;
    stop('the primary process is gone');
  });
}

/** The metrics of all processes together. Throws ServiceUnavailable when the primary does not answer: a part would be a lie. */
export async function scrapeAll(): Promise<string> {
  const id = ++lastScrape;
  const answered = new Promise<string>((resolve) => scrapes.set(id, resolve));
  try {
    await tellPrimary({ kind: 'scrape', id });
    return await withDeadline(SCRAPE_MS, answered, () => {
      throw new ServiceUnavailable('the primary process does not answer');
    });
  } finally {
    scrapes.delete(id);
  }
}
