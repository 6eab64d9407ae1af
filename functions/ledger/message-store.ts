import { MESSAGES_WRITE_CONCERN, markMessagesDeleted, messageId } from '@disparo/contract';
import { Injectable } from '@nestjs/common';
import { Mongo } from '../platform/mongo.js';
import type { ChunkPlace } from './healing.repository.js';

/** What the ledger asks of the documents. A campaign is a range of `_id`. */
@Injectable()
export class MessageStore {
  constructor(private readonly mongo: Mongo) {}

  /** Marks all documents of a campaign as deleted. Safe to repeat. Answers how many changed. */
  async markDeleted(campaignId: string): Promise<number> {
    return markMessagesDeleted(await this.mongo.messages(), campaignId);
  }

  /** How many documents of a chunk there are that survive the death of a server. */
  async countOf(campaignId: string, { first_sequence, size }: ChunkPlace): Promise<number> {
    const messages = await this.mongo.messages();
    const range = {
      $gte: messageId(campaignId, first_sequence),
      $lte: messageId(campaignId, first_sequence + size - 1),
    };
    return messages.countDocuments({ _id: range }, { readConcern: { level: MESSAGES_WRITE_CONCERN.w } });
  }
}
