-- Up Migration
-- Files of debts come by URL, too: an upload is of a purpose, and becomes a campaign or an import. The version that still runs goes
-- on working: it inserts campaigns, which is the default.
-- guard: that version would read any file whose lease is free for a campaign, and refuse it. So a file of debts has a lease of its
-- own, and in lease_until one that never ends: the version before neither looks for its object nor reads it.

ALTER TABLE uploads
  ADD COLUMN purpose text NOT NULL DEFAULT 'campaign' CHECK (purpose IN ('campaign', 'billing')),
  -- accepted as this import, once
  ADD COLUMN import_id text UNIQUE REFERENCES billing_imports (id),
  -- of a file of debts, as its sender names it
  ADD COLUMN file_name text,
  -- of a file of debts, in place of lease_until
  ADD COLUMN import_lease_until timestamptz,
  ALTER COLUMN name DROP NOT NULL,
  ALTER COLUMN message DROP NOT NULL,
  DROP COLUMN status,
  DROP CONSTRAINT uploads_check,
  DROP CONSTRAINT uploads_check1;
ALTER TABLE uploads
  ADD COLUMN status text NOT NULL GENERATED ALWAYS AS (CASE
    WHEN coalesce(campaign_id, import_id) IS NOT NULL THEN 'aceito'
    WHEN refusal IS NOT NULL     THEN 'recusado'
    WHEN received_at IS NOT NULL THEN 'recebendo'
    ELSE 'esperando' END) STORED,
  ADD CHECK (CASE purpose
    WHEN 'campaign' THEN name IS NOT NULL AND message IS NOT NULL AND import_id IS NULL AND file_name IS NULL
      AND import_lease_until IS NULL
    ELSE name IS NULL AND message IS NULL AND phone_column IS NULL AND NOT allow_duplicates AND campaign_id IS NULL
      AND file IS NULL AND lease_until IS NOT NULL AND lease_until = 'infinity' END),
  ADD CHECK (campaign_id IS NULL OR (refusal IS NULL AND file IS NOT NULL AND object_etag IS NOT NULL)),
  ADD CHECK (import_id IS NULL OR (refusal IS NULL AND object_etag IS NOT NULL)),
  ADD CHECK (reuse IS NULL OR coalesce(campaign_id, import_id) IS NOT NULL);

-- Down Migration
DELETE FROM uploads WHERE purpose = 'billing';
ALTER TABLE uploads DROP COLUMN status, DROP COLUMN purpose, DROP COLUMN import_id, DROP COLUMN file_name,
  DROP COLUMN import_lease_until,
  DROP CONSTRAINT IF EXISTS uploads_check, DROP CONSTRAINT IF EXISTS uploads_check1, DROP CONSTRAINT IF EXISTS uploads_check2,
  DROP CONSTRAINT IF EXISTS uploads_check3;
ALTER TABLE uploads
  ALTER COLUMN name SET NOT NULL,
  ALTER COLUMN message SET NOT NULL,
  ADD COLUMN status text NOT NULL GENERATED ALWAYS AS (CASE
    WHEN campaign_id IS NOT NULL THEN 'aceito'
    WHEN refusal IS NOT NULL     THEN 'recusado'
    WHEN received_at IS NOT NULL THEN 'recebendo'
    ELSE 'esperando' END) STORED,
  ADD CHECK (campaign_id IS NULL OR (refusal IS NULL AND file IS NOT NULL AND object_etag IS NOT NULL)),
  ADD CHECK (reuse IS NULL OR campaign_id IS NOT NULL);
