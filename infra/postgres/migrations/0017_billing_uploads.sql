-- Up Migration
-- Files of debts come by URL, too: an upload is of a purpose, and becomes a campaign or an import. The version that still runs goes
-- on working: it inserts campaigns, which is the default.

ALTER TABLE uploads
  ADD COLUMN purpose text NOT NULL DEFAULT 'campaign' CHECK (purpose IN ('campaign', 'billing')),
  -- accepted as this import, once
  ADD COLUMN import_id text UNIQUE REFERENCES billing_imports (id),
  -- of a file of debts, as its sender names it
  ADD COLUMN file_name text,
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
    ELSE name IS NULL AND message IS NULL AND phone_column IS NULL AND campaign_id IS NULL END),
  ADD CHECK (campaign_id IS NULL OR (refusal IS NULL AND file IS NOT NULL AND object_etag IS NOT NULL)),
  ADD CHECK (import_id IS NULL OR (refusal IS NULL AND object_etag IS NOT NULL)),
  ADD CHECK (reuse IS NULL OR coalesce(campaign_id, import_id) IS NOT NULL);

-- Down Migration
DELETE FROM uploads WHERE purpose = 'billing';
ALTER TABLE uploads DROP COLUMN status, DROP COLUMN purpose, DROP COLUMN import_id, DROP COLUMN file_name,
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
