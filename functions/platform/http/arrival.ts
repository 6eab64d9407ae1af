import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Runtime } from '../runtime.js';

/**
 * The header by which a function hands on when the gateway took the request, in milliseconds since 1970: a cold start counts,
 * too. boot.ts overwrites what a client sends. A server does not look at it.
 */
export const ARRIVED_HEADER = 'x-disparo-arrived-ms';

/** No gateway waits for longer: a request that would be older came by a clock that is wrong. */
const OLDEST_MS = 30_000;

/** When the request came, by `performance.now()`. */
export function arrivedAt(request: FastifyRequest, reply: FastifyReply, { kind }: Runtime): number {
  const here = performance.now() - reply.elapsedTime;
  const ageMs = Date.now() - Number(request.headers[ARRIVED_HEADER]);
  // guard: with a wrong clock of ours every poll would be answered at once, and would be late
  if (kind === 'server' || !(ageMs < OLDEST_MS)) return here;
  // The gateway's clock may be ahead of ours.
  return Math.min(here, performance.now() - ageMs);
}
