-- Up Migration
-- Campaigns and their ledger. campaign_chunks is outbox and ledger at once: accepted, published, stored, chunk by chunk.
-- The rules R1, R2 and so on: docs/architecture.md. Status is a generated column: nobody assigns it (R1).

CREATE TABLE campaigns (
  id           text PRIMARY KEY,
  name         text NOT NULL,
  message      text NOT NULL,
  company_id   text NOT NULL REFERENCES companies,
  user_id      text NOT NULL REFERENCES users,
  partition    int NOT NULL DEFAULT 0 CHECK (partition >= 0),
  -- numbers, not chunks
  total        int NOT NULL CHECK (total > 0),
  published    int NOT NULL DEFAULT 0,
  stored       int NOT NULL DEFAULT 0,
  paused_at    timestamptz,
  cancelled_at timestamptz,
  deleted      boolean NOT NULL DEFAULT false,
  deleted_at   timestamptz,
  -- one more with each resume; a stamp carries the epoch of its claim and is void in a later one (R6)
  epoch        int NOT NULL DEFAULT 0,
  -- one publisher at a time, until then
  lease_until  timestamptz,
  -- W3C Trace Context of the upload, so that its trace reaches the consumers whoever publishes
  traceparent  text NOT NULL DEFAULT '',
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  status       text NOT NULL GENERATED ALWAYS AS (CASE
    WHEN cancelled_at IS NOT NULL THEN 'cancelado'
    WHEN stored = total           THEN 'enviado'
    WHEN paused_at IS NOT NULL    THEN 'pausado'
    WHEN stored > 0               THEN 'enviando'
    WHEN published = total        THEN 'enfileirado'
    ELSE 'pendente' END) STORED,
  CHECK (0 <= stored AND stored <= published AND published <= total)
);
CREATE INDEX campaigns_newest ON campaigns (company_id, created_at DESC, id DESC) WHERE NOT deleted;
-- what a publisher claims
CREATE INDEX campaigns_owing ON campaigns (created_at, id)
  WHERE NOT deleted AND paused_at IS NULL AND cancelled_at IS NULL AND published < total;

CREATE TABLE campaign_chunks (
  campaign_id    text NOT NULL REFERENCES campaigns,
  first_sequence int NOT NULL CHECK (first_sequence > 0),
  size           int NOT NULL CHECK (size BETWEEN 1 AND 5000),
  -- E.164, one a line, in the file's order
  phone_numbers  text NOT NULL,
  published_at   timestamptz,
  stored_at      timestamptz,
  -- how often it was healed; the grace time doubles with it
  attempts       int NOT NULL DEFAULT 0,
  PRIMARY KEY (campaign_id, first_sequence),
  CHECK (stored_at IS NULL OR published_at IS NOT NULL)
);
CREATE INDEX campaign_chunks_owed ON campaign_chunks (published_at) WHERE stored_at IS NULL;

-- Lines of the file that are no number, as the answer of GET .../rejects.
CREATE TABLE campaign_rejects (
  campaign_id text NOT NULL REFERENCES campaigns,
  line        int NOT NULL CHECK (line > 0),
  value       text NOT NULL,
  reason      text NOT NULL CHECK (reason IN ('not_a_number', 'not_mobile', 'wrong_length', 'unknown_ddd')),
  PRIMARY KEY (campaign_id, line)
);

-- The first answer to an Idempotency-Key, for 24 hours. answer is the body, byte for byte; it is final once answered_at is set.
CREATE TABLE idempotency_keys (
  company_id  text NOT NULL REFERENCES companies,
  key         text NOT NULL,
  content     bytea NOT NULL,
  campaign_id text NOT NULL REFERENCES campaigns,
  answer      text NOT NULL,
  answered_at timestamptz,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (company_id, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- Every statement of a VOLATILE function takes a new snapshot under READ COMMITTED: lock first (R2), then look.

-- Stamps chunks as confirmed by the broker (R3) and renews the lease of the publisher while it holds one.
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

-- Records chunks as stored in MongoDB (R4). Pairs by position.
CREATE FUNCTION record_stored(campaigns_ text[], sequences int[])
RETURNS TABLE (id text, status text, total int, stored int, deleted boolean)
LANGUAGE plpgsql AS $$
BEGIN
  -- guard: campaign rows first, in the order of their id: no deadlock, one writer a campaign
  PERFORM FROM campaigns c WHERE c.id = ANY (campaigns_) ORDER BY c.id FOR UPDATE;
  -- guard: only rows not yet stored; counters move by the rows changed; what is stored was published
  RETURN QUERY
  WITH owed AS (
    SELECT DISTINCT k.campaign_id, k.first_sequence, k.published_at IS NULL AS unstamped
      FROM unnest(campaigns_, sequences) AS b(campaign_id, first_sequence)
      JOIN campaign_chunks k USING (campaign_id, first_sequence)
     WHERE k.stored_at IS NULL),
  chunk AS (
    UPDATE campaign_chunks k
       SET stored_at = clock_timestamp(), published_at = coalesce(k.published_at, clock_timestamp())
      FROM owed o
     WHERE (k.campaign_id, k.first_sequence) = (o.campaign_id, o.first_sequence)
    RETURNING k.campaign_id, k.size, o.unstamped),
  moved AS (
    SELECT campaign_id, sum(size)::int AS stored, coalesce(sum(size) FILTER (WHERE unstamped), 0)::int AS published
      FROM chunk GROUP BY campaign_id)
  UPDATE campaigns c
     SET stored = c.stored + m.stored, published = c.published + m.published, updated_at = clock_timestamp()
    FROM moved m
   WHERE c.id = m.campaign_id
  RETURNING c.id, c.status, c.total, c.stored, c.deleted;
END $$;

-- Down Migration
DROP FUNCTION record_stored(text[], int[]);
DROP FUNCTION stamp_published(text, int, int[], interval);
DROP TABLE idempotency_keys, campaign_rejects, campaign_chunks, campaigns;
