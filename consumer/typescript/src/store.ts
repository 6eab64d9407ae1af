import { MESSAGES_WRITE_CONCERN, type MessageDocument, messageId } from '@disparo/contract';
import { type Collection, MongoBulkWriteError } from 'mongodb';
import type { ChunkDelivery } from './decode.js';
import type { Identifiers } from './identifiers.js';

/** What became of the documents of a batch. */
export interface Written {
  /** Documents written now. */
  stored: number;
  /** Documents that were there already. */
  repeated: number;
  /** Chunks of which the validator refused a document. */
  refused: ReadonlySet<ChunkDelivery>;
}

const DUPLICATE_KEY = 11_000;
const REFUSED_BY_VALIDATOR = 121;

/** Step 4. One document a number, in one unordered insert. Throws when it is not certain that they survive. */
export async function store(
  messages: Collection<MessageDocument>,
  owed: readonly ChunkDelivery[],
  identifiers: Identifiers,
  now = new Date(),
): Promise<Written> {
  const documents = owed.flatMap(({ chunk }) =>
    chunk.phone_numbers.map((phone_number, index): MessageDocument => {
      const sequence = chunk.first_sequence + index;
      return {
        _id: messageId(chunk.campaign_id, sequence),
        identifier: identifiers.take(),
        phone_number,
        message: chunk.message,
        campaign_id: chunk.campaign_id,
        company_id: chunk.company_id,
        sequence,
        created_at: now,
        updated_at: now,
        deleted: false,
      };
    }),
  );
  try {
    const { insertedCount } = await messages.insertMany(documents, {
      ordered: false,
      writeConcern: MESSAGES_WRITE_CONCERN,
    });
    return { stored: insertedCount, repeated: 0, refused: new Set() };
  } catch (error) {
    return writtenAllTheSame(error, owed);
  }
}

/** Duplicates are stored, and a refusal concerns its chunk alone; whatever else was wrong is thrown again. */
function writtenAllTheSame(error: unknown, owed: readonly ChunkDelivery[]): Written {
  if (!(error instanceof MongoBulkWriteError) || error.result.getWriteConcernError()) throw error;
  const failures = [error.writeErrors].flat();
  const repeated = failures.filter(({ code }) => code === DUPLICATE_KEY);
  const refused = failures.filter(({ code }) => code === REFUSED_BY_VALIDATOR);
  if (failures.length === 0 || repeated.length + refused.length < failures.length) throw error;
  const owners = owed.flatMap((at) => at.chunk.phone_numbers.map(() => at));
  return {
    stored: error.insertedCount,
    repeated: repeated.length,
    refused: new Set(refused.flatMap(({ index }) => owners[index] ?? [])),
  };
}
