import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { declareEvents, eventsQueue } from '@disparo/contract';
import { createId } from '@paralleldrive/cuid2';
import { someCnpj } from '../../testing/cnpj.js';
import { Process } from '../../testing/process.js';
import type { Stage } from '../../testing/stage.js';
import { untilTrue } from '../../testing/until.js';
import { slices } from '../campaign.js';
import { type Cost, costOf, costSince, whileStopped } from '../cost.js';

/**
 * How events are brought from the queue into rows: one by one by naive code, or in batches by the processor with so many
 * unacknowledged at most (EVENTS_PREFETCH). Two batches share them, so a batch has half of them at most.
 */
export const EVENT_WAYS = ['naive', 500, 1_000, 4_000] as const;
/** What stands on the queue: events alone, or 11 % that are none and 2 % that come again. */
export const EVENT_MIXES = ['clean', 'mixed'] as const;

/** The name of a way. */
export type EventWay = (typeof EVENT_WAYS)[number];
/** The name of a mix. */
export type EventMix = (typeof EVENT_MIXES)[number];

/** Messages on a queue brought to their rows by one process. */
export interface EventsDrain {
  way: EventWay;
  mix: EventMix;
  messages: number;
  /** From a full queue to the last acknowledgement. */
  drainS: number;
  /** In how many the processor stored them; of naive, none. */
  batches: number;
  cost: Cost | undefined;
}

/** A message of the queue, and what it has to become. */
interface Message {
  body: Buffer;
  becomes: 'event' | 'repeat' | 'quarantine';
}

const SHARE_BAD = 0.11;
const SHARE_REPEATED = 0.02;
const BAD = Buffer.from("Hello, I'm a bad message");
/** Messages published at a time. */
const SLICE = 1_000;
/** Before the clock starts: a new process compiles its code during the first thousands. */
const WARM_UP = 5_000;
/** The slowest that is waited for: two minutes, then 200 messages a second. */
const PATIENCE_MS = 120_000;
const PATIENCE_PER_MESSAGE_MS = 5;

const number = (minimum: number) => ({ type: 'number', minimum });
const text = (pattern: string) => ({ type: 'string', pattern });
const shape = (properties: Record<string, object>) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
/** The types of `npm run producers`, each with a schema. */
const TYPES = [
  {
    name: 'monitor-app',
    schema: shape({ host: text('^host-\\d+$'), cpu: number(0), memory_mb: { type: 'integer', minimum: 1 } }),
    message: (n: number) => ({ host: `host-${n % 50}`, cpu: (n % 100) / 100, memory_mb: 512 + (n % 512) }),
  },
  {
    name: 'user-app',
    schema: shape({ user_id: text('^u-\\d+$'), action: { enum: ['login', 'logout', 'update'] } }),
    message: (n: number) => JSON.stringify({ user_id: `u-${n}`, action: 'login' }),
  },
  {
    name: 'transaction-app',
    schema: shape({
      transaction_id: text('^t-\\d+$'),
      amount_cents: { type: 'integer', minimum: 1 },
      currency: text('^[A-Z]{3}$'),
    }),
    message: (n: number) => ({ transaction_id: `t-${n}`, amount_cents: 1 + (n % 10_000), currency: 'BRL' }),
  },
] as const;

/** Fills a queue and lets one process drain it. Throws unless every message became what it has to. */
export async function measureEvents(
  stage: Stage,
  way: EventWay,
  mix: EventMix,
  messages: number,
): Promise<EventsDrain> {
  await declareEvents(stage.channel, stage.env.QUEUE_PREFIX);
  await register(stage);
  const warmUp = messagesOf('warm-up', mix, Math.min(messages, WARM_UP));
  const measured = messagesOf('measured', mix, messages);
  const all = [...warmUp, ...measured];
  const settled = new Settled();
  const process = stage.with(start(stage, way, settled, [warmUp.length, all.length]));
  await process.untilSaid('receiving events');
  await publish(stage, warmUp);
  await settled.until(warmUp.length, process);
  const batchesBefore = settled.lines;
  const before = costOf(process);
  const begun = await whileStopped(process, () => publish(stage, measured));
  const ended = await settled.until(all.length, process);
  const cost = costSince(process, before);
  const batches = way === 'naive' ? 0 : settled.lines - batchesBefore;
  await process.kill();
  await requireRows(stage, way, all);
  return { way, mix, messages, drainS: (ended - begun) / 1_000, batches, cost };
}

