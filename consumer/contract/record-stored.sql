-- Step 5. Chunks become stored, each once; the counters move by the rows that changed (R2, R4; the function is a migration).
-- $1 text[]  campaign ids, $2 int[] first sequences: pairs by position
-- One row for each campaign that moved: id, status, total, stored, deleted.
SELECT id, status, total, stored, deleted FROM record_stored($1::text[], $2::int[])
