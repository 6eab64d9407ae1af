import { Ajv2020 } from 'ajv/dist/2020.js';
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

/** What is wrong with a parsed body: the path and the rule, never a value. Undefined when it is a chunk. */
export function chunkProblem(body: unknown): string | undefined {
  if (validate(body)) return undefined;
  const error = validate.errors?.[0];
  return `${error?.instancePath || '/'} ${error?.message ?? 'is not a chunk'}`;
}

/** The queue message of a chunk: its bytes and its AMQP properties. `traceparent` as in W3C Trace Context. */
export function chunkMessage(chunk: Chunk, traceparent: string): { content: Buffer; properties: Options.Publish } {
  return {
    content: Buffer.from(JSON.stringify({ version: CHUNK_VERSION, ...chunk })),
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
