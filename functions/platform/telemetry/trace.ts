import { randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** Version 00 of https://www.w3.org/TR/trace-context/#traceparent-header, whose ids are never all zero. */
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

declare module 'fastify' {
  interface FastifyRequest {
    /** The caller's W3C Trace Context, or one of our own. Empty where no route was looked for. */
    traceparent: string;
  }
}

/** Gives every request its trace before anything else sees it. */
export function traceRequests(fastify: FastifyInstance): void {
  fastify.decorateRequest('traceparent', '');
  fastify.addHook('onRequest', async (request: FastifyRequest) => {
    request.traceparent = traceparentOf(request.headers.traceparent);
  });
}

/** What all log lines of a trace have in common; undefined where there is none. */
export function traceIdOf(traceparent: string): string | undefined {
  return TRACEPARENT.exec(traceparent)?.[1];
}

/** The caller's, or a new one where it has none or one that is not valid. */
function traceparentOf(header: unknown): string {
  if (typeof header === 'string' && TRACEPARENT.test(header)) return header;
  return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;
}
