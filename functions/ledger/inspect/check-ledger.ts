import { Injectable } from '@nestjs/common';
import { Postgres } from '../../platform/stores/postgres.js';
import { FORGOTTEN } from '../erase/erase.repository.js';
import { MessageStore } from '../message-store.js';

/**
 * Where the ledger and the store disagree about one campaign. All fields are numbers of messages, except `counters` and
 * `sequences`.
 */
export interface Difference {
  campaignId: string;
  /** Counters of the campaign that are not the sum of its chunks, in words. */
  counters: string[];
  /** Recorded as stored, and there is no document. */
  missing: number;
  /** The document's number is not the ledger's. */
  different: number;
  /** Documents for which the ledger has no number. */
  unknown: number;
  /** Documents of a deleted campaign that are not marked, or of a living one that are. */
  wronglyMarked: number;
  /** The first sequences concerned. */
  sequences: number[];
}

/** What one check found. */
interface Check {
  campaigns: number;
  /** Documents that were looked at. */
  messages: number;
  /**
   * Documents of chunks that are not recorded yet: of a current batch, or of one that a consumer left half done. Not a
   * difference.
   */
  ahead: number;
  differences: Difference[];
}

interface CampaignRow {
  id: string;
  total: number;
  published: number;
  stored: number;
  deleted: boolean;
  /** Its numbers are being erased, or are gone: `npm run retention`. */
  erasing: boolean;
  erased: boolean;
  chunks_total: number;
  chunks_published: number;
  chunks_stored: number;
}

interface ChunkRow {
  first_sequence: number;
  size: number;
  phone_numbers: string;
  stored: boolean;
}

/** One number of the ledger. `phoneNumber` is undefined where it was forgotten. */
interface LedgerNumber {
  sequence: number;
  phoneNumber: string | undefined;
  stored: boolean;
}

/** Counts a difference and keeps the first sequences. */
type Note = (kind: 'missing' | 'different' | 'unknown' | 'wronglyMarked', sequence: number) => void;

const CHUNKS_AT_A_TIME = 20;
const SEQUENCES_SHOWN = 5;

/**
 * Compares the ledger with the documents, number by number. A few chunks at a time, it reads the ledger first and then the
 * store, so that a working consumer makes no difference. An erased campaign must have its counters, and no document.
 */
@Injectable()
export class CheckLedger {
  constructor(
    private readonly postgres: Postgres,
    private readonly messages: MessageStore,
  ) {}

  /**
   * Checks one campaign; or all campaigns, and the documents that belong to none. Returns undefined when there is no such
   * campaign.
   */
  async check(campaignId?: string): Promise<Check | undefined> {
    const check: Check = { campaigns: 0, messages: 0, ahead: 0, differences: [] };
    for await (const campaign of this.campaigns(campaignId)) {
      check.campaigns++;
      await this.compare(campaign, check);
    }
    if (campaignId !== undefined) return check.campaigns === 0 ? undefined : check;
    for await (const [id, count] of this.messages.unknownCampaigns((id) => this.isKnown(id))) {
      check.messages += count;
      check.differences.push({ ...nothing(id), unknown: count });
    }
    return check;
  }

  private async compare(campaign: CampaignRow, check: Check): Promise<void> {
    const difference = { ...nothing(campaign.id), counters: wrongCounters(campaign) };
    const note: Note = (kind, sequence) => {
      difference[kind]++;
      if (difference.sequences.length < SEQUENCES_SHOWN) difference.sequences.push(sequence);
    };
    if (campaign.erasing) await this.compareErased(campaign, check, note);
    else await this.compareNumbers(campaign, check, note);
    if (difference.wronglyMarked > 0 && (await this.isNow('deleted', campaign.id)) !== campaign.deleted)
      difference.wronglyMarked = 0;
    const { counters, missing, different, unknown, wronglyMarked } = difference;
    const found = counters.length + missing + different + unknown + wronglyMarked > 0;
    // A campaign whose erasure began meanwhile was read half before it and half after: that is no difference.
    if (found && (campaign.erasing || !(await this.isNow('erasing_at IS NOT NULL', campaign.id))))
      check.differences.push(difference);
  }

  /** A campaign that is still being erased may have documents left: they are not checked. */
  private async compareErased({ id, erased }: CampaignRow, check: Check, note: Note): Promise<void> {
    if (!erased) return;
    const documents = await this.messages.between(id, 0);
    check.messages += documents.size;
    for (const sequence of documents.keys()) note('unknown', sequence);
  }

