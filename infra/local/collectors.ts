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

const START = 'npm start in another terminal';
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
  const advice = { start: START, command: `npm run collectors -- --ispb ${options.ispb} --url`, needs: ['postgres'] };
  const bases = await Promise.all(given.map((url) => healthyApi(url, undefined, advice))).catch((error: Error) => {
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
  let [before, last] = [0, ''];
  const progress = setInterval(() => {
    const text = progressOf(tally, before);
    if (text !== last) line.update(text);
    [before, last] = [tally.distinct, text];
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

/** @param before How many distinct messages there were a second ago. */
function progressOf({ received, distinct, crashes }: Tally, before: number): string {
  const rate =
    distinct > before ? `${thousands(distinct - before)} new a second` : 'waiting, for eight seconds at most';
  return `received ${thousands(received)}, ${rate}; crashes ${thousands(crashes)}`;
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
  const stopped = count('stopped') === 0 ? '' : '; stopped before the last one';
  say(colour('green', `${thousands(distinct)} messages, none in two streams${repeats}${stopped}`));
  return 0;
}

function thousands(value: number): string {
  return value.toLocaleString('en');
}
