import { type MessageDocument, markMessagesDeleted, RECORD_STORED_SQL, type RecordRow } from '@disparo/contract';
import type { Collection } from 'mongodb';
import type { Pool } from 'pg';
import type { ChunkDelivery } from './decode.js';

/**
 * Step 5. Records chunks as stored. Returns the campaigns whose counters moved; none when a retry finds the chunks recorded.
 */
export async function record(postgres: Pool, stored: readonly ChunkDelivery[]): Promise<RecordRow[]> {
  if (stored.length === 0) return [];
  const { rows } = await postgres.query<RecordRow>(RECORD_STORED_SQL, [
    stored.map(({ chunk }) => chunk.campaign_id),
    stored.map(({ chunk }) => chunk.first_sequence),
  ]);
  return rows;
}

/** Step 5, for campaigns that were deleted between steps 3 and 5: nothing else knows of the documents written since. */
export async function markDeleted(messages: Collection<MessageDocument>, deleted: readonly RecordRow[]): Promise<void> {
  for (const { id } of deleted) await markMessagesDeleted(messages, id);
}
