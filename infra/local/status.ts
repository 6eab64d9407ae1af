import { setTimeout as delay } from 'node:timers/promises';
import { readEnvironment } from '@disparo/contract';
import { screen as secondScreen } from '../../functions/platform/terminal.js';
import { CommandError } from '../../services/command-error.js';
import { screen } from './status/screen.js';
import { type Status, StatusReader } from './status/status-reader.js';
import { watchCaller } from './supervise/caller.js';
import { interactive, say } from './supervise/terminal.js';

const EVERY_MS = 1_000;
const WIDTH = 100;
const SOME_SERVICE_DOWN = 1;

/**
 * `npm run status [-- --watch]`: services, queues, dead letters and the last ten campaigns on one screen; with --watch again
 * each second until Ctrl-C. Starts nothing. Returns 0 when all three services are up, else 1.
 */
export default async function status(args: string[]): Promise<number> {
  const [option, ...rest] = args;
  if (rest.length > 0 || (option !== undefined && option !== '--watch'))
    throw new CommandError('usage: npm run status [-- --watch]');
  const reader = new StatusReader(readEnvironment());
  try {
    if (option === '--watch') return await watch(reader);
    const found = await reader.read();
    say(screen(found, process.stdout.columns ?? WIDTH));
    return exitCode(found);
  } finally {
    reader.close();
  }
}

async function watch(reader: StatusReader): Promise<number> {
  const stop = new AbortController();
  const stopped = new Promise<undefined>((resolve) => {
    stop.signal.addEventListener('abort', () => resolve(undefined));
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
  // The reader has left, as in `npm run status -- --watch | head`.
  process.stdout.on('error', () => stop.abort());
  const callerIsGone = watchCaller();
  let last: Status | undefined;
  if (interactive) secondScreen.enter();
  try {
    while (!stop.signal.aborted && !callerIsGone()) {
      const found = await Promise.race([reader.read(), stopped]);
      if (!found) break;
      last = found;
      draw(found);
      await delay(EVERY_MS, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  } finally {
    if (interactive) secondScreen.leave();
  }
  return last ? exitCode(last) : SOME_SERVICE_DOWN;
}

/** Draws a screen: over the last one on a terminal, below it elsewhere. */
function draw(found: Status): void {
  const text = screen(found, process.stdout.columns ?? WIDTH);
  if (interactive) secondScreen.draw(text.split('\n'));
  else say(`${text}\n`);
}

function exitCode({ services }: Status): number {
  return services.every(({ down }) => down === undefined) ? 0 : SOME_SERVICE_DOWN;
}
