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
type StoredMessage = Pick<MessageDocument, 'sequence' | 'phone_number' | 'deleted'>;

/** The `_id` of a document, and its campaign. */
type Place = Pick<MessageDocument, '_id' | 'campaign_id'>;

/** Sequences whose documents are deleted at a time: about a tenth of a second of MongoDB's work. */
const SEQUENCES_A_PAGE = 10_000;

/** Every query on the message documents, except those of the consumers. A campaign is a range of `_id`. */
@Injectable()
export class MessageStore {
  constructor(private readonly mongo: Mongo) {}

  /**
   * The messages of a campaign that are not marked as deleted, by sequence. A cursor: nothing is read until it is iterated.
   */
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
   * Returns the first sequences of those chunks, given in order, whose documents are all there. It counts with read concern
   * majority, so these survive the death of a server. Usually all or none are there, and one count is enough; else it counts
   * each half.
   */
  async wholeOf(campaignId: string, chunks: ChunkPlace[]): Promise<number[]> {
    const count = await this.countOf(campaignId, chunks);
    if (count === chunks.reduce((sum, { size }) => sum + size, 0)) return chunks.map((chunk) => chunk.first_sequence);
    if (count === 0 || chunks.length === 1) return [];
    const middle = Math.ceil(chunks.length / 2);
    const halves = [chunks.slice(0, middle), chunks.slice(middle)] as const;
    return [...(await this.wholeOf(campaignId, halves[0])), ...(await this.wholeOf(campaignId, halves[1]))];
  }

  /** Documents after one sequence and up to another, by sequence, marked as deleted or not. */
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

  /**
   * Campaigns that have documents and are not known, with their number of documents. Steps from one campaign to the next by
   * `_id`.
   */
  async *unknownCampaigns(
    isKnown: (campaignId: string) => Promise<boolean>,
  ): AsyncGenerator<[id: string, count: number]> {
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
   * Every document that holds a number. Reads the whole collection: half a second for each million documents in memory.
   * There is no index but `_id`: a second one would halve the speed of storing, every day, for a query that runs a few times
   * a year.
   */
  async withNumber(phoneNumber: string): Promise<AsyncIterable<Place>> {
    const messages = await this.mongo.messages();
    return messages.find({ phone_number: phoneNumber }).project<Place>({ campaign_id: 1 });
  }

  /**
   * Deletes all documents of a campaign, a page at a time. They cannot lose only their number: the collection's validator
   * refuses a document without one. Returns how many were deleted: fewer than there are once told to stop.
   */
  async delete(campaignId: string, total: number, stop: AbortSignal): Promise<number> {
    let deleted = 0;
    for (let after = 0; after < total && !stop.aborted; after += SEQUENCES_A_PAGE) {
      const { $gt } = messageRange(campaignId, after);
      deleted += await this.deleteAll({ _id: { $gt, $lte: messageId(campaignId, after + SEQUENCES_A_PAGE) } });
    }
    // Any documents after the last sequence, which nobody should have written.
    return stop.aborted ? deleted : deleted + (await this.deleteAll({ _id: messageRange(campaignId) }));
  }

  /** Deletes these documents where they hold the number. Returns how many. */
  deletePlaces(ids: string[], phoneNumber: string): Promise<number> {
    return this.deleteAll({ _id: { $in: ids }, phone_number: phoneNumber });
  }

  /** Counts with the index of `_id` alone. */
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
