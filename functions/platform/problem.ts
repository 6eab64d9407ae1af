import { STATUS_CODES } from 'node:http';

/** The media type of every error, RFC 9457. */
export const PROBLEM_JSON = 'application/problem+json';
const RETRY_AFTER_S = 5;

/** A failure that the caller is told of. `code` is stable and listed in the HTTP contract; `detail` holds no secret. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly extra?: Record<string, unknown>,
    readonly headers?: Record<string, string>,
  ) {
    super(detail);
    this.name = new.target.name;
  }

  /** The body of the answer. */
  body(): Record<string, unknown> {
    return {
      type: 'about:blank',
      title: STATUS_CODES[this.status] ?? 'Error',
      status: this.status,
      detail: this.message,
      code: this.code,
      ...this.extra,
    };
  }
}

/** What OpenAPI shows of a class of problems: one of them, made without arguments, or by the class itself. */
export type ProblemClass = (new () => Problem) | { sample(): Problem };

/** One problem of a class. */
export function sampleOf(problem: ProblemClass): Problem {
  return 'sample' in problem ? problem.sample() : new problem();
}

/** Where in the request something is wrong. `path` is dotted, empty for the whole. */
export interface FieldError {
  path: string;
  message: string;
}

/** 400: the request does not have the shape that the route takes. */
export class ValidationProblem extends Problem {
  static readonly sample = (): Problem => new ValidationProblem([{ path: 'colour', message: 'is not known here' }]);

  constructor(errors: FieldError[]) {
    const fields = errors.map((error) => (error.path ? `${error.path}: ${error.message}` : error.message));
    super(400, 'VALIDATION', fields.slice(0, 3).join('; ') || 'the request is not valid', { errors });
  }
}

/** 404 for what is no route. */
export class NotFound extends Problem {
  constructor() {
    super(404, 'NOT_FOUND', 'there is nothing at this address');
  }
}

/** 413: a JSON body over the limit of all routes. */
export class BodyTooLarge extends Problem {
  constructor() {
    super(413, 'CAMPAIGN.FILE_TOO_LARGE', 'the body is over the limit of 10 MiB');
  }
}

/** 415: a body of a type that no route takes. */
export class MediaTypeRefused extends Problem {
  constructor() {
    super(415, 'VALIDATION', 'this Content-Type is not taken here');
  }
}

/** 500: a bug. Its id is in the log, and its words are not in the answer. */
export class InternalProblem extends Problem {
  static readonly sample = (): Problem => new InternalProblem('0b8f5a52-7d0f-4f0c-9f0e-2f6f1f0a7c11');

  constructor(id: string) {
    super(500, 'INTERNAL', 'something went wrong here; the log has it under this id', { id });
  }
}

/** 503: a store that the request needs is away; the same request may come again. */
export class ServiceUnavailable extends Problem {
  static readonly sample = (): Problem => new ServiceUnavailable('the database is away');

  constructor(detail: string, cause?: unknown) {
    super(503, 'SERVICE_UNAVAILABLE', detail, undefined, { 'retry-after': String(RETRY_AFTER_S) });
    this.cause = cause;
  }
}
