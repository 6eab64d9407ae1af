import type { Says } from '@disparo/contract';
import type { LoggerService } from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { pino } from 'pino';
import type { Config } from '../config.js';
import { memberNumber } from '../processes/member.js';
import { traceIdOf } from './trace.js';

/** Fields, then a sentence. Never a phone number, e-mail, document, token, password or body. Injected by this class. */
export abstract class Log {
  abstract debug(fields: object, sentence: string): void;
  abstract info(fields: object, sentence: string): void;
  abstract warn(fields: object, sentence: string): void;
  abstract error(fields: object, sentence: string): void;
}

/** A log for those who say one line without fields. */
export function saysTo(log: Log): Says {
  return { info: (line) => log.info({}, line), error: (line) => log.error({}, line) };
}

/** Drivers attach rows and documents to their errors: only what names the failure is kept. */
function bareError(error: unknown): unknown {
  if (!(error instanceof Error)) return { message: String(error) };
  const { name, message, stack } = error;
  return { type: name, message, stack, code: (error as { code?: unknown }).code };
}

/** JSON lines on standard output. An `err` field keeps type, message, stack and code; `process` says which of several it is. */
export function createLog(level: Config['logLevel']): Log {
  const base = memberNumber === undefined ? null : { process: memberNumber };
  return pino({ level, base, timestamp: pino.stdTimeFunctions.isoTime, serializers: { err: bareError } });
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The user who sent the request, once the token is verified. */
    userId?: string;
    /** The client whose key came in place of a token, on a route that takes such keys. */
    clientId?: string | undefined;
    /** The tenant, once it is known. */
    companyId?: string;
  }
}

/** The path template of a request, which is safe to log and to count. */
export function routeOf(request: FastifyRequest): string {
  return request.is404 ? 'unknown' : (request.routeOptions?.url ?? 'unknown');
}

/** The levels at which lines of debug are written. */
const SHOW_DEBUG: ReadonlySet<string> = new Set(['debug', 'trace']);

/** One wide line a request, when its answer has gone out or its caller has left. */
export function logRequests(fastify: FastifyInstance, log: Log, atLevel: Config['logLevel']): void {
  fastify.addHook('onResponse', (request, reply, done) => {
    // A 503 of a quiet route is its module's to tell, once for all of them.
    const isTold = reply.statusCode < 500 || reply.statusCode === 503;
    const level = request.routeOptions.config.quiet && isTold ? 'debug' : 'info';
    // What nobody reads costs nothing: no line, and no trace that is made for it.
    if (level === 'debug' && !SHOW_DEBUG.has(atLevel)) return done();
    log[level](
      {
        method: request.method,
        route: routeOf(request),
        status: reply.statusCode,
        duration_ms: Math.round(reply.elapsedTime * 10) / 10,
        request_id: request.id,
        trace_id: traceIdOf(request.traceparent),
        user_id: request.userId,
        client_id: request.clientId,
        company_id: request.companyId,
      },
      'answered',
    );
    done();
  });
}

/** Nest's own log lines, in our format. What it says about routes and modules is at level debug. */
export class NestLog implements LoggerService {
  constructor(private readonly inner: Log) {}

  log(message: unknown, context?: unknown): void {
    this.inner.debug({ context }, String(message));
  }

  warn(message: unknown, context?: unknown): void {
    this.inner.warn({ context }, String(message));
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.inner.error(message instanceof Error ? { err: message } : { context: rest.at(-1) }, String(message));
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.error(message, ...rest);
  }

  debug(): void {}

  verbose(): void {}
}
