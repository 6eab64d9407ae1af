import { MESSAGES_WRITE_CONCERN, markMessagesDeleted, messageId } from '@disparo/contract';
import { Injectable } from '@nestjs/common';
import { Mongo } from '../platform/stores/mongo.js';
import type { ChunkPlace } from './heal/healing.repository.js';

/** What the ledger asks of the documents. A campaign is a range of `_id`. */
@Injectable()
export class MessageStore {
  constructor(private readonly mongo: Mongo) {}

  /** Marks all documents of a campaign as deleted. Safe to repeat. Answers how many changed. */
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

  /** Counted in the index of `_id` alone. */
  private async countOf(campaignId: string, chunks: ChunkPlace[]): Promise<number> {
    const messages = await this.mongo.messages();
    const ranges = chunks.map(({ first_sequence, size }) => ({
      _id: { $gte: messageId(campaignId, first_sequence), $lte: messageId(campaignId, first_sequence + size - 1) },
    }));
    return messages.countDocuments({ $or: ranges }, { readConcern: { level: MESSAGES_WRITE_CONCERN.w } });
  }
}
