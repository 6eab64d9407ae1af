import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Multipart, MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { PartHeaders } from '../../platform/http/part-headers.js';
import { Spool } from '../../platform/http/spool.js';
import { cleanText } from '../../platform/http/text.js';
import { parseWith } from '../../platform/http/validation.js';
import { MediaTypeRefused, Problem, ValidationProblem } from '../../platform/problem.js';
import { PhoneColumnUnknown as ColumnUnknown, FileNotText } from '../../recipients/recipients.errors.js';
import { type Recipients } from '../../recipients/recipients.js';
import {
  type PhoneColumn,
  type ReadOptions,
  RecipientsFile,
  recipientsFromList,
} from '../../recipients/recipients-file.js';
import { FileIsNotText, FileMissing, FileTooLarge, PhoneColumnUnknown } from '../campaigns.errors.js';
import { campaignForm, campaignJson, phoneColumn } from '../campaigns.schemas.js';

/** A request for a campaign, read whole: its numbers as bytes, its fields checked. */
export interface Upload {
  name: string;
  message: string;
  companyId: string;
  recipients: Recipients;
  /** SHA-256 over the fields and the SHA-256 of the file's bytes: what an Idempotency-Key stands for. */
  content: Buffer;
}

const MIB = 1_048_576;
/** More than the form has, so that a surplus field is named and not cut off. */
const FIELD_PARTS = 16;
const FIELD_BYTES = 65_536;
/** Of Content-Transfer-Encoding: what leaves the bytes as they are. The form's parser undoes none of the others. */
const PLAIN = new Set(['7bit', '8bit', 'binary']);
/** Bytes between two turns of the event loop: some 2,000 of the shortest lines, which are milliseconds of work. */
const PIECE_BYTES = 4_096;

/** What was read of the file part. Its problems wait until the form is read: fields are judged first. */
interface FilePart {
  file: RecipientsFile;
  /** The field `phone_column`, if it came before the file. */
  column: PhoneColumn | undefined;
  sha256: Buffer;
  isTooLarge: boolean;
  /** With the text, as it was read: with another column it may have none. */
  problem: Error | undefined;
}

/**
 * Reads multipart (as a stream, parts in any order) or JSON. Throws ValidationProblem, FileMissing, FileTooLarge,
 * FileIsNotText. Nothing is stored.
 */
export async function readUpload(request: FastifyRequest, limitMib: number): Promise<Upload> {
  return request.isMultipart() ? readForm(request, limitMib) : readJson(request.body);
}

async function readJson(body: unknown): Promise<Upload> {
  const fields = parseWith(campaignJson, body ?? {});
  const sha256 = createHash('sha256').update(JSON.stringify(fields.phone_numbers)).digest();
  const allowDuplicates = fields.allow_duplicates ?? false;
  const options = { allowDuplicates, column: fields.phone_column };
  return upload(fields, allowDuplicates, await asProblem(recipientsFromList(fields.phone_numbers, options)), sha256);
}

async function readForm(request: FastifyRequest, limitMib: number): Promise<Upload> {
  const spool = new Spool();
  try {
    return await readParts(request, limitMib, spool);
  } finally {
    await spool.close();
  }
}

async function readParts(request: FastifyRequest, limitMib: number, spool: Spool): Promise<Upload> {
  const fields = new Map<string, string>();
  let part: FilePart | undefined;
  // A form that says it is far too large is refused before it is read.
  if (Number(request.headers['content-length'] ?? 0) > (limitMib + 1) * MIB) throw new FileTooLarge(limitMib);
  const options = {
    // The plugin's types know it for one file only; it holds here too, and a file over the limit is still read to its end.
    throwFileSizeLimit: false,
    limits: { fileSize: limitMib * MIB, files: 2, fields: FIELD_PARTS, fieldSize: FIELD_BYTES },
  };
  for await (const item of parts(request, options)) {
    if (!PLAIN.has(item.encoding)) throw new MediaTypeRefused();
    if (item.type === 'file') {
      if (item.fieldname !== 'file' || part) throw surplusFile(item);
      part = await readFile(item, phoneColumn.safeParse(fields.get('phone_column')).data, spool);
      continue;
    }
    if (item.fieldname === 'file')
      throw new FileMissing('the part "file" is a plain field; send it as a file: with curl, -F file=@numbers.txt');
    if (fields.has(item.fieldname)) throw invalid(item.fieldname, 'stands twice');
    if (item.valueTruncated) throw invalid(item.fieldname, 'is too long');
    // A part that says it is JSON is parsed by the plugin, and may be anything then.
    if (typeof item.value !== 'string') throw invalid(item.fieldname, 'must be a text');
    // A form sends each newline of a field as CRLF: https://html.spec.whatwg.org/multipage/form-control-infrastructure.html
    fields.set(cleanText(item.fieldname, ''), cleanText(item.value, item.fieldname));
  }
  const checked = parseWith(campaignForm, Object.fromEntries(fields));
  if (!part) throw new FileMissing();
  if (part.isTooLarge) throw new FileTooLarge(limitMib);
  const allowDuplicates = checked.allow_duplicates === 'true';
  const recipients = await recipientsOf(part, spool, { allowDuplicates, column: checked.phone_column });
  return upload(checked, allowDuplicates, recipients, part.sha256);
}

