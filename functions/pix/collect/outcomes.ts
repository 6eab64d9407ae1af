import type { Problem } from '../../platform/problem.js';
import { NotAcceptable, StreamClosed, StreamExpired, StreamNotFound, StreamSuperseded } from '../pix.errors.js';
import type { Refusal } from './streams.repository.js';

/**
 * What a client is told of an outcome of the functions in SQL.
 *
 * | outcome    | GET                    | DELETE |
 * |------------|------------------------|--------|
 * | batch      | 200                    |        |
 * | empty      | 204                    |        |
 * | full       | 429, of a start        |        |
 * | too_many   | 406                    |        |
 * | unknown    | 404                    | 404    |
 * | closed     | 410                    | 200    |
 * | superseded | 410                    | 410    |
 * | expired    | 410                    | 410    |
 */
const PROBLEMS = {
  too_many: NotAcceptable,
  unknown: StreamNotFound,
  closed: StreamClosed,
  superseded: StreamSuperseded,
  expired: StreamExpired,
} as const satisfies Record<Refusal, new () => Problem>;

/** The problem that an outcome is told as. */
export function problemOf(outcome: Refusal): Problem {
  return new PROBLEMS[outcome]();
}
