import { MESSAGES, MESSAGES_WRITE_CONCERN, type MessageDocument, messageId } from '@disparo/contract';
import type { Db } from 'mongodb';
import type { ChunkDelivery } from './decode.js';
import type { Identifiers } from './identifiers.js';

/** The result of storing the documents of a batch. */
export interface Written {
  /** Documents written now. */
  stored: number;
  /** Documents that were there already. */
  repeated: number;
  /** Chunks of which the validator refused a document. */
  refused: ReadonlySet<ChunkDelivery>;
}

const WRITE_CONCERN = { w: MESSAGES_WRITE_CONCERN.w, j: MESSAGES_WRITE_CONCERN.journal };
const DUPLICATE_KEY = 11_000;
const REFUSED_BY_VALIDATOR = 121;

/** Documents of one insert, at most. */
const INSERT_DOCUMENTS = 1_000;
/** Inserts at a time: while MongoDB works on some, the next is made and sent. */
const INSERTS_AT_A_TIME = 4;

/** The parts of the server's reply to an insert that are used here. */
interface InsertReply {
  n: number;
  writeErrors?: { index: number; code: number }[];
  writeConcernError?: { code: number };
}

/** One number of a chunk, by its place. */
interface Place {
  delivery: ChunkDelivery;
  index: number;
}

/**
 * Step 4. One document a number, in unordered inserts. Throws when it is not certain that all survive; every insert has
 * ended by then. Each insert has a time-out of its own.
 */
export async function store(
  mongo: Db,
  owed: readonly ChunkDelivery[],
  identifiers: Identifiers,
  now: Date,
): Promise<Written> {
  const parts = partsOf(owed);
  const written = { stored: 0, repeated: 0, refused: new Set<ChunkDelivery>() };
  const insertParts = async () => {
    // `parts` is shared: each run takes the next part. A failure ends the parts for all.
    for (const part of parts) {
      const { stored, repeated, refused } = await insert(mongo, part, identifiers, now);
      written.stored += stored;
      written.repeated += repeated;
      for (const delivery of refused) written.refused.add(delivery);
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: INSERTS_AT_A_TIME }, insertParts));
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
  return written;
}

function* partsOf(owed: readonly ChunkDelivery[]): Generator<Place[]> {
  const places = owed.flatMap((delivery) => delivery.chunk.phone_numbers.map((_, index) => ({ delivery, index })));
  for (let from = 0; from < places.length; from += INSERT_DOCUMENTS) yield places.slice(from, from + INSERT_DOCUMENTS);
}

async function insert(mongo: Db, places: readonly Place[], identifiers: Identifiers, now: Date): Promise<Written> {
  const documents = places.map((place) => documentOf(place, identifiers, now));
  // The command itself: the driver's insertMany looks at every document again, and costs a third more.
  const reply = await mongo.command({ insert: MESSAGES, documents, ordered: false, writeConcern: WRITE_CONCERN });
  return writtenDespiteErrors(reply as InsertReply, places);
}

function documentOf({ delivery: { chunk }, index }: Place, identifiers: Identifiers, now: Date): MessageDocument {
  const sequence = chunk.first_sequence + index;
  return {
    _id: messageId(chunk.campaign_id, sequence),
    identifier: identifiers.take(),
    phone_number: chunk.phone_numbers[index] as string,
    message: chunk.message,
    campaign_id: chunk.campaign_id,
    company_id: chunk.company_id,
    sequence,
    created_at: now,
    updated_at: now,
    deleted: false,
  };
}

/** Duplicates count as stored, and a refusal concerns its chunk alone; any other error is thrown. */
function writtenDespiteErrors(
  { n, writeErrors = [], writeConcernError }: InsertReply,
  places: readonly Place[],
): Written {
  // Without the text of the server: it may hold a document.
  if (writeConcernError) throw new Error(`write concern error ${writeConcernError.code}`);
  const written = { stored: n, repeated: 0, refused: new Set<ChunkDelivery>() };
  for (const { code, index } of writeErrors) {
    const place = places[index];
    if (code === DUPLICATE_KEY) written.repeated++;
    else if (code === REFUSED_BY_VALIDATOR && place) written.refused.add(place.delivery);
    else throw new Error(`write error ${code}`);
  }
  return written;
}
