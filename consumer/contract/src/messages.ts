import type { Collection, Db, Document } from 'mongodb';
import { contractJson } from './contract-file.js';

/** A message as MongoDB stores it: one document for each number. */
export interface MessageDocument {
  /** `<campaign_id>:<sequence, 9 digits>`: a number cannot be stored twice, and a campaign is one range, in order. */
  _id: string;
  /** A cuid2 of its own. */
  identifier: string;
  /** E.164 with `+`. */
  phone_number: string;
  message: string;
  campaign_id: string;
  company_id: string;
  /** The place in the campaign's file, from 1; int32 in the store. */
  sequence: number;
  created_at: Date;
  updated_at: Date;
  deleted: boolean;
}

/** The collection of all messages. Its only index is `_id`: a second one costs half the speed or more. */
export const MESSAGES = 'messages';
/** A document counts as stored only when it survives the death of mongod, whatever the URL says. */
export const MESSAGES_WRITE_CONCERN = { w: 'majority', journal: true } as const;

const SEQUENCE_DIGITS = 9;
/** An `_id` that no document has. */
const NO_MESSAGE = '';
const UNAUTHORIZED = 13;
const NAMESPACE_EXISTS = 48;
const validator = contractJson<Document>('messages.validator.json');

/** The `_id` of a number's document. */
export function messageId(campaignId: string, sequence: number): string {
  return `${campaignId}:${String(sequence).padStart(SEQUENCE_DIGITS, '0')}`;
}

/** The range of `_id` that holds a campaign's documents, optionally only those after a sequence. */
export function messageRange(campaignId: string, after = 0): { $gt: string; $lt: string } {
  // ';' follows ':' in ASCII, so it ends the range of this campaign and of no other.
  return { $gt: messageId(campaignId, after), $lt: `${campaignId};` };
}

/** The database in a MongoDB URL, or `disparo`. */
export function messagesDatabase(mongodbUrl: string): string {
  const name = /^[^:]+:\/\/[^/]+\/([^?]+)/.exec(mongodbUrl)?.[1];
  return name ? decodeURIComponent(name) : 'disparo';
}

/**
 * Creates the collection with its validator, or brings the validator of an existing one up to date. Fails for a user who may
 * not write: the first batch would show it too late. Idempotent.
 */
export async function declareMessages(database: Db): Promise<void> {
  await createMessages(database);
  await database
    .collection<MessageDocument>(MESSAGES)
    .updateOne({ _id: NO_MESSAGE }, { $set: { deleted: true } }, { writeConcern: MESSAGES_WRITE_CONCERN });
}

async function createMessages(database: Db): Promise<void> {
  try {
    await database.createCollection(MESSAGES, { validator });
  } catch (error) {
    if ((error as { code?: unknown }).code !== NAMESPACE_EXISTS) throw error;
    await database.command({ collMod: MESSAGES, validator }).catch((refused: { code?: unknown }) => {
      // MongoDB's role readWrite may create a collection but not change one: for that user the present validator stays.
      if (refused.code !== UNAUTHORIZED) throw refused;
    });
  }
}

/** Marks all stored documents of a deleted campaign. Safe to repeat. Returns how many changed. */
export async function markMessagesDeleted(messages: Collection<MessageDocument>, campaignId: string): Promise<number> {
  const result = await messages.updateMany(
    { _id: messageRange(campaignId), deleted: false },
    { $set: { deleted: true, updated_at: new Date() } },
    { writeConcern: MESSAGES_WRITE_CONCERN },
  );
  return result.modifiedCount;
}
