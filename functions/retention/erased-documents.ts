import { MESSAGES_WRITE_CONCERN, type MessageDocument, messageId, messageRange } from '@disparo/contract';
import { Injectable } from '@nestjs/common';
import type { Filter } from 'mongodb';
import { Mongo } from '../platform/stores/mongo.js';

/** Sequences whose documents go at a time: about a tenth of a second of MongoDB's work. */
const SEQUENCES_A_PAGE = 10_000;

/** A document that is to go, and whose it is. */
export type Place = Pick<MessageDocument, '_id' | 'campaign_id'>;

/** What erasing asks of the documents. They are deleted: the collection's validator takes none without a number. */
@Injectable()
export class ErasedDocuments {
  constructor(private readonly mongo: Mongo) {}

  async count(campaignId: string): Promise<number> {
    return (await this.mongo.messages()).countDocuments({ _id: messageRange(campaignId) });
  }

  async any(campaignId: string): Promise<boolean> {
    const messages = await this.mongo.messages();
    return (await messages.findOne({ _id: messageRange(campaignId) }, { projection: { _id: 1 } })) !== null;
  }

  /** Deletes all documents of a campaign, some at a time. Answers how many; fewer than there are once told to stop. */
  async delete(campaignId: string, total: number, stop: AbortSignal): Promise<number> {
    let deleted = 0;
    for (let after = 0; after < total && !stop.aborted; after += SEQUENCES_A_PAGE) {
      const { $gt } = messageRange(campaignId, after);
      deleted += await this.deleteAll({ _id: { $gt, $lte: messageId(campaignId, after + SEQUENCES_A_PAGE) } });
    }
    // Those behind the last sequence, which nobody should have written.
    return stop.aborted ? deleted : deleted + (await this.deleteAll({ _id: messageRange(campaignId) }));
  }

  /** Deletes these documents where they hold the number. Answers how many. */
  deletePlaces(ids: string[], phoneNumber: string): Promise<number> {
    return this.deleteAll({ _id: { $in: ids }, phone_number: phoneNumber });
  }

  /**
   * Every document that holds a number. Reads the whole collection, half a second for each million documents that are in memory:
   * it has no index but `_id`, since a second one halves the speed of storing, every day, for a question of a few times a year.
   */
  async with(phoneNumber: string): Promise<AsyncIterable<Place>> {
    const messages = await this.mongo.messages();
    return messages.find({ phone_number: phoneNumber }).project<Place>({ campaign_id: 1 });
  }

  private async deleteAll(filter: Filter<MessageDocument>): Promise<number> {
    const messages = await this.mongo.messages();
    return (await messages.deleteMany(filter, { writeConcern: MESSAGES_WRITE_CONCERN })).deletedCount;
  }
}
