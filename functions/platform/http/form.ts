import { createHash } from 'node:crypto';
import type { Multipart, MultipartFile, MultipartValue } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { inTurns } from '../in-turns.js';
import { MediaTypeRefused, Problem, ValidationProblem } from '../problem.js';
import { PartHeaders } from './part-headers.js';
import { cleanText } from './text.js';

const MIB = 1_048_576;
/** More than any form has, so that a surplus field is named and not cut off. */
const FIELD_PARTS = 16;
const FIELD_BYTES = 65_536;
/** Values of Content-Transfer-Encoding that leave the bytes as they are. The form's parser decodes none of the others. */
const PLAIN = new Set(['7bit', '8bit', 'binary']);

/** The one file that a form has, and what is done with it. */
interface FileOfForm {
  /** The name of its part; without it the first file part is taken, whatever its name. */
  name?: string;
  limitMib: number;
  /**
   * Called when the file begins, with the fields before it. Returns the function that takes its pieces and keeps none of
   * them: their memory is used again. The file is read to its end even when it is refused, so that the client has finished
   * sending when the answer comes. So what is wrong with the bytes is kept, not thrown.
   */
  begin(fields: ReadonlyMap<string, string>): (piece: Uint8Array) => Promise<void> | void;
  /** The problem where Content-Length already says that the form is far over the limit. */
  tooLarge(): Problem;
  /** The problem where the part of that name is a plain field. */
  notAFile?(): Problem;
}

/** A form that was read to its end. The caller judges the fields first, then the file. */
interface Form {
  fields: Record<string, string>;
  /** Undefined: the form had no file. */
  file: { sha256: Buffer; isTooLarge: boolean; name: string } | undefined;
}

/**
 * Reads multipart as a stream, with its parts in any order: fields, each a text that is given once, and one file. Throws
 * ValidationProblem for a broken form and a surplus file, MediaTypeRefused, NotUtf8, and the problems of `file`.
 */
export async function readForm(request: FastifyRequest, file: FileOfForm): Promise<Form> {
  const { name, limitMib } = file;
  const fields = new Map<string, string>();
  let read: Form['file'];
  // A form that says it is far too large is refused before it is read.
  if (Number(request.headers['content-length'] ?? 0) > (limitMib + 1) * MIB) throw file.tooLarge();
  const options = {
    // The plugin's types have it for a single file only, but it works here too: a file over the limit is read to its end.
    throwFileSizeLimit: false,
    limits: { fileSize: limitMib * MIB, files: 2, fields: FIELD_PARTS, fieldSize: FIELD_BYTES },
  };
  for await (const item of parts(request, options)) {
    if (!PLAIN.has(item.encoding)) throw new MediaTypeRefused();
    if (item.type === 'file') {
      if (read || (name !== undefined && item.fieldname !== name)) throw surplusFile(item, name);
      read = await readFile(item, file.begin(fields));
    } else {
      if (item.fieldname === name && file.notAFile) throw file.notAFile();
      readField(item, fields);
    }
  }
  return { fields: Object.fromEntries(fields), file: read };
}

/** The parts of a form. What its parser cannot read is the caller's mistake, not a bug: ValidationProblem. */
async function* parts(request: FastifyRequest, options: object): AsyncGenerator<Multipart> {
  const headers = PartHeaders.of(request.raw);
  try {
    for await (const item of request.parts(options)) {
      headers.check();
      yield item;
    }
  } catch (error) {
    throw asBrokenForm(error);
  }
  headers.check();
}

function readField({ fieldname, value, valueTruncated }: MultipartValue, fields: Map<string, string>): void {
  if (fields.has(fieldname)) throw invalid(fieldname, 'stands twice');
  if (valueTruncated) throw invalid(fieldname, 'is too long');
  // A part that says it is JSON is parsed by the plugin, and may be anything then.
  if (typeof value !== 'string') throw invalid(fieldname, 'must be a text');
  // A form sends each newline of a field as CRLF: https://html.spec.whatwg.org/multipage/form-control-infrastructure.html
  fields.set(cleanText(fieldname, ''), cleanText(value, fieldname));
}

async function readFile(item: MultipartFile, take: ReturnType<FileOfForm['begin']>): Promise<Form['file']> {
  const hash = createHash('sha256');
  for await (const piece of pieces(item)) {
    hash.update(piece);
    const taking = take(piece);
    if (taking) await taking;
  }
  return { sha256: hash.digest(), isTooLarge: item.file.truncated, name: item.filename };
}

async function* pieces(item: MultipartFile): AsyncGenerator<Uint8Array> {
  try {
    yield* inTurns(item.file as AsyncIterable<Buffer>);
  } catch (error) {
    throw asBrokenForm(error);
  }
}

/** The plugin's own errors have a status; those of the parser below it are plain ones. */
function asBrokenForm(error: unknown): unknown {
  if (error instanceof Problem) return error;
  const { statusCode } = error as { statusCode?: unknown };
  return typeof statusCode === 'number' ? error : invalid('', 'the form breaks off or is no multipart/form-data');
}

function surplusFile(item: MultipartFile, name: string | undefined): ValidationProblem {
  item.file.resume();
  if (name === undefined) return invalid(item.fieldname, 'is a second file');
  return invalid(item.fieldname, item.fieldname === name ? 'stands twice' : 'must not be a file');
}

function invalid(path: string, message: string): ValidationProblem {
  return new ValidationProblem([{ path, message }]);
}
