import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ExportTooLarge } from '../problem.js';
import { Runtime } from '../runtime.js';

/** A function's answer is held whole and must stay under 6 MB on AWS. */
const FUNCTION_EXPORT_BYTES = 5_000_000;
/** Rows are joined up to about this size, so that a large export does not cost a write a row. */
const PIECE_CHARACTERS = 65_536;

/** Answers with rows as CSV, RFC 4180, with a header line. */
@Injectable()
export class CsvReply {
  constructor(private readonly runtime: Runtime) {}

  /** A plain server streams, flat in memory for any number of rows. A function sends the whole, or throws ExportTooLarge. */
  async send(reply: FastifyReply, header: readonly string[], rows: AsyncIterable<unknown[]>): Promise<FastifyReply> {
    const body =
      this.runtime.kind === 'function'
        ? await csvBuffer(header, rows)
        : Readable.from(csvPieces(header, rows), { objectMode: false });
    return reply.type('text/csv; charset=utf-8').send(body);
  }
}

async function csvBuffer(header: readonly string[], rows: AsyncIterable<unknown[]>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of csvPieces(header, rows)) {
    const bytes = Buffer.from(piece);
    size += bytes.length;
    if (size > FUNCTION_EXPORT_BYTES) throw new ExportTooLarge();
    pieces.push(bytes);
  }
  return Buffer.concat(pieces);
}

async function* csvPieces(header: readonly string[], rows: AsyncIterable<unknown[]>): AsyncGenerator<string> {
  let piece = csvLine(header);
  for await (const row of rows) {
    piece += csvLine(row);
    if (piece.length < PIECE_CHARACTERS) continue;
    yield piece;
    piece = '';
  }
  yield piece;
}

function csvLine(columns: readonly unknown[]): string {
  return `${columns.map(csvColumn).join(',')}\r\n`;
}

function csvColumn(value: unknown): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
