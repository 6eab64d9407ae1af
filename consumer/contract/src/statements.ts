import { contractText } from './contract-file.js';

/** Step 3: what the ledger says of chunks. */
export const ADMIT_SQL = contractText('admit.sql');
/** Step 5: chunks become stored. */
export const RECORD_STORED_SQL = contractText('record-stored.sql');

/** A row of ADMIT_SQL. */
export interface AdmitRow {
  campaign_id: string;
  first_sequence: number;
  campaign_known: boolean;
  /** Null when the ledger does not know the chunk. */
  size: number | null;
  /** Not deleted, not paused, not cancelled. */
  running: boolean;
  stored: boolean;
}

/** A row of RECORD_STORED_SQL: a campaign whose counters moved. */
export interface RecordRow {
  id: string;
  status: string;
  total: number;
  stored: number;
  deleted: boolean;
}
