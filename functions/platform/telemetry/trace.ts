import { randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** Version 00 of https://www.w3.org/TR/trace-context/#traceparent-header, whose ids are never all zero. */
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Where a request keeps its own, which most are never asked for. */
const own = Symbol('traceparent');

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * The caller's W3C Trace Context, or one of our own, made at the first look. What Fastify refuses before it looks for a
     * route has none.
     */
    readonly traceparent: string;
    [own]?: string;
  }
}

/** Gives every request its trace. */
export function traceRequests(fastify: FastifyInstance): void {
  fastify.decorateRequest('traceparent', {
    getter(this: FastifyRequest): string {
      this[own] ??= traceparentOf(this.headers.traceparent);
      return this[own];
    },
  });
}

/** What all log lines of a trace have in common; undefined where there is none. */
export function traceIdOf(traceparent: string | undefined): string | undefined {
  return TRACEPARENT.exec(traceparent ?? '')?.[1];
}

/** The caller's, or a new one where it has none or one that is not valid. */
function traceparentOf(header: unknown): string {
  if (typeof header === 'string' && TRACEPARENT.test(header)) return header;
  return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;
}
