import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { MediaTypeRefused, NotUtf8, type Problem, ValidationProblem } from '../problem.js';
import { isOfUtf8 } from './charset.js';

/** Bytes of the headers of a part, at most. */
const HEADER_LIMIT = 8_192;
const BOUNDARY = /;\s*boundary\s*=\s*(?:"([^"]+)"|([^;\s]+))/i;
/** After a delimiter: it was the last one. */
const LAST = Buffer.from('--');
const END_OF_HEADERS = '\r\n\r\n';
const FOLD = /\r\n[ \t]+/g;
const QUOTED = /"[^"]*"/g;
const FILE_NAME = /^content-disposition\s*:.*;\s*filename\*?\s*=/im;
const CONTENT_TYPE = /^content-type\s*:(.*)$/gim;

/**
 * Reads the headers of a form's parts as they pass. The form's parser decodes them, and decodes a field by the charset that
 * they name. It says nothing where the result is no text, so what it passes on may be another text than was meant.
 */
export class PartHeaders {
  readonly #delimiter: Buffer | undefined;
  /** What was read and not judged yet. Begins with a newline, as the first delimiter of a form may have none before it. */
  #held: Buffer = Buffer.from('\r\n');
  #isInHeaders = false;
  /** The last delimiter has come. What follows is no part of the form, and may be of any length. */
  #isOver = false;
  #problem: Problem | undefined;

  constructor(contentType: string) {
    const [, quoted, plain] = BOUNDARY.exec(contentType) ?? [];
    const boundary = quoted ?? plain;
    // Without one the form's parser refuses the form.
    if (boundary !== undefined) this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  }

  /** Listens from now on. To be called before the form's parser, in the same turn. */
  static of(request: IncomingMessage): PartHeaders {
    const headers = new PartHeaders(request.headers['content-type'] ?? '');
    request.on('data', (bytes: Buffer) => headers.write(bytes));
    return headers;
  }

  /** Throws what is wrong with the headers that have passed. */
  check(): void {
    if (this.#problem) throw this.#problem;
  }

  write(bytes: Buffer): void {
    if (!this.#delimiter || this.#problem || this.#isOver) return;
    this.#held = Buffer.concat([this.#held, bytes]);
    while (this.#isInHeaders ? this.#readHeaders() : this.#skipContent(this.#delimiter));
  }

  /** False: more bytes are needed. */
  #skipContent(delimiter: Buffer): boolean {
    const at = this.#held.indexOf(delimiter);
    this.#isInHeaders = at >= 0;
    // What has come may end with the beginning of a delimiter.
    const rest = at >= 0 ? at + delimiter.length : Math.max(0, this.#held.length - delimiter.length + 1);
    this.#held = this.#held.subarray(rest);
    return this.#isInHeaders;
  }

  #readHeaders(): boolean {
    const end = this.#held.indexOf(END_OF_HEADERS);
    this.#isOver = this.#held.subarray(0, LAST.length).equals(LAST);
    if (this.#isOver) return false;
    if ((end < 0 ? this.#held.length : end) > HEADER_LIMIT)
      this.#problem = new ValidationProblem([{ path: '', message: 'the headers of a part are too long' }]);
    if (end < 0 || this.#problem) return false;
    this.#problem = problemOf(this.#held.subarray(0, end));
    // The newline that ends these headers may be the one before the next delimiter.
    this.#held = this.#held.subarray(end + 2);
    this.#isInHeaders = false;
    return this.#problem === undefined;
  }
}

function problemOf(bytes: Buffer): Problem | undefined {
  if (!isUtf8(bytes)) return new NotUtf8('');
  const headers = bytes.toString().replace(FOLD, ' ');
  // Only numbers are taken from a file, and they are the same in every charset that it may have.
  if (FILE_NAME.test(headers.replace(QUOTED, '""'))) return undefined;
  const foreign = [...headers.matchAll(CONTENT_TYPE)].some(([, type = '']) => !isOfUtf8(type));
  return foreign ? new MediaTypeRefused() : undefined;
}
