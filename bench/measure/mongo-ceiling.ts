import { createRequire } from 'node:module';
import { MESSAGES_WRITE_CONCERN, type MessageDocument, messageId } from '@disparo/contract';
import { BSON, type Db } from 'mongodb';
import { chunksOf } from '../../testing/seeds.js';
import { type BenchCampaign, secondsSince, slices } from '../campaign.js';

const BATCH = 1_000;
/** Batches encoded at a time: 25 MB. */
const SLICE = 100;
const IDENTIFIER_LENGTH = 24;

/**
 * The driver's own section of encoded documents, which is not in its public API. With it the server's limit is measured,
 * and not this process's encoder. A driver that no longer has the class fails here at once.
 */
const { DocumentSequence } = createRequire(import.meta.url)('mongodb/lib/cmap/commands.js') as {
  DocumentSequence: new (field: string) => { push(document: object, encoded: Uint8Array): number };
};

const writeConcern = { w: MESSAGES_WRITE_CONCERN.w, j: MESSAGES_WRITE_CONCERN.journal };

/**
 * Ceiling M: one client on one connection inserts the documents of a campaign in batches of 1,000, with the consumers'
 * write concern. They are encoded outside of the measured time. Returns the seconds spent in inserts.
 */
export async function insertEncoded(database: Db, collection: string, campaign: BenchCampaign): Promise<number> {
  let seconds = 0;
  let stored = 0;
  for (const slice of slices(batchesOf(campaign), SLICE)) {
    const begun = performance.now();
    for (const documents of slice) {
      const { n } = await database.command({ insert: collection, documents, ordered: false, writeConcern });
      stored += n;
    }
    seconds += secondsSince(begun);
  }
  if (stored !== campaign.total) throw new Error(`the ceiling stored ${stored} of ${campaign.total} documents`);
  return seconds;
}

function* batchesOf(campaign: BenchCampaign) {
  for (const documents of slices(documentsOf(campaign), BATCH)) {
    const batch = new DocumentSequence('documents');
    for (const document of documents) batch.push({}, document);
    yield batch;
  }
}

/** The documents as a consumer writes them, byte for byte. Only the identifier differs: it is as long, and costs no time. */
function* documentsOf(campaign: BenchCampaign): Generator<Uint8Array> {
  const now = new Date();
  for (const { company_id, message, first_sequence, phone_numbers } of chunksOf(campaign, campaign.chunkSize))
    for (const [index, phone_number] of phone_numbers.entries()) {
      const sequence = first_sequence + index;
      const document: MessageDocument = {
        _id: messageId(campaign.id, sequence),
        identifier: identifier(),
        phone_number,
        message,
        campaign_id: campaign.id,
        company_id,
        sequence,
        created_at: now,
        updated_at: now,
        deleted: false,
      };
      yield BSON.serialize(document);
    }
}

function identifier(): string {
  const random = () => Math.random().toString(36).slice(2);
  return `a${random()}${random()}${random()}`.slice(0, IDENTIFIER_LENGTH).padEnd(IDENTIFIER_LENGTH, '0');
}
