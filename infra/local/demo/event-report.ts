import { isDeepStrictEqual } from 'node:util';
import { colour, say } from '../supervise/terminal.js';
import type { SignedReceiver } from './signed-receiver.js';
import { table } from './table.js';

const DEFAULT_WIDTH = 100;

/** A row of the log of attempts, as the API tells it. */
export interface Attempt {
  event_id: string;
  attempt: number;
  at: string;
  status: number | null;
  error: string | null;
  took_ms: number;
}

/** An endpoint at the end: the receiver in this process, and what the API says of it. */
export interface Outcome {
  receiver: Pick<SignedReceiver, 'name' | 'requests'>;
  /** Deliveries that are still to go there, and those that were given up. */
  due: number;
  dead: number;
  attempts: Attempt[];
}

/** An event that was sent: its id, and its message. */
export interface SentEvent {
  id: string;
  message: { order: string };
}

/** Prints the attempts of all endpoints in the order in which they ended, each with the request that came of it. */
export function reportAttempts(outcomes: readonly Outcome[]): void {
  const rows = outcomes.flatMap(({ receiver, attempts }) => attempts.map((attempt) => ({ receiver, ...attempt })));
  const cells = rows
    .toSorted((one, other) => one.at.localeCompare(other.at))
    .map(({ receiver, event_id, attempt, status, error, took_ms }) => [
      event_id,
      receiver.name,
      String(attempt),
      String(status ?? error),
      `${took_ms} ms`,
      receiver.requests.some((each) => each.id === event_id && each.turn === attempt && each.verified) ? 'yes' : 'no',
    ]);
  say(`\n${colour('bold', 'GET /api/events/endpoints/:id/attempts, of both endpoints')}`);
  const width = process.stdout.columns ?? DEFAULT_WIDTH;
  say(table(['event', 'endpoint', 'attempt', 'status', 'took', 'verified'], cells, width));
}

/**
 * What is not as it should be, a line each. `failures`: how often the endpoint fails to take an event, by the names of both,
 * as `shaky evt_1`.
 */
export function wrongIn(
  outcomes: readonly Outcome[],
  events: readonly SentEvent[],
  failures: Record<string, number>,
): string[] {
  return outcomes.flatMap(({ receiver: { name, requests }, due, dead, attempts }) => {
    const wanted = events.map(({ id }) => [...Array(failures[`${name} ${id}`] ?? 0).fill(500), 200]);
    const logged = events.map(({ id }) => attempts.filter((each) => each.event_id === id).map(({ status }) => status));
    const came = events.map(({ id }) => requests.filter((each) => each.id === id));
    const facts: [boolean, string][] = [
      [due === 0 && dead === 0, `${due} deliveries are due and ${dead} were given up`],
      [isDeepStrictEqual(logged, wanted), `the API tells of other attempts: ${JSON.stringify(logged)}`],
      [
        isDeepStrictEqual(
          came.map((each) => each.map(({ status }) => status)),
          wanted,
        ) && requests.length === wanted.flat().length,
        `other requests came: ${requests.map(({ id, status }) => `${id} ${status}`).join(', ')}`,
      ],
      [requests.every(({ verified }) => verified), 'a signature is wrong'],
      [requests.every(({ tamperProof }) => tamperProof), 'a changed byte was not noticed'],
      [
        came.every(([first, ...again]) => again.every(({ body }) => first?.body.equals(body))),
        'an attempt had other bytes',
      ],
      [
        events.every(({ message }, index) => tells(came[index]?.[0]?.body, message)),
        'a message is not the one that was sent',
      ],
    ];
    return facts.filter(([isTrue]) => !isTrue).map(([, words]) => `${name}: ${words}`);
  });
}

/** Whether a request's body tells this message. */
function tells(body: Buffer | undefined, message: object): boolean {
  if (!body) return false;
  const { data } = JSON.parse(body.toString()) as { data: { message: string } };
  return isDeepStrictEqual(JSON.parse(data.message), message);
}
