import type { Chunk } from '@disparo/contract';
import cuid2 from '@paralleldrive/cuid2';
import type pg from 'pg';
import { someCnpj } from './cnpj.js';

/** A campaign in the ledger, and its chunks, each of which is one queue message. */
export interface Campaign {
  id: string;
  companyId: string;
  chunks: Chunk[];
}

/** A campaign in the ledger that has no chunk yet. */
export interface CampaignRow {
  id: string;
  companyId: string;
  message: string;
  total: number;
  partition?: number;
  published?: number;
}

/** The Brazilian mobile number of a sequence. So a test can check the order of documents by arithmetic alone. */
export function phoneNumber(sequence: number): string {
  return `+55119${String(sequence).padStart(8, '0')}`;
}

/** The numbers that a campaign of `total` must have in the store, in order. */
export function allNumbers(total: number): string[] {
  return Array.from({ length: total }, (_, index) => phoneNumber(index + 1));
}

/** The chunks of a campaign in order, made one by one when asked for. Their numbers follow from the campaign's total. */
export function* chunksOf(
  { id, companyId, message, total }: CampaignRow,
  chunkSize: number,
): Generator<Chunk, void, undefined> {
  for (let first = 1; first <= total; first += chunkSize) {
    const size = Math.min(chunkSize, total - first + 1);
    const phone_numbers = Array.from({ length: size }, (_, index) => phoneNumber(first + index));
    yield { campaign_id: id, company_id: companyId, message, first_sequence: first, phone_numbers };
  }
}

/** Inserts a user, a company and its campaign, without a chunk. */
export async function insertCampaign(
  pool: pg.Pool,
  { id, companyId, message, total, partition = 0, published = 0 }: CampaignRow,
): Promise<void> {
  const userId = cuid2.createId();
  await pool.query(`INSERT INTO users (id, email, password) VALUES ($1, $1 || '@example.com', 'x')`, [userId]);
  await pool.query(`INSERT INTO companies (id, name, document) VALUES ($1, 'Empresa', $2)`, [companyId, someCnpj()]);
  await pool.query(
    `INSERT INTO campaigns (id, name, message, company_id, user_id, total, partition, published)
     VALUES ($1, 'c', $2, $3, $4, $5, $6, $7)`,
    [id, message, companyId, userId, total, partition, published],
  );
}

/** Inserts the chunks of a campaign as published and not stored. */
export async function insertChunks(pool: pg.Pool, id: string, chunks: readonly Chunk[]): Promise<void> {
  await pool.query(
    `INSERT INTO campaign_chunks (campaign_id, first_sequence, size, phone_numbers, published_at)
     SELECT $1, c.first, c.size, c.numbers, clock_timestamp() FROM unnest($2::int[], $3::int[], $4::text[]) AS c(first, size, numbers)`,
    [
      id,
      chunks.map((chunk) => chunk.first_sequence),
      chunks.map((chunk) => chunk.phone_numbers.length),
      chunks.map((chunk) => chunk.phone_numbers.join('\n')),
    ],
  );
}