function start({ env }: Stage, way: EventWay, settled: Settled, marks: readonly number[]): Process {
  const hear = (line: string) => settled.hear(line);
  if (way === 'naive') return Process.script('bench/naive/events.js', { env, hear }, marks.map(String));
  const own = { JWT_SECRET: randomBytes(32).toString('hex'), LOG_LEVEL: 'info' };
  return Process.script('bench/events/processor.js', { env: { ...env, ...own }, hear }, [String(way)]);
}

/** How many messages a process says that it has settled. */
class Settled {
  /** How often it said so: once a batch. */
  lines = 0;
  #count = 0;
  #lastAt = 0;

  hear(line: string): void {
    if (!line.includes('"events settled"')) return;
    const { stored = 0, duplicate = 0, quarantined = {} } = JSON.parse(line) as SettledLine;
    this.#count += stored + duplicate + Object.values(quarantined).reduce((sum, each) => sum + each, 0);
    this.#lastAt = performance.now();
    this.lines += 1;
  }

  /** Waits until it has settled so many since its start, and returns when it said so, by `performance.now()`. */
  until(messages: number, process: Process): Promise<number> {
    const reached = () => {
      process.throwIfEnded();
      return this.#count >= messages ? this.#lastAt : undefined;
    };
    const withinMs = PATIENCE_MS + messages * PATIENCE_PER_MESSAGE_MS;
    return untilTrue(reached, () => `${messages} messages are settled, not ${this.#count}`, { withinMs });
  }
}

interface SettledLine {
  stored?: number;
  duplicate?: number;
  quarantined?: Record<string, number>;
}

async function register(stage: Stage): Promise<void> {
  const sql = (text: string, values?: unknown[]) => stage.sql(text, values);
  const company = createId();
  await sql(`INSERT INTO companies (id, name, document) VALUES ($1, 'Bench', $2)`, [company, someCnpj()]);
  for (const client of [1, 2, 3])
    await sql('INSERT INTO event_clients (client_id, company_id) VALUES ($1, $2)', [`client-${client}`, company]);
  for (const { name, schema } of TYPES)
    await sql('INSERT INTO event_types (company_id, name, version, schema) VALUES ($1, $2, 1, $3)', [
      company,
      name,
      JSON.stringify(schema),
    ]);
  await sql('UPDATE event_registry SET version = version + 1');
}

/** So many messages, the same in each run: of a mix, each ninth or so is none, and each fiftieth is an earlier one again. */
function messagesOf(run: string, mix: EventMix, count: number): Message[] {
  const messages: Message[] = [];
  let [bad, repeated] = [0, 0];
  for (let n = 0; n < count; n++) {
    const due = (share: number, so: number) => mix === 'mixed' && so < Math.floor((n + 1) * share);
    const earlier = messages[Math.floor(n / 2)];
    if (due(SHARE_BAD, bad)) {
      messages.push({ body: BAD, becomes: 'quarantine' });
      bad += 1;
    } else if (due(SHARE_REPEATED, repeated) && earlier?.becomes === 'event') {
      messages.push({ body: earlier.body, becomes: 'repeat' });
      repeated += 1;
    } else messages.push({ body: eventAt(run, n), becomes: 'event' });
  }
  return messages;
}

function eventAt(run: string, n: number): Buffer {
  const { name, message } = TYPES[n % TYPES.length] as (typeof TYPES)[number];
  const envelope = {
    id: `${run}-${n}`,
    event_type: name,
    client_id: `client-${1 + (n % 3)}`,
    time: '2026-11-30T12:00:00.000Z',
    message: message(n),
  };
  return Buffer.from(JSON.stringify(envelope));
}

/** Each with an id of the broker's, as a producer gives it. */
async function publish({ channel, env }: Stage, messages: readonly Message[]): Promise<void> {
  const queue = eventsQueue(env.QUEUE_PREFIX);
  for (const slice of slices(messages, SLICE)) {
    for (const { body } of slice)
      if (!channel.publish(queue, queue, body, { persistent: true, messageId: createdId() }))
        await once(channel, 'drain');
    await channel.waitForConfirms();
  }
}

let created = 0;

function createdId(): string {
  created += 1;
  return `m-${created}`;
}

/** Each good message is one row; of naive, what is no event is nowhere. */
async function requireRows(stage: Stage, way: EventWay, messages: readonly Message[]): Promise<void> {
  const count = (of: Message['becomes']) => messages.filter(({ becomes }) => becomes === of).length;
  const naive = way === 'naive';
  const wanted = {
    events: count('event'),
    quarantine: naive ? 0 : count('quarantine'),
  };
  const [found] = await stage.sql(
    `SELECT (SELECT count(*)::int FROM events) AS events,
            (SELECT count(*)::int FROM event_quarantine) AS quarantine`,
  );
  if (JSON.stringify(found) !== JSON.stringify(wanted))
    throw new Error(`the rows are ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
}
