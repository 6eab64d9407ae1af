import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { EXIT } from '@disparo/contract';
import type { INestApplicationContext } from '@nestjs/common';
import { REASONS, type Reason } from '../events/intake/triage.js';
import type { Quarantine } from '../events/quarantine/quarantine.js';
import type { Command } from '../platform/command.js';
import { age, columns, print, printable, refuse, screen, screenSize } from '../platform/terminal.js';

type Whose = Parameters<Quarantine['list']>[0];
type EventsTask =
  | { command: 'watch' }
  | { command: 'list'; whose: Whose; reason: Reason | undefined; limit: number }
  | { command: 'replay'; which: { id: string } | { reason: Reason } }
  | { command: 'discard'; id: string };

const ID = /^[1-9]\d{0,17}$/;
const LIMIT = /^[1-9]\d{0,3}$/;
const COMPANY = /^[a-z0-9]{1,100}$/;
/** `--company`: the messages whose company nobody knows. */
const NONE = 'none';
const LISTED = 50;
const MOST_LISTED = 1_000;
const BODY_SHOWN = 120;
const EVERY_MS = 1_000;
const REPLAYED_AT_ONCE = 100;

/** Events as an operator sees them, of all companies and of none: what goes on, and what stands in quarantine. */
const events: Command<EventsTask> = {
  usage:
    'npm run events -- watch | quarantine [list] [--reason <reason>] [--company <id>|none] [--limit <1-1000>] | quarantine replay <id>|--reason <reason> | quarantine discard <id>',
  task: eventsTask,
  reads: ({ command }) => {
    if (command === 'watch') return ['DATABASE_URL', 'RABBITMQ_URL'];
    return command === 'list' ? ['DATABASE_URL'] : undefined;
  },
  logs: false,
  draws: ({ command }) => command === 'watch',
  work: (app, task, stop) => {
    if (task.command === 'watch') return watch(app, stop);
    if (task.command === 'list') return list(app, task);
    return task.command === 'replay' ? replay(app, task.which, stop) : discard(app, task.id);
  },
};
export default events;

function eventsTask(args: readonly string[]): EventsTask | undefined {
  const options = { reason: { type: 'string' }, company: { type: 'string' }, limit: { type: 'string' } } as const;
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const given = Object.keys(values);
    const [command, what = 'list', ...more] = positionals;
    if (command === 'watch') return positionals.length === 1 && given.length === 0 ? { command } : undefined;
    if (command !== 'quarantine') return undefined;
    const reason = REASONS.find((one) => one === values.reason);
    if (values.reason !== undefined && reason === undefined) return undefined;
    if (what === 'list') return more.length === 0 ? listTask(values, reason) : undefined;
    const [id] = more;
    const isOne = more.length === 1 && id !== undefined && ID.test(id) && given.length === 0;
    if (what === 'discard') return isOne ? { command: what, id } : undefined;
    if (what !== 'replay') return undefined;
    if (isOne) return { command: what, which: { id } };
    const isAll = more.length === 0 && reason !== undefined && given.length === 1;
    return isAll ? { command: what, which: { reason } } : undefined;
  } catch {
    // An option that it does not have, or one without its value.
    return undefined;
  }
}

function listTask(
  { company, limit }: { company?: string | undefined; limit?: string | undefined },
  reason: Reason | undefined,
): EventsTask | undefined {
  if (limit !== undefined && !(LIMIT.test(limit) && Number(limit) <= MOST_LISTED)) return undefined;
  if (company !== undefined && !COMPANY.test(company)) return undefined;
  const whose = company === undefined ? 'anyone' : company === NONE ? 'nobody' : [company];
  return { command: 'list', whose, reason, limit: limit === undefined ? LISTED : Number(limit) };
}

