import { Injectable } from '@nestjs/common';
import { MessageStore, type MessageView } from '../../ledger/message-store.js';
import type { CampaignRow } from '../../ledger/read/campaign-row.js';
import { LedgerReader } from '../../ledger/read/ledger-reader.js';
import { type Slice, type SliceOf, sliceOf } from '../../platform/http/slices.js';
import type { Reject } from '../../recipients/reject-list.js';
import { CampaignNotFound } from '../campaigns.errors.js';

/** A slice of rejects. `not_kept`: how many more lines were counted only, and are in no slice. */
export interface RejectSlice extends SliceOf<Reject> {
  not_kept: number;
}

/** The rejects of an export, and how many more lines were counted only. */
interface RejectExport {
  rows: AsyncIterable<unknown[]>;
  notKept: number;
}

/** The `reason` of the last row of an export where not all rejects were kept. */
const NOT_KEPT = 'not_kept';
/**
 * Rows that an export reads at a time. MongoDB would send 16 MB of documents at once, and the heap would hold them several
 * times.
 */
const ROWS_AT_A_TIME = 1_000;

/**
 * Reads a campaign's messages and rejects. All throw CampaignNotFound. From the moment its erasure begins, a campaign shows
 * neither.
 */
@Injectable()
export class ReadMessages {
  constructor(
    private readonly ledger: LedgerReader,
    private readonly store: MessageStore,
  ) {}

  /** By sequence. */
  async messages(userId: string, id: string, { after, limit }: Slice): Promise<SliceOf<MessageView>> {
    if (await this.isErased(userId, id)) return { data: [], next: null };
    const found = await (await this.store.messagesOf(id, { after, limit: limit + 1 })).toArray();
    return sliceOf(found, limit, ({ sequence }) => sequence);
  }

  async rejects(userId: string, id: string, { after, limit }: Slice): Promise<RejectSlice> {
    const { erased, rejects_not_kept } = await this.campaign(userId, id);
    if (erased) return { data: [], next: null, not_kept: 0 };
    const found = await this.ledger.rejects(id, { after, limit: limit + 1 });
    return { ...sliceOf(found, limit, ({ line }) => line), not_kept: rejects_not_kept };
  }

  /** All messages as rows of the export, as they come from the store. */
  async exportMessages(userId: string, id: string, slice: Slice): Promise<AsyncIterable<unknown[]>> {
    if (await this.isErased(userId, id)) return nothing();
    const cursor = (await this.store.messagesOf(id, slice)).batchSize(ROWS_AT_A_TIME);
    return (async function* () {
      for await (const { sequence, phone_number, identifier, message, created_at } of cursor)
        yield [sequence, phone_number, identifier, message, created_at.toISOString()];
    })();
  }

  async exportRejects(userId: string, id: string, slice: Slice): Promise<RejectExport> {
    const { erased, rejects_not_kept: notKept } = await this.campaign(userId, id);
    return erased ? { rows: nothing(), notKept: 0 } : { rows: this.rejectRows(id, slice, notKept), notKept };
  }

  /** The last row, if the slice reaches it, says how many more there were: a spreadsheet does not show an HTTP header. */
  private async *rejectRows(id: string, slice: Slice, notKept: number): AsyncGenerator<unknown[]> {
    let { after, limit: left } = slice;
    while (left > 0) {
      const limit = Math.min(left, ROWS_AT_A_TIME);
      const rows = await this.ledger.rejects(id, { after, limit });
      for (const { line, value, reason } of rows) yield [line, value, reason];
      after = rows.at(-1)?.line ?? after;
      left -= rows.length;
      if (rows.length < limit) break;
    }
    if (left > 0 && notKept > 0)
      yield ['', `${notKept} more lines are not numbers; they are counted and not kept`, NOT_KEPT];
  }

  private async isErased(userId: string, id: string): Promise<boolean> {
    return (await this.campaign(userId, id)).erased;
  }

  private async campaign(userId: string, id: string): Promise<CampaignRow> {
    const campaign = await this.ledger.find(userId, id);
    if (!campaign) throw new CampaignNotFound();
    return campaign;
  }
}

async function* nothing(): AsyncGenerator<unknown[]> {}
