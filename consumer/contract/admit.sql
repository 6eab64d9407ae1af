-- Step 3. What the ledger says of each chunk of the batch: one read, no lock, one row for each pair that was asked.
-- $1 text[]  campaign ids, $2 int[] first sequences: pairs by position
-- size is NULL when the ledger does not know the chunk; campaign_known tells which of the two is missing.
SELECT b.campaign_id,
       b.first_sequence,
       c.id IS NOT NULL AS campaign_known,
       k.size,
       coalesce(NOT c.deleted AND c.paused_at IS NULL AND c.cancelled_at IS NULL, false) AS running,
       k.stored_at IS NOT NULL AS stored
  FROM unnest($1::text[], $2::int[]) AS b(campaign_id, first_sequence)
  LEFT JOIN campaigns c ON c.id = b.campaign_id
  LEFT JOIN campaign_chunks k ON k.campaign_id = b.campaign_id AND k.first_sequence = b.first_sequence