/** One screen, drawn again each second; one line each second where nobody looks. */
async function watch(app: INestApplicationContext, stop: AbortSignal): Promise<number> {
  const { WatchEvents } = await import('../events/upkeep/watch-events.js');
  const { watchLine, watchScreen } = await import('../events/upkeep/watch-words.js');
  const watching = app.get(WatchEvents);
  const left = new AbortController();
  // The reader has left, as in `npm run events -- watch | head`.
  process.stdout.on('error', () => left.abort());
  const over = AbortSignal.any([stop, left.signal]);
  const onTerminal = process.stdout.isTTY === true;
  if (onTerminal) screen.enter();
  try {
    while (!over.aborted) {
      const now = await watching.look().catch((error: Error) => error.message);
      if (over.aborted) break;
      if (onTerminal) screen.draw(watchScreen(now, screenSize()));
      else print(watchLine(now));
      await delay(EVERY_MS, undefined, { signal: over }).catch(() => undefined);
    }
  } finally {
    if (onTerminal) screen.leave();
  }
  return EXIT.drained;
}

async function list(
  app: INestApplicationContext,
  { whose, reason, limit }: Extract<EventsTask, { command: 'list' }>,
): Promise<number> {
  const { Quarantine } = await import('../events/quarantine/quarantine.js');
  const { rows, more } = await app.get(Quarantine).list(whose, { reason, resolved: false, after: '0', limit });
  if (rows.length === 0) return print('Nothing is in quarantine');
  const head = ['id', 'reason', 'company', 'client', 'received', 'bytes', 'detail', 'body'];
  const cells = rows.map((row) => [
    row.id,
    row.reason,
    row.company_id ?? '-',
    row.client_id ?? '-',
    `${age((Date.now() - row.received_at.getTime()) / 1_000)} ago`,
    row.body_bytes.toLocaleString('en'),
    row.detail || '-',
    shown(row.body),
  ]);
  for (const line of columns(head, cells)) print(line);
  return more ? print(`The oldest ${rows.length}; there are more`) : EXIT.drained;
}

/** The beginning of a body, which may hold anything. */
function shown(body: Buffer): string {
  const text = printable(body.subarray(0, 4 * BODY_SHOWN));
  return text.length > BODY_SHOWN ? `${text.slice(0, BODY_SHOWN)}...` : text;
}

async function replay(
  app: INestApplicationContext,
  which: { id: string } | { reason: Reason },
  stop: AbortSignal,
): Promise<number> {
  const { Quarantine } = await import('../events/quarantine/quarantine.js');
  const quarantine = app.get(Quarantine);
  if ('id' in which) {
    const outcome = await ended(() => quarantine.replay('anyone', which.id), which.id);
    if (typeof outcome === 'number') return outcome;
    if (outcome.kind !== 'refused') return print(`${outcome.kind}: evt_${outcome.eventId}`);
    print(`It stays: ${outcome.reason} ${outcome.detail}`.trimEnd());
    return EXIT.forced;
  }
  let [replayed, stay] = [0, 0];
  for (let after: string | undefined = '0'; after !== undefined && !stop.aborted; ) {
    const filter = { reason: which.reason, after, limit: REPLAYED_AT_ONCE };
    const { count, lookedAt, next } = await quarantine.replayMany('anyone', filter, stop);
    replayed += count;
    stay += lookedAt - count;
    after = next;
  }
  print(`${replayed} replayed${stay > 0 ? `, ${stay} stay` : ''}${stop.aborted ? ', told to stop' : ''}`);
  return stay === 0 && !stop.aborted ? EXIT.drained : EXIT.forced;
}

async function discard(app: INestApplicationContext, id: string): Promise<number> {
  const { Quarantine } = await import('../events/quarantine/quarantine.js');
  const done = await ended(() => app.get(Quarantine).discard('anyone', id), id);
  return done ?? print(`${id} discarded`);
}

/** Returns an exit code, and says why, where there is no such message or it has ended before. */
async function ended<T>(work: () => Promise<T>, id: string): Promise<T | number> {
  const { QuarantineNotFound, QuarantineResolved } = await import('../events/events.errors.js');
  try {
    return await work();
  } catch (error) {
    if (error instanceof QuarantineNotFound) return refuse(`There is no message ${id} in quarantine`);
    if (error instanceof QuarantineResolved) return refuse(`${id} is replayed or discarded already`);
    throw error;
  }
}
