import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  BodyTooLarge,
  InternalProblem,
  MediaTypeRefused,
  NotFound,
  PROBLEM_JSON,
  Problem,
  ServiceUnavailable,
  ValidationProblem,
} from '../problem.js';
import { isMongoAway } from '../stores/mongo.js';
import { isAway } from '../stores/postgres.js';
import { Log, routeOf } from '../telemetry/log.js';
import { traceIdOf } from '../telemetry/trace.js';
import { ANSWER_HEADERS } from './headers.js';

/** What Fastify and its plugins refuse themselves, with the stable codes of the HTTP contract. */
const FRAMEWORK: Record<string, [status: number, code: string, detail: string] | (new () => Problem)> = {
  FST_ERR_CTP_INVALID_JSON_BODY: [400, 'VALIDATION', 'the body is not JSON'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [400, 'VALIDATION', 'the body is not as long as Content-Length says'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: MediaTypeRefused,
  FST_FIELDS_LIMIT: [400, 'VALIDATION', 'the form has too many fields'],
  FST_FILES_LIMIT: [400, 'VALIDATION', 'the form has too many files'],
  FST_PARTS_LIMIT: [400, 'VALIDATION', 'the form has too many parts'],
  FST_INVALID_JSON_FIELD_ERROR: [400, 'VALIDATION', 'a field of the form says that it is JSON and is not'],
  FST_PROTO_VIOLATION: [400, 'VALIDATION', 'the form has a field that is not known here'],
  FST_ERR_BAD_URL: [400, 'VALIDATION', 'the path is not percent-encoded UTF-8'],
  FST_ERR_MAX_PARAM_LENGTH: [414, 'VALIDATION', 'a part of the path is too long'],
};
const TOO_LARGE = 'FST_ERR_CTP_BODY_TOO_LARGE';
/** How long the rest of a refused body may go on coming. */
const READ_REST_MS = 30_000;
/** How long a client whose headers were refused may go on sending. */
const READ_HEADERS_MS = 5_000;
/** The one boundary where an error becomes an answer: every error, from every layer, as RFC 9457, and logged once. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly log: Log) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.answer(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }

  /** Fastify calls this too, for a path that its router cannot read. */
  answer(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const problem = this.#problem(error, request);
    if (reply.raw.headersSent) {
      // An answer that has begun cannot become another: the caller must see it break off.
      reply.raw.destroy();
      return;
    }
    const body = { ...problem.body(), ...request.routeOptions.config.beside?.(problem) };
    const send = (): void => {
      // Fastify closes the connection after a body it refused. A client that still sends would see that and no answer.
      void reply
        .removeHeader('connection')
        .status(problem.status)
        // Set here too: no hook has run for what Fastify refuses before it has a route.
        .headers({ ...ANSWER_HEADERS, ...problem.headers, 'content-type': PROBLEM_JSON })
        .send(JSON.stringify(body));
    };
    const { raw } = request;
    const isRead = raw.readableEnded || raw.destroyed;
    // The answer ends a connection that is not kept alive, even if the client still sends. So there it waits for the rest.
    if (isRead || isKept(raw)) send();
    if (!isRead) readRest(raw, isKept(raw) ? () => {} : send);
  }

  #problem(error: unknown, request: FastifyRequest): Problem {
    const problem = isTooLarge(error) ? tooLarge(request) : toProblem(error);
    if (problem === undefined) {
      this.log.error({ ...about(request), err: error }, 'a bug: the request failed');
      return new InternalProblem(request.id);
    }
    // A quiet route has thousands of them at once; its module says when it begins, and when it is over.
    const level = request.routeOptions?.config.quiet ? 'debug' : 'warn';
    if (problem.status >= 500) this.log[level]({ ...about(request), err: problem.cause ?? error }, problem.message);
    return problem;
  }
}

/** What a log line says of a request. */
function about(request: FastifyRequest) {
  const { id: request_id, method, traceparent } = request;
  return { request_id, trace_id: traceIdOf(traceparent), method, route: routeOf(request) };
}

function isKept({ headers, httpVersion }: IncomingMessage): boolean {
  const connection = headers.connection?.toLowerCase() ?? '';
  return httpVersion === '1.0' ? connection.includes('keep-alive') : !connection.includes('close');
}

/** Reads the rest of a body and drops it, so that a client that sends its whole body before it reads gets to the answer. */
function readRest(body: IncomingMessage, then: () => void): void {
  const tooLong = setTimeout(() => {
    then();
    body.destroy();
  }, READ_REST_MS).unref();
  body.once('close', () => clearTimeout(tooLong));
  body.once('end', () => {
    clearTimeout(tooLong);
    then();
  });
  body.unpipe();
  body.resume();
}

function isTooLarge(error: unknown): boolean {
  return codeOf(error) === TOO_LARGE || codeOf((error as { cause?: unknown } | null)?.cause) === TOO_LARGE;
}

function tooLarge({ routeOptions }: FastifyRequest): Problem {
  return routeOptions.config.tooLarge?.() ?? new BodyTooLarge(routeOptions.bodyLimit);
}

/** The problem that an error stands for; undefined for a bug. */
function toProblem(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  if (isAway(error)) return new ServiceUnavailable('the database is away', error);
  if (isMongoAway(error)) return new ServiceUnavailable('the messages cannot be reached now', error);
  // Nest wraps what Fastify refused, and keeps it as the cause.
  const known = FRAMEWORK[codeOf(error)] ?? FRAMEWORK[codeOf((error as { cause?: unknown } | null)?.cause)];
  if (known) return Array.isArray(known) ? refused(...known) : new known();
  const status = statusOf(error);
  if (status === 404) return new NotFound();
  if (status === 503) return new ServiceUnavailable('the service is not ready', error);
  if (status === undefined || status < 400 || status >= 500) return undefined;
  const detail = STATUS_CODES[status]?.toLowerCase() ?? 'the request is not valid';
  return refused(status, status === 413 ? 'BODY.TOO_LARGE' : 'VALIDATION', detail);
}

/** Every 400 of this code has `errors`, also where no field is wrong but the whole request. */
function refused(status: number, code: string, detail: string): Problem {
  if (status === 400 && code === 'VALIDATION') return new ValidationProblem([{ path: '', message: detail }]);
  return new Problem(status, code, detail);
}

/** What Node says of bytes that become no request, by its code. */
const NO_HTTP: Record<string, [status: number, detail: string]> = {
  HPE_HEADER_OVERFLOW: [431, 'the path and the headers are over the limit of 16 KiB'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the headers of the request did not come in time'],
};

/** Answers bytes that are not HTTP at all: there is no request object for them. */
export function answerNoHttp(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, detail] = NO_HTTP[error.code ?? ''] ?? [400, 'this is not a request of HTTP/1.1'];
  const body = JSON.stringify(new Problem(status, 'VALIDATION', detail).body());
  const headers = {
    'Content-Type': PROBLEM_JSON,
    'Content-Length': body.length,
    Connection: 'close',
    ...ANSWER_HEADERS,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  // What still comes is read and dropped: a socket that closes with unread bytes is reset, and its client loses the answer.
  socket.removeAllListeners('data').resume();
  setTimeout(() => socket.destroy(), READ_HEADERS_MS).unref();
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

function statusOf(error: unknown): number | undefined {
  if (error instanceof HttpException) return error.getStatus();
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  return typeof status === 'number' ? status : undefined;
}
