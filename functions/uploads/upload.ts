import type { FileSummary } from '../recipients/recipients.js';
import type { UploadStatus } from './uploads.schemas.js';

/** The purpose of an upload that becomes a campaign; a file of another purpose becomes what that one's taker makes of it. */
export const CAMPAIGN = 'campaign';

/** What the file of an upload becomes. */
export type Becomes =
  | {
      purpose: typeof CAMPAIGN;
      name: string;
      message: string;
      allowDuplicates: boolean;
      /** The column with the numbers: its name, or its number from 1. */
      phoneColumn: string | number | undefined;
    }
  /** `fileName`: as the sender names it. */
  | { purpose: 'billing'; fileName: string | null };

/** An upload when its URL is asked for. */
export interface UploadRequest {
  id: string;
  companyId: string;
  userId: string;
  becomes: Becomes;
  size: number;
  objectKey: string;
  traceparent: string;
  /** Of the URL. */
  expiresAt: Date;
}

/** An upload as its users see it. */
export interface UploadRow {
  status: UploadStatus;
  campaign_id: string | null;
  import_id: string | null;
  file: FileSummary | null;
  problem: Record<string, unknown> | null;
}

/** The right to read one upload's file for as long as the lease is renewed. */
export type Reader = ReaderOf<'campaign'> | ReaderOf<'billing'>;

/** A reader of a file of this purpose. */
export type ReaderOf<P extends Becomes['purpose']> = ReaderRow & { purpose: P } & (P extends typeof CAMPAIGN
    ? { name: string; message: string; allow_duplicates: boolean; phone_column: string | number | null }
    : { file_name: string | null });

interface ReaderRow {
  id: string;
  company_id: string;
  user_id: string;
  size: number;
  object_key: string;
  traceparent: string;
  lease_holder: string;
  /** This one included. */
  attempts: number;
}

/** An upload that is decided: a file that its URL brings now is not taken. */
export interface Decided {
  id: string;
  /** Of the accepted file; null where none was. */
  object_etag: string | null;
  object_modified: Date | null;
}

/** An upload that the store is asked about. */
export interface DueUpload {
  id: string;
  object_key: string;
  /** Neither accepted nor refused, nor deleted with its company. */
  open: boolean;
  /** The object was there before. */
  received: boolean;
  /** Its URL expired so long ago that no PUT can be under way. */
  over: boolean;
}

/** What a file became, and the counts of the lines of one that is a campaign. */
export type MadeOfFile = { campaignId: string; file: FileSummary } | { importId: string };
