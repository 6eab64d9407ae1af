-- Up Migration
-- What the dispatcher needs to find, by itself, what was lost (R7) and what a stopped campaign left behind (R10).

-- R7: a chunk that was published later and is stored says that the queue is past this place.
CREATE INDEX campaign_chunks_through ON campaign_chunks (published_at) WHERE stored_at IS NOT NULL;

ALTER TABLE campaigns
  -- who holds the lease: a publisher that was overtaken gives back its own only
  ADD COLUMN lease_holder text,
  -- when a campaign that was cancelled or deleted is gone over again; NULL: there is nothing to do
  ADD COLUMN sweep_at timestamptz;
CREATE INDEX campaigns_to_sweep ON campaigns (sweep_at) WHERE sweep_at IS NOT NULL;
UPDATE campaigns SET sweep_at = clock_timestamp() WHERE deleted OR cancelled_at IS NOT NULL;

-- Beside the one of 0002, which publishers of the version before call until they are gone: renews the lease for its holder only.
CREATE FUNCTION stamp_published(campaign text, at_epoch int, sequences int[], holder text, lease interval) RETURNS void
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
         -- a late stamp renews no lease that was given back or taken by another
         lease_until = CASE WHEN lease_holder = holder THEN clock_timestamp() + lease ELSE lease_until END,
         updated_at = CASE WHEN n > 0 THEN clock_timestamp() ELSE updated_at END
   WHERE id = campaign;
END $$;

-- Down Migration
DROP FUNCTION stamp_published(text, int, int[], text, interval);
DROP INDEX campaign_chunks_through, campaigns_to_sweep;
ALTER TABLE campaigns DROP COLUMN lease_holder, DROP COLUMN sweep_at;