  private async compareNumbers(campaign: CampaignRow, check: Check, note: Note): Promise<void> {
    let compared = 0;
    for await (const chunks of this.pages(campaign.id)) {
      const last = chunks.at(-1);
      const end = last ? last.first_sequence + last.size - 1 : compared;
      const documents = await this.messages.between(campaign.id, compared, end);
      check.messages += documents.size;
      for (const { sequence, phoneNumber, stored } of numbersOf(chunks)) {
        const message = documents.get(sequence);
        documents.delete(sequence);
        if (!message) {
          if (stored && phoneNumber !== undefined) note('missing', sequence);
          continue;
        }
        if (message.phone_number !== phoneNumber) note('different', sequence);
        if (message.deleted !== campaign.deleted) note('wronglyMarked', sequence);
        if (!stored) check.ahead++;
      }
      for (const sequence of documents.keys()) note('unknown', sequence);
      compared = end;
    }
    const beyond = await this.messages.between(campaign.id, compared);
    check.messages += beyond.size;
    for (const sequence of beyond.keys()) note('unknown', sequence);
  }

  /** Oldest first. */
  private async *campaigns(id?: string): AsyncGenerator<CampaignRow> {
    const ids = await this.postgres.query<{ id: string }>(
      'SELECT id FROM campaigns WHERE $1::text IS NULL OR id = $1 ORDER BY created_at, id',
      [id ?? null],
    );
    for (const { id } of ids) {
      const row = await this.postgres.one<CampaignRow>(
        `SELECT c.id, c.total, c.published, c.stored, c.deleted, c.erasing_at IS NOT NULL AS erasing,
                c.erased_at IS NOT NULL AS erased, k.*
           FROM campaigns c CROSS JOIN LATERAL (
             SELECT coalesce(sum(size), 0)::int AS chunks_total,
                    coalesce(sum(size) FILTER (WHERE published_at IS NOT NULL), 0)::int AS chunks_published,
                    coalesce(sum(size) FILTER (WHERE stored_at IS NOT NULL), 0)::int AS chunks_stored
               FROM campaign_chunks WHERE campaign_id = c.id) k
          WHERE c.id = $1`,
        [id],
      );
      if (row) yield row;
    }
  }

  /** Some chunks at a time, in the order of their sequence. */
  private async *pages(campaignId: string): AsyncGenerator<ChunkRow[]> {
    for (let after = 0; ; ) {
      const chunks = await this.postgres.query<ChunkRow>(
        `SELECT first_sequence, size, phone_numbers, stored_at IS NOT NULL AS stored FROM campaign_chunks
          WHERE campaign_id = $1 AND first_sequence > $2 ORDER BY first_sequence LIMIT $3`,
        [campaignId, after, CHUNKS_AT_A_TIME],
      );
      const last = chunks.at(-1);
      if (!last) return;
      yield chunks;
      after = last.first_sequence;
    }
  }

  private async isNow(state: 'deleted' | 'erasing_at IS NOT NULL', campaignId: string): Promise<boolean> {
    const row = await this.postgres.one<{ state: boolean }>(`SELECT ${state} AS state FROM campaigns WHERE id = $1`, [
      campaignId,
    ]);
    return row?.state ?? false;
  }

  private async isKnown(campaignId: string): Promise<boolean> {
    return (await this.postgres.one('SELECT 1 FROM campaigns WHERE id = $1', [campaignId])) !== undefined;
  }
}

function nothing(campaignId: string): Difference {
  return { campaignId, counters: [], missing: 0, different: 0, unknown: 0, wronglyMarked: 0, sequences: [] };
}

function* numbersOf(chunks: ChunkRow[]): Generator<LedgerNumber> {
  for (const { first_sequence, phone_numbers, stored } of chunks)
    for (const [index, phoneNumber] of phone_numbers.split('\n').entries())
      yield {
        sequence: first_sequence + index,
        phoneNumber: phoneNumber === FORGOTTEN ? undefined : phoneNumber,
        stored,
      };
}

function wrongCounters(row: CampaignRow): string[] {
  return (['total', 'published', 'stored'] as const)
    .filter((counter) => row[counter] !== row[`chunks_${counter}`])
    .map((counter) => `${counter} is ${row[counter]}, its chunks say ${row[`chunks_${counter}`]}`);
}
