import { Ajv2020, type DefinedError } from 'ajv/dist/2020.js';
import type { Options } from 'amqplib';
import { contractJson } from './contract-file.js';

/** Consecutive numbers of a campaign: the body of a queue message, version 1 (campaign-chunk.v1.schema.json). */
export interface Chunk {
  campaign_id: string;
  company_id: string;
  /** The text that every number of the chunk gets. */
  message: string;
  /** The sequence of the first number, from 1. */
  first_sequence: number;
  /** E.164 with `+`, in the file's order, 1 to MAX_CHUNK_NUMBERS. */
  phone_numbers: string[];
}

/** The version that is written today. A consumer refuses every other one as `unknown_version`. */
export const CHUNK_VERSION = 1;
/** Numbers in one queue message, at most. */
export const MAX_CHUNK_NUMBERS = 5_000;
/** Bytes of one queue message, at most. */
export const MAX_CHUNK_BYTES = 1_048_576;

const validate = new Ajv2020({ allErrors: false }).compile<Chunk & { version: number }>(
  contractJson<object>('campaign-chunk.v1.schema.json'),
);

/**
 * What is wrong with a parsed body, as the `detail` of a dead letter says it: the first rule of the schema that it breaks,
 * and the path, never a value. Undefined when it is a chunk.
 */
export function chunkFault(body: unknown): string | undefined {
  if (validate(body)) return undefined;
  const [error] = validate.errors as [DefinedError];
  const path = error.keyword === 'required' ? `/${error.params.missingProperty}` : error.instancePath;
  return `${error.keyword.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)} ${path}`.trimEnd();
}

/** The queue message of a chunk: its bytes and its AMQP properties. `traceparent` as in W3C Trace Context. */
export function chunkMessage(chunk: Chunk, traceparent: string): { content: Buffer; properties: Options.Publish } {
  return messageOf(chunk, Buffer.from(JSON.stringify({ version: CHUNK_VERSION, ...chunk })), traceparent);
}

/**
 * The same message, from numbers that are one text, one number a line, as the ledger has them. No string is made for each
 * number: a million short-lived strings take many times the memory, and stay in V8's young generation or are moved to the
 * old one.
 */
export function chunkMessageOfLines(
  chunk: Omit<Chunk, 'phone_numbers'>,
  lines: string,
  traceparent: string,
): { content: Buffer; properties: Options.Publish } {
  const { campaign_id, company_id, message, first_sequence } = chunk;
  const head = JSON.stringify({ version: CHUNK_VERSION, campaign_id, company_id, message, first_sequence });
  const content = withStrings(Buffer.from(`${head.slice(0, -1)},"phone_numbers":["`), lines, Buffer.from('"]}'));
  return messageOf(chunk, content, traceparent);
}

const LF = 0x0a;
const BETWEEN = Buffer.from('","');

/**
 * Joins `head`, each line as a JSON string, and `tail`. E.164 has nothing that JSON escapes. Works on bytes: replaceAll
 * would make a string for each line.
 */
function withStrings(head: Buffer, lines: string, tail: Buffer): Buffer {
  const from = Buffer.from(lines, 'latin1');
  let breaks = 0;
  for (const byte of from) if (byte === LF) breaks++;
  const to = Buffer.allocUnsafe(head.length + from.length + breaks * (BETWEEN.length - 1) + tail.length);
  let at = head.copy(to);
  for (const byte of from) {
    if (byte === LF) for (const each of BETWEEN) to[at++] = each;
    else to[at++] = byte;
  }
  tail.copy(to, at);
  return to;
}

function messageOf(chunk: Pick<Chunk, 'campaign_id' | 'first_sequence'>, content: Buffer, traceparent: string) {
  return {
    content,
    properties: {
      contentType: 'application/json',
      persistent: true,
      type: 'campaign-chunk.v1',
      messageId: `${chunk.campaign_id}:${chunk.first_sequence}`,
      // In seconds, as AMQP has it: tells how old a dead letter is.
      timestamp: Math.floor(Date.now() / 1_000),
      headers: { traceparent },
    },
  };
}
