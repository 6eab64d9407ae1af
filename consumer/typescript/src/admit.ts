import { ADMIT_SQL, type AdmitRow, type Chunk } from '@disparo/contract';
import type { Pool } from 'pg';
import type { ChunkDelivery, DeadReason, Delivery } from './decode.js';

/** What step 3 says of a delivery: its chunk is owed and goes on, was stored before, is let go, or is a dead letter. */
export type Verdict = 'owed' | 'repeated' | 'let_go' | DeadReason;

/** Step 3, for a whole batch. */
export interface Admission {
  verdicts: Map<Delivery, Verdict>;
  /** Each chunk once, in the order of the queue. */
  owed: ChunkDelivery[];
}

/** Step 3. Asks the ledger for the distinct chunks of the batch: one read; none when there is no chunk. */
export async function admit(postgres: Pool, chunks: readonly ChunkDelivery[]): Promise<Admission> {
  if (chunks.length === 0) return judge([], []);
  const distinct = new Map(chunks.map(({ chunk }) => [chunkKey(chunk), chunk]));
  const asked = [...distinct.values()];
  const { rows } = await postgres.query<AdmitRow>(ADMIT_SQL, [
    asked.map((chunk) => chunk.campaign_id),
    asked.map((chunk) => chunk.first_sequence),
  ]);
  return judge(chunks, rows);
}

/** The verdicts that the rows of the ledger give. Pure. */
export function judge(chunks: readonly ChunkDelivery[], rows: readonly AdmitRow[]): Admission {
  const ledger = new Map(rows.map((row) => [chunkKey(row), row]));
  const verdicts = new Map<Delivery, Verdict>();
  const owed = new Map<string, ChunkDelivery>();
  for (const one of chunks) {
    const key = chunkKey(one.chunk);
    const verdict = verdictOf(one.chunk, ledger.get(key), owed.has(key));
    verdicts.set(one.delivery, verdict);
    if (verdict === 'owed') owed.set(key, one);
  }
  return { verdicts, owed: [...owed.values()] };
}

/** The order is that of the tables in consumer/README.md: when two rows fit, the upper one counts. */
function verdictOf(chunk: Chunk, row: AdmitRow | undefined, inBatch: boolean): Verdict {
  if (!row?.campaign_known) return { reason: 'unknown_campaign', detail: 'ledger /campaign_id' };
  if (row.size === null) return { reason: 'unknown_chunk', detail: 'ledger /first_sequence' };
  if (row.size !== chunk.phone_numbers.length) return { reason: 'unknown_chunk', detail: 'ledger /phone_numbers' };
  if (!row.running) return 'let_go';
  return row.stored || inBatch ? 'repeated' : 'owed';
}

function chunkKey(chunk: { campaign_id: string; first_sequence: number }): string {
  return `${chunk.campaign_id}:${chunk.first_sequence}`;
}
