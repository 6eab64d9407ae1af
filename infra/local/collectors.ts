import { EXIT } from '@disparo/contract';
import { CommandError } from '../../services/command-error.js';
import { Collector, type Ending } from './collectors/collector.js';
import { type Options, parseOptions } from './collectors/options.js';
import { Tally } from './collectors/tally.js';
import { healthyApi } from './postman/address.js';
import { ProgressLine } from './producers/progress-line.js';
import { withServices } from './supervise/session.js';
import { Interrupted, type Supervisor } from './supervise/supervisor.js';
import { colour, say } from './supervise/terminal.js';

const ADVICE = { start: 'npm start in another terminal', command: 'npm run collectors -- --ispb digits --url' };
const PROGRESS_MS = 1_000;
const ACCEPT = { json: 'application/json', multipart: 'multipart/json' } as const;
const SHOWN_AT_MOST = 5;

/**
 * `npm run collectors`: collects the Pix messages of an ISPB from a running API, each collector until its stream has had none
 * for eight seconds. Returns 0; 1 when a message came again though no collector had lost its place, or when a collector could
 * not go on; 75 when all were told that six streams are open.
 */
export default async function collectors(args: string[]): Promise<number> {
  const options = parseOptions(args);
  const given = options.urls.length > 0 ? options.urls : [undefined];
  const bases = await Promise.all(given.map((url) => healthyApi(url, undefined, ADVICE))).catch((error: Error) => {
    throw new CommandError(error.message);
  });
  return withServices(say, { wait: false, reads: [] }, async ({ supervisor }) => {
    say(`${options.n} collectors of ${options.ispb} at ${bases.join(', ')}`);
    const tally = new Tally();
    const begun = performance.now();
    const endings = await collected(options, bases, tally, supervisor);
    return told(endings, tally, begun);
  });
}

async function collected(
  { ispb, n, form, crash, key }: Options,
  bases: string[],
  tally: Tally,
  supervisor: Supervisor,
): Promise<Ending[]> {
  const stop = new AbortController();
  const orders = { bases, ispb, accept: ACCEPT[form], crash, key, tally, stop: stop.signal };
  const line = new ProgressLine();
  let before = 0;
  const progress = setInterval(() => {
    const { received, distinct, crashes } = tally;
    line.update(
      `received ${thousands(received)}, ${thousands(distinct - before)} new a second; crashes ${thousands(crashes)}`,
    );
    before = distinct;
  }, PROGRESS_MS);
  const each = Promise.all(
    Array.from({ length: n }, async (_, at): Promise<Ending> => {
      const ending = await new Collector(orders, at).collect().catch(failed);
      if (ending.kind === 'full') line.say(refusal(at + 1, ispb, ending.retryAfterS));
      if (ending.kind === 'refused') line.say(colour('red', `Collector ${at + 1}: ${ending.reason}`));
      return ending;
    }),
  );
  try {
    return await supervisor.during(each);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    // Each ends its stream, so that its slot is free and what it has is acknowledged.
    stop.abort();
    return await each;
  } finally {
    clearInterval(progress);
    line.end();
  }
}

function failed(error: Error): Ending {
  return { kind: 'refused', reason: error.message };
}

function refusal(number: number, ispb: string, retryAfterS: number): string {
  return `Collector ${number}: six streams of ${ispb} are open (429); one may be free in ${retryAfterS} s (Retry-After)`;
}

function told(endings: readonly Ending[], tally: Tally, begun: number): number {
  const { received, distinct, crashes, lastAt = begun, wrong } = tally;
  // To the last message: after it the collectors wait for one that does not come.
  const rate = distinct === 0 ? 0 : Math.round(distinct / ((lastAt - begun) / 1_000));
  const count = (kind: Ending['kind']) => endings.filter((ending) => ending.kind === kind).length;
  say(
    JSON.stringify({
      received,
      distinct,
      repeated: received - distinct,
      crashes,
      refused: count('full'),
      msg_per_s: rate,
    }),
  );
  for (const id of wrong.slice(0, SHOWN_AT_MOST))
    say(colour('red', `${id} came again, and no collector had lost its place`));
  if (wrong.length > SHOWN_AT_MOST) say(colour('red', `and ${thousands(wrong.length - SHOWN_AT_MOST)} more`));
  if (wrong.length > 0 || count('refused') > 0) return EXIT.bug;
  if (count('full') === endings.length) return EXIT.forced;
  const repeats = received === distinct ? '' : `; ${thousands(received - distinct)} repeats after crashes`;
  say(colour('green', `${thousands(distinct)} messages, none in two streams${repeats}`));
  return 0;
}

function thousands(value: number): string {
  return value.toLocaleString('en');
}
