import {
  MESSAGES_WRITE_CONCERN,
  type MessageDocument,
  markMessagesDeleted,
  messageId,
  messageRange,
} from '@disparo/contract';
import { Injectable } from '@nestjs/common';
import type { Filter } from 'mongodb';
import type { Slice } from '../platform/http/slices.js';
import { Mongo } from '../platform/stores/mongo.js';
import type { ChunkPlace } from './heal/healing.repository.js';

/** A message as answers show it: the document without its `_id`. */
export type MessageView = Omit<MessageDocument, '_id'>;

/** What a document says of its number. */
export type StoredMessage = Pick<MessageDocument, 'sequence' | 'phone_number' | 'deleted'>;

/** A document, and whose it is. */
export type Place = Pick<MessageDocument, '_id' | 'campaign_id'>;

/** Sequences whose documents go at a time: about a tenth of a second of MongoDB's work. */
const SEQUENCES_A_PAGE = 10_000;

/** Every question that is asked of the documents, but for those of the consumers. A campaign is a range of `_id`. */
@Injectable()
export class MessageStore {
  constructor(private readonly mongo: Mongo) {}

  /** The messages of a campaign that are not marked, by sequence. A cursor: nothing is read before it is asked. */
  async messagesOf(campaignId: string, { after, limit }: Slice) {
    const messages = await this.mongo.messages();
    return messages
      .find({ _id: messageRange(campaignId, after), deleted: false })
      .project<MessageView>({ _id: 0 })
      .sort({ _id: 1 })
      .limit(limit);
  }

  /** Marks all documents of a campaign as deleted. Safe to repeat. Returns how many changed. */
  async markDeleted(campaignId: string): Promise<number> {
    return markMessagesDeleted(await this.mongo.messages(), campaignId);
  }

  /**
   * Which of these chunks, in order, are there with every document, so that they survive the death of a server: their first
   * sequences. One question where nothing or all of it is there, as is usual; else it asks for the halves.
   */
  async wholeOf(campaignId: string, chunks: ChunkPlace[]): Promise<number[]> {
    const count = await this.countOf(campaignId, chunks);
    if (count === chunks.reduce((sum, { size }) => sum + size, 0)) return chunks.map((chunk) => chunk.first_sequence);
    if (count === 0 || chunks.length === 1) return [];
    const middle = Math.ceil(chunks.length / 2);
    const halves = [chunks.slice(0, middle), chunks.slice(middle)] as const;
    return [...(await this.wholeOf(campaignId, halves[0])), ...(await this.wholeOf(campaignId, halves[1]))];
  }

  /** By their sequence, those after one and up to another, marked or not. */
  async between(campaignId: string, after: number, upTo?: number): Promise<Map<number, StoredMessage>> {
    const messages = await this.mongo.messages();
    const { $gt, $lt } = messageRange(campaignId, after);
    const found = await messages
      .find({ _id: upTo === undefined ? { $gt, $lt } : { $gt, $lte: messageId(campaignId, upTo) } })
      .project<StoredMessage>({ _id: 0, sequence: 1, phone_number: 1, deleted: 1 })
      .sort({ _id: 1 })
      .toArray();
    return new Map(found.map((message) => [message.sequence, message]));
  }

  /** Campaigns that have documents and are not known, with how many. From one to the next by `_id`. */
  async *strangers(isKnown: (campaignId: string) => Promise<boolean>): AsyncGenerator<[id: string, count: number]> {
    const messages = await this.mongo.messages();
    for (let after = ''; ; ) {
      const first = await messages
        .find({ _id: { $gt: after } })
        .project<{ _id: string }>({ _id: 1 })
        .sort({ _id: 1 })
        .limit(1)
        .next();
      if (!first) return;
      const [campaignId = ''] = first._id.split(':');
      after = `${campaignId};`;
      if (!(await isKnown(campaignId)))
        yield [campaignId, await messages.countDocuments({ _id: { $gte: campaignId, $lt: after } })];
    }
  }

  async count(campaignId: string): Promise<number> {
    return (await this.mongo.messages()).countDocuments({ _id: messageRange(campaignId) });
  }

  async any(campaignId: string): Promise<boolean> {
    const messages = await this.mongo.messages();
    return (await messages.findOne({ _id: messageRange(campaignId) }, { projection: { _id: 1 } })) !== null;
  }

  /**
   * Every document that holds a number. Reads the whole collection, half a second for each million documents that are in memory:
   * it has no index but `_id`, since a second one halves the speed of storing, every day, for a question of a few times a year.
   */
  async with(phoneNumber: string): Promise<AsyncIterable<Place>> {
    const messages = await this.mongo.messages();
    return messages.find({ phone_number: phoneNumber }).project<Place>({ campaign_id: 1 });
  }

  /**
   * Deletes all documents of a campaign, some at a time: the collection's validator takes none without a number. Returns how
   * many; fewer than there are once told to stop.
   */
  async delete(campaignId: string, total: number, stop: AbortSignal): Promise<number> {
    let deleted = 0;
    for (let after = 0; after < total && !stop.aborted; after += SEQUENCES_A_PAGE) {
      const { $gt } = messageRange(campaignId, after);
      deleted += await this.deleteAll({ _id: { $gt, $lte: messageId(campaignId, after + SEQUENCES_A_PAGE) } });
    }
    // Those behind the last sequence, which nobody should have written.
    return stop.aborted ? deleted : deleted + (await this.deleteAll({ _id: messageRange(campaignId) }));
  }

  /** Deletes these documents where they hold the number. Returns how many. */
  deletePlaces(ids: string[], phoneNumber: string): Promise<number> {
    return this.deleteAll({ _id: { $in: ids }, phone_number: phoneNumber });
  }

  /** Counted in the index of `_id` alone. */
  private async countOf(campaignId: string, chunks: ChunkPlace[]): Promise<number> {
    const messages = await this.mongo.messages();
    const ranges = chunks.map(({ first_sequence, size }) => ({
      _id: { $gte: messageId(campaignId, first_sequence), $lte: messageId(campaignId, first_sequence + size - 1) },
    }));
    return messages.countDocuments({ $or: ranges }, { readConcern: { level: MESSAGES_WRITE_CONCERN.w } });
  }

  private async deleteAll(filter: Filter<MessageDocument>): Promise<number> {
    const messages = await this.mongo.messages();
    return (await messages.deleteMany(filter, { writeConcern: MESSAGES_WRITE_CONCERN })).deletedCount;
  }
}
