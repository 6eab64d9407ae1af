import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Runtime } from '../../platform/runtime.js';

/**
 * The header by which a function hands on when the gateway took the request, in milliseconds since 1970: a cold start counts,
 * too. boot.ts overwrites what a client sends. A server does not look at it.
 */
export const ARRIVED_HEADER = 'x-disparo-arrived-ms';

/** When the request came, by `performance.now()`. */
export function arrivedAt(request: FastifyRequest, reply: FastifyReply, { kind }: Runtime): number {
  const here = performance.now() - reply.elapsedTime;
  const gateway = Number(request.headers[ARRIVED_HEADER]);
  if (kind === 'server' || !Number.isFinite(gateway)) return here;
  // The gateway's clock may be ahead of ours.
  return Math.min(here, performance.now() - (Date.now() - gateway));
}
