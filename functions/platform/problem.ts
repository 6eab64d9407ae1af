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

/** A class of problems of which OpenAPI shows an example, made without arguments or by the class's own `sample`. */
export type ProblemClass = (new () => Problem) | { sample(): Problem };

/** An example of a class of problems. */
export function sampleOf(problem: ProblemClass): Problem {
  return 'sample' in problem ? problem.sample() : new problem();
}

/** Where in the request something is wrong. `path` is dotted; empty for the whole request. */
export interface FieldError {
  path: string;
  message: string;
}

/** The most errors in an answer, which must not become larger than its request. */
const MAX_ERRORS = 10;
const MAX_IN_DETAIL = 3;
/** UTF-16 units of a path, each of which may be six bytes of JSON: ten errors stay under 4 KiB. */
const MAX_PATH = 40;

/** 400: the request does not have the shape that the route takes. Lists the first ten errors, and counts those beyond. */
export class ValidationProblem extends Problem {
  static readonly sample = (): Problem => new ValidationProblem([{ path: 'colour', message: 'is not known here' }]);

  constructor(all: readonly FieldError[]) {
    const errors = all.slice(0, MAX_ERRORS).map(({ path, message }) => ({ path: cut(path), message }));
    const fields = errors.map(({ path, message }) => (path ? `${path}: ${message}` : message));
    const more = all.length > MAX_ERRORS ? `; and ${all.length - MAX_IN_DETAIL} more` : '';
    const detail = fields.slice(0, MAX_IN_DETAIL).join('; ') || 'the request is not valid';
    super(400, 'VALIDATION', detail + more, { errors });
  }
}

function cut(path: string): string {
  if (path.length <= MAX_PATH) return path;
  // Not within a surrogate pair: half of one is no text.
  return `${path.slice(0, MAX_PATH).replace(/[\ud800-\udbff]$/, '')}...`;
}

/** 400: bytes that are not UTF-8; or a text with U+FFFD, which a decoder on the way here puts in their place. */
export class NotUtf8 extends Problem {
  static readonly sample = (): Problem => new NotUtf8('name');

  /** @param path The field, empty where it is not known. */
  constructor(path: string) {
    super(400, 'BODY.NOT_UTF8', `${path ? `${cut(path)}:` : 'the body'} must be text in UTF-8, without U+FFFD`);
  }
}

/** 404: the address is no route. */
export class NotFound extends Problem {
  constructor() {
    super(404, 'NOT_FOUND', 'there is nothing at this address');
  }
}

const KIB = 1_024;

/** 413: a JSON body over the limit of its route. */
export class BodyTooLarge extends Problem {
  static readonly sample = (): Problem => new BodyTooLarge(8 * KIB);

  constructor(limitBytes: number) {
    super(413, 'BODY.TOO_LARGE', `the body is over the limit of ${limitBytes / KIB} KiB`);
  }
}

/** 413: an export that is too large for the answer of a function. */
export class ExportTooLarge extends Problem {
  constructor() {
    super(
      413,
      'EXPORT.TOO_LARGE',
      'the export is over the limit of 5 MB; ask for parts of it with "after" and "limit"',
    );
  }
}

/** 415: a body of a type, a charset or a coding that no route takes. */
export class MediaTypeRefused extends Problem {
  constructor() {
    super(
      415,
      'VALIDATION',
      'this Content-Type, charset or Content-Encoding is not taken here; send JSON or a form in UTF-8',
    );
  }
}

/** 500: a bug. The answer has only an id, by which the log has the error. */
export class InternalProblem extends Problem {
  static readonly sample = (): Problem => new InternalProblem('0b8f5a52-7d0f-4f0c-9f0e-2f6f1f0a7c11');

  constructor(id: string) {
    super(500, 'INTERNAL', 'something went wrong here; the log has it under this id', { id });
  }
}

/** Whether a store is away: then others who need it now would meet the same. */
export function isOutage(error: unknown): boolean {
  return error instanceof ServiceUnavailable;
}

/** 503: a store that the request needs is away; the same request may be sent again. */
export class ServiceUnavailable extends Problem {
  static readonly sample = (): Problem => new ServiceUnavailable('the database is away');

  constructor(detail: string, cause?: unknown) {
    super(503, 'SERVICE_UNAVAILABLE', detail, undefined, { 'retry-after': String(RETRY_AFTER_S) });
    this.cause = cause;
  }
}
