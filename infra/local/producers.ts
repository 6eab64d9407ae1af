import { randomBytes } from 'node:crypto';
import { EXIT, type Says } from '@disparo/contract';
import type { Config } from '../../functions/platform/config.js';
import { CommandError } from '../../services/command-error.js';
import type { Variable } from '../../services/names.js';
import { healthyApi } from './postman/address.js';
import { Check } from './producers/check.js';
import { HttpOutlet } from './producers/http-outlet.js';
import { type Options, parseOptions } from './producers/options.js';
import { ProgressLine } from './producers/progress-line.js';
import { type Outlet, publishAll, Supply } from './producers/publish.js';
import { RabbitmqOutlet } from './producers/rabbitmq-outlet.js';
import { SqsOutlet, sqsQueue } from './producers/sqs-outlet.js';
import { Stream } from './producers/stream.js';
import { Tally } from './producers/tally.js';
import { Tenant } from './producers/tenant.js';
import { checkedConfig } from './supervise/offline.js';
import { withServices } from './supervise/session.js';
import { Interrupted, type Supervisor } from './supervise/supervisor.js';
import { colour, say } from './supervise/terminal.js';

const ADVICE = { start: 'npm start in another terminal', command: 'npm run producers -- --url' };
const PROGRESS_MS = 1_000;

/** Of the id of a run, which begins every id of its messages. */
const RUN_BYTES = 6;

interface Publishing {
  options: Options;
  stream: Stream;
  tally: Tally;
  outlet: Outlet;
  line: ProgressLine;
  supervisor: Supervisor;
}

interface Checking extends Pick<Publishing, 'tally' | 'outlet' | 'line'> {
  tenant: Tenant;
  /** The stream of the run, from its beginning. */
  again: Stream;
  made: number;
}

/**
 * `npm run producers`: registers a demo company at a running API, and publishes events of its clients until it is stopped or
 * there were enough. Prints what was confirmed. With --check it then compares this with the tables. Returns 0, or 1 where
 * something differs.
 */
export default async function producers(args: string[]): Promise<number> {
  const options = parseOptions(args);
  const config = checkedConfig();
  const base = await healthyApi(options.url, undefined, ADVICE).catch((error: Error) => {
    throw new CommandError(error.message);
  });
  const rabbitmq: Variable[] = options.to === 'rabbitmq' ? ['RABBITMQ_URL'] : [];
  const reads: Variable[] = options.check ? [...rabbitmq, 'DATABASE_URL'] : rabbitmq;
  return withServices(say, { wait: false, reads }, async ({ supervisor, services: { urls } }) => {
    const line = new ProgressLine();
    const says: Says = { info: (text) => line.say(text), error: (text) => line.say(text) };
    const tenant = await supervisor.during(Tenant.register(base, options.types));
    const stream = new Stream(options, randomBytes(RUN_BYTES).toString('hex'));
    const tally = new Tally();
    const opening = options.check ? Check.open(urls.DATABASE_URL, stream.run, says) : undefined;
    const check = await supervisor.during(Promise.resolve(opening));
    const to = { config: { ...config, rabbitmqUrl: urls.RABBITMQ_URL }, base, tenant, tally, says };
    const outlet = await supervisor.during(outletOf(options, to));
    say(heading(options, tenant, stream.run, base));
    try {
      const stopped = await published({ options, stream, tally, outlet, line, supervisor });
      say(JSON.stringify(tally.summary));
      if (check === undefined) return tally.refused.size === 0 ? 0 : EXIT.bug;
      const again = new Stream(options, stream.run);
      const checking = compared(check, { tenant, again, made: stream.made, tally, outlet, line });
      // After a first Ctrl-C, only a second one ends it.
      return await (stopped ? checking : supervisor.during(checking));
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      throw new Interrupted(error.message, EXIT.forced);
    } finally {
      line.end();
      await outlet.close();
      await check?.close();
    }
  });
}

interface OutletParts {
  config: Config;
  base: string;
  tenant: Tenant;
  tally: Tally;
  says: Says;
}

async function outletOf({ to }: Options, { config, base, tenant, tally, says }: OutletParts): Promise<Outlet> {
  if (to === 'http') return new HttpOutlet(base, await tenant.newKeys(), tally, says);
  if (to === 'sqs') return SqsOutlet.open(await sqsQueue(config.sqs), tally, says);
  return new RabbitmqOutlet(config, tally, says);
}

function heading({ types, rate, to, seed }: Options, { registered }: Tenant, run: string, base: string): string {
  const { clients, types: schemas } = registered;
  const made = clients + schemas > 0 ? `Registered ${clients} clients and ${schemas} types at ${base}` : `At ${base}`;
  const where = { rabbitmq: 'RabbitMQ', sqs: 'SQS', http: 'HTTP' }[to];
  return `${made}. ${types.join(', ')} over ${where}, ${rate.toLocaleString('en')} a second (seed ${seed}, run ${run})`;
}

/** Publishes until there were enough, or a Ctrl-C: then it waits for what is in flight. Returns whether it was stopped. */
async function published({ options, stream, tally, outlet, line, supervisor }: Publishing): Promise<boolean> {
  const stop = new AbortController();
  const publishing = publishAll(new Supply(stream, options, stop.signal), outlet);
  let before = 0;
  const progress = setInterval(() => {
    const { published: now, bad, duplicates } = tally.summary;
    line.update(
      `confirmed ${thousands(now)}, ${thousands(now - before)} a second; bad ${thousands(bad)}, duplicates ${thousands(duplicates)}`,
    );
    before = now;
  }, PROGRESS_MS);
  try {
    await supervisor.during(publishing);
    return false;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    stop.abort();
    await publishing;
    return true;
  } finally {
    clearInterval(progress);
    line.end();
  }
}

async function compared(check: Check, { tenant, again, made, tally, outlet, line }: Checking): Promise<number> {
  say('Comparing the two tables with what was confirmed ...');
  await check.settled(tally, outlet, ({ events, quarantined, waiting }) =>
    line.update(
      `events ${thousands(events)}, in quarantine ${thousands(quarantined)}, on the queue ${thousands(waiting)}`,
    ),
  );
  line.end();
  const differences = await check.differences(tenant.companyId, again, made, tally);
  for (const difference of differences) say(colour('red', difference));
  if (differences.length > 0) return EXIT.bug;
  const { distinct, bad, duplicates } = tally.summary;
  const refused =
    tally.badKeys.length > 0 || bad === 0
      ? `${thousands(bad)} bad ones in quarantine`
      : `${thousands(bad)} bad ones refused`;
  say(
    colour(
      'green',
      `${thousands(distinct)} events, each once and as it was sent; ${refused}; ${thousands(duplicates)} duplicates stored nothing`,
    ),
  );
  return 0;
}

function thousands(value: number): string {
  return value.toLocaleString('en');
}
