-- Up Migration
-- Since 0003 every publisher passes its lease holder with its stamps, so the function without a holder goes. And an answer
-- to an Idempotency-Key may be of something other than a campaign.

DROP FUNCTION stamp_published(text, int, int[], interval);
ALTER TABLE idempotency_keys ALTER COLUMN campaign_id DROP NOT NULL;

-- Down Migration
DELETE FROM idempotency_keys WHERE campaign_id IS NULL;
ALTER TABLE idempotency_keys ALTER COLUMN campaign_id SET NOT NULL;
CREATE FUNCTION stamp_published(campaign text, at_epoch int, sequences int[], lease interval) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE n int;
BEGIN
  -- guard: the epoch of the claim still holds (R6)
  PERFORM FROM campaigns WHERE id = campaign AND epoch = at_epoch FOR UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  -- guard: only rows not yet stamped; the counter moves by the rows changed
  WITH stamped AS (
    UPDATE campaign_chunks SET published_at = clock_timestamp()
     WHERE campaign_id = campaign AND first_sequence = ANY (sequences) AND published_at IS NULL
    RETURNING size)
  SELECT coalesce(sum(size), 0) INTO n FROM stamped;
  UPDATE campaigns
     SET published = published + n,
         -- a late stamp must not give a lease back that was released: NULL stays NULL
         lease_until = CASE WHEN lease_until IS NULL THEN NULL ELSE clock_timestamp() + lease END,
         updated_at = CASE WHEN n > 0 THEN clock_timestamp() ELSE updated_at END
   WHERE id = campaign;
END $$;
