import { CHUNK_VERSION, type Chunk, chunkFault, MAX_CHUNK_BYTES } from '@disparo/contract';
import type { ConsumeMessage } from 'amqplib';

/** Why a message is a dead letter, as in consumer/README.md, in the order in which the reasons are checked. */
export type Reason =
  | 'too_large'
  | 'not_json'
  | 'unknown_version'
  | 'schema_violation'
  | 'unknown_campaign'
  | 'unknown_chunk'
  | 'refused_by_store';

/** What a dead letter carries in its headers. */
export interface DeadReason {
  reason: Reason;
  /** A code and a path, as in consumer/contract/dead-letters.json: never a value, and no words of a library. */
  detail: string;
}

/** A message as it came, decoded once, when first asked: step 1 counts its numbers, step 2 takes the same chunk. */
export class Delivery {
  #decoded: Chunk | DeadReason | undefined;

  constructor(readonly message: ConsumeMessage) {}

  get decoded(): Chunk | DeadReason {
    this.#decoded ??= decodeBody(this.message.content);
    return this.#decoded;
  }

  /** How many numbers it brings; none when it is malformed. */
  get numbers(): number {
    return isChunk(this.decoded) ? this.decoded.phone_numbers.length : 0;
  }
}

/** A delivery that holds a chunk. */
export interface ChunkDelivery {
  delivery: Delivery;
  chunk: Chunk;
}

/** Step 2. Splits deliveries into chunks and malformed ones. */
export function decode(deliveries: readonly Delivery[]): {
  chunks: ChunkDelivery[];
  malformed: Map<Delivery, DeadReason>;
} {
  const chunks: ChunkDelivery[] = [];
  const malformed = new Map<Delivery, DeadReason>();
  for (const delivery of deliveries) {
    const { decoded } = delivery;
    if (isChunk(decoded)) chunks.push({ delivery, chunk: decoded });
    else malformed.set(delivery, decoded);
  }
  return { chunks, malformed };
}

/** The body of a queue message as a chunk, or why it is none. */
export function decodeBody(content: Buffer): Chunk | DeadReason {
  if (content.length > MAX_CHUNK_BYTES) return { reason: 'too_large', detail: 'max_bytes' };
  const text = strictText(content);
  if (text === undefined) return { reason: 'not_json', detail: 'utf8' };
  const body = parsed(text);
  if (body === NOT_JSON) return { reason: 'not_json', detail: 'json' };
  const version = versionOf(body);
  if (Number.isInteger(version) && version !== CHUNK_VERSION)
    return { reason: 'unknown_version', detail: 'const /version' };
  const fault = chunkFault(body);
  if (fault !== undefined) return { reason: 'schema_violation', detail: fault };
  const chunk = body as Chunk;
  // The schema cannot say this; BSON would store another text than the one that came.
  if (!chunk.message.isWellFormed()) return { reason: 'schema_violation', detail: 'surrogate /message' };
  return chunk;
}

const NOT_JSON = Symbol('not JSON');
/** `ignoreBOM` keeps the byte order mark in the text; JSON.parse then refuses it, as RFC 8259 allows. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function strictText(content: Buffer): string | undefined {
  try {
    return utf8.decode(content);
  } catch {
    return undefined;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return NOT_JSON;
  }
}

function versionOf(body: unknown): unknown {
  return typeof body === 'object' && body !== null ? (body as { version?: unknown }).version : undefined;
}

function isChunk(decoded: Chunk | DeadReason): decoded is Chunk {
  return 'phone_numbers' in decoded;
}
