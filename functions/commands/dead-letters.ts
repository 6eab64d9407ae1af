import { EXIT } from '@disparo/contract';
import type { DeadLetter, DeadLetters } from '../ledger/inspect/dead-letters.js';
import type { Command } from '../platform/command.js';
import { age, columns, print, refuse } from '../platform/terminal.js';

/** `place`: the number of one dead letter, from 1; undefined: all of them. */
type DeadLettersTask =
  | { command: 'list' }
  | { command: 'show'; place: number }
  | { command: 'replay' | 'drop'; place: number | undefined };

const PLACE = /^[1-9]\d{0,5}$/;
const ALL = '--all';
const BODY_SHOWN = 2_000;

/** The dead-letter queue: look, send again, drop. */
const deadLetters: Command<DeadLettersTask> = {
  usage: 'npm run dead-letters -- list | show N | replay [N] | drop N | drop --all',
  task: deadLettersTask,
  reads: ({ command }) => (command === 'list' || command === 'show' ? ['RABBITMQ_URL'] : undefined),
  logs: false,
  work: async (app, task, stop) => {
    const { DeadLetters, MAX_HELD } = await import('../ledger/inspect/dead-letters.js');
    const dead = app.get(DeadLetters);
    if (task.command === 'list') return list(dead);
    if (task.place !== undefined && task.place > MAX_HELD)
      return refuse(`N goes up to ${MAX_HELD}: replay or drop older ones first`);
    if (task.command === 'show') return show(dead, task.place);
    const notReached = () => (stop.aborted ? 'told to stop' : `the ${MAX_HELD} that stay are before them`);
    if (task.command === 'replay') return replay(dead, task.place, stop, notReached);
    return drop(dead, task.place, stop, notReached);
  },
};
export default deadLetters;

/**
 * A dropped message is gone, so `drop` takes all of them only with `--all`. To replay once too often is harmless, so
 * `replay` without N replays all of them.
 */
function deadLettersTask([command, which, ...more]: readonly string[]): DeadLettersTask | undefined {
  if (more.length > 0) return undefined;
  if (command === 'list') return which === undefined ? { command } : undefined;
  const place = which !== undefined && PLACE.test(which) ? Number(which) : undefined;
  if (command === 'show') return place === undefined ? undefined : { command, place };
  if (command !== 'replay' && command !== 'drop') return undefined;
  const all = which === ALL || (command === 'replay' && which === undefined);
  return all || place !== undefined ? { command, place } : undefined;
}

async function list(dead: DeadLetters): Promise<number> {
  const { oldest, total } = await dead.list();
  if (total === 0) return print('There is no dead letter');
  const rows = oldest.map((deadLetter) => row(deadLetter).map((cell) => cell.replaceAll('\n', ' ')));
  const head = ['N', 'reason', 'campaign', 'published', 'bytes', 'detail'];
  for (const line of columns(head, rows)) print(line);
  return oldest.length < total ? print(`The oldest ${oldest.length} of ${total}`) : EXIT.drained;
}

function row({ place, reason, campaignId, publishedAt, bytes, detail }: DeadLetter): string[] {
  return [String(place), reason ?? '-', campaignId ?? '-', ago(publishedAt), bytes.toLocaleString('en'), detail ?? '-'];
}

async function show(dead: DeadLetters, place: number): Promise<number> {
  const deadLetter = await dead.show(place);
  if (!deadLetter) return missing(place);
  const { properties, body } = deadLetter;
  print(JSON.stringify(properties, null, 2));
  print(body.slice(0, BODY_SHOWN));
  return body.length > BODY_SHOWN ? print(`... ${(body.length - BODY_SHOWN).toLocaleString('en')} more characters`) : 0;
}

async function replay(
  dead: DeadLetters,
  place: number | undefined,
  stop: AbortSignal,
  notReached: () => string,
): Promise<number> {
  const { sent, stay, left } = await dead.replay(place, stop);
  if (place !== undefined && sent + stay.length === 0) return missing(place);
  print(`${sent} sent again`);
  for (const { place, sourceQueue } of stay) print(`${place} stays: ${whyItStays(sourceQueue)}`);
  if (left > 0) print(`${left} more were not looked at: ${notReached()}`);
  return stay.length + left === 0 ? EXIT.drained : EXIT.forced;
}

function whyItStays(sourceQueue: string | undefined): string {
  if (sourceQueue === undefined) return 'it names no queue that it came from';
  return `it came from ${sourceQueue}, which is not a queue here`;
}

async function drop(
  dead: DeadLetters,
  place: number | undefined,
  stop: AbortSignal,
  notReached: () => string,
): Promise<number> {
  const { dropped, left } = await dead.drop(place, stop);
  if (place !== undefined && dropped === 0) return missing(place);
  print(`${dropped} dropped`);
  if (left > 0) print(`${left} more were not looked at: ${notReached()}`);
  return left === 0 ? EXIT.drained : EXIT.forced;
}

/** How long ago that was. */
function ago(since: Date | undefined): string {
  return since ? `${age((Date.now() - since.getTime()) / 1_000)} ago` : '-';
}

function missing(place: number): number {
  return refuse(`There is no dead letter ${place}`);
}
