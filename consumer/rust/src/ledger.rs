//! PostgreSQL's side of the contract: the two statements on the ledger.

/// Step 3: what the ledger says of chunks. One read, no lock, one row for each pair that was asked.
pub const ADMIT_SQL: &str = include_str!("../../contract/admit.sql");

/// Step 5: chunks become stored. The counters move by the rows that changed.
pub const RECORD_STORED_SQL: &str = include_str!("../../contract/record-stored.sql");