/** A file that came before the field that names its column is read again. */
async function recipientsOf(part: FilePart, spool: Spool, options: ReadOptions): Promise<Recipients> {
  const { file, column, problem } = part;
  if (options.column !== column) {
    if (file.columns !== 1) return readNumbers(spool.read(), options);
    if (!file.reads(options.column)) throw new PhoneColumnUnknown([file.column]);
  }
  if (problem) throw problem;
  return asProblem(file.finish(options));
}

/** The numbers of a file that comes as a stream of bytes. Throws FileIsNotText, at once: the rest is not read. */
export async function readNumbers(bytes: AsyncIterable<Uint8Array>, options: ReadOptions): Promise<Recipients> {
  const file = new RecipientsFile(options.column);
  return asProblem(
    (async () => {
      for await (const piece of inTurns(bytes)) file.write(piece);
      return file.finish(options);
    })(),
  );
}

/** The parts of a form. What its parser cannot read is the caller's mistake and no bug: ValidationProblem. */
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

/** The plugin's own errors have a status; those of the parser below it are plain ones. */
function asBrokenForm(error: unknown): unknown {
  if (error instanceof Problem) return error;
  const { statusCode } = error as { statusCode?: unknown };
  return typeof statusCode === 'number' ? error : invalid('', 'the form breaks off or is no multipart/form-data');
}

/** The file is read to its end even when it is refused, so that the answer finds a client that has finished sending. */
async function readFile(item: MultipartFile, column: PhoneColumn | undefined, spool: Spool): Promise<FilePart> {
  const file = new RecipientsFile(column);
  const hash = createHash('sha256');
  let problem: Error | undefined;
  for await (const piece of pieces(item)) {
    hash.update(piece);
    // The column may be named behind the file, and matters where there are several.
    if (column === undefined && file.columns !== 1) await spool.add(piece);
    if (problem) continue;
    try {
      file.write(piece);
    } catch (error) {
      problem = problemOf(error);
    }
  }
  return { file, column, sha256: hash.digest(), isTooLarge: item.file.truncated, problem };
}

/**
 * Small pieces, with a turn of the event loop after each. A function has its request whole, and a socket that has much to read
 * is read up to 32 times before anything else gets its turn: https://github.com/libuv/libuv/blob/v1.x/src/unix/stream.c
 */
async function* inTurns<T extends Uint8Array>(bytes: AsyncIterable<T>): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes)
    for (let at = 0; at < piece.length; at += PIECE_BYTES) {
      yield piece.subarray(at, at + PIECE_BYTES);
      await nextTurn();
    }
}

async function* pieces(item: MultipartFile): AsyncGenerator<Uint8Array> {
  try {
    yield* inTurns(item.file as AsyncIterable<Buffer>);
  } catch (error) {
    throw asBrokenForm(error);
  }
}

function upload(
  fields: Pick<z.output<typeof campaignForm>, 'name' | 'message' | 'company_id' | 'phone_column'>,
  allowDuplicates: boolean,
  recipients: Recipients,
  sha256: Buffer,
): Upload {
  const { name, message, company_id: companyId, phone_column: column } = fields;
  const said = JSON.stringify([name, message, companyId, allowDuplicates, ...(column === undefined ? [] : [column])]);
  const content = createHash('sha256').update(said).update(sha256).digest();
  return { name, message, companyId, recipients, content };
}

function surplusFile(item: MultipartFile): ValidationProblem {
  item.file.resume();
  return invalid(item.fieldname, item.fieldname === 'file' ? 'stands twice' : 'must not be a file');
}

function invalid(path: string, message: string): ValidationProblem {
  return new ValidationProblem([{ path, message }]);
}

async function asProblem<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    throw problemOf(error);
  }
}

function problemOf(error: unknown): Error {
  if (error instanceof FileNotText) return new FileIsNotText(error.line);
  if (error instanceof ColumnUnknown) return new PhoneColumnUnknown(error.columns);
  return error instanceof Error ? error : new Error(String(error));
}
