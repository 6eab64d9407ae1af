-- Up Migration
-- Files that go to the object store and become campaigns there: whom for, how large, and what became of them. Like the
-- status of a campaign, that of an upload is a generated column: nobody assigns it.

CREATE TABLE uploads (
  id               text PRIMARY KEY,
  company_id       text NOT NULL REFERENCES companies,
  user_id          text NOT NULL REFERENCES users,
  name             text NOT NULL,
  message          text NOT NULL,
  allow_duplicates boolean NOT NULL DEFAULT false,
  -- bytes, as the signed URL demands them
  size             bigint NOT NULL CHECK (size > 0),
  -- the object's, in the bucket
  object_key       text NOT NULL UNIQUE,
  -- W3C Trace Context of the request, so that its trace reaches the consumers
  traceparent      text NOT NULL DEFAULT '',
  -- of the URL
  expires_at       timestamptz NOT NULL,
  -- the object was found in the store
  received_at      timestamptz,
  -- accepted as this campaign, once
  campaign_id      text UNIQUE REFERENCES campaigns,
  -- what the accepted file was, so that another one at the same URL is told from the same event twice
  object_etag      text,
  object_modified  timestamptz,
  -- refused, or accepted and its URL used twice: a problem as the API answers it (RFC 9457)
  refusal          jsonb,
  reuse            jsonb,
  -- what the lines came to, of an accepted file and of one without an acceptable number
  file             jsonb,
  -- one reader at a time, until then; how often one began and was not heard of again
  lease_until      timestamptz,
  lease_holder     text,
  attempts         int NOT NULL DEFAULT 0,
  -- when the store is asked next, whether or not its event has come; NULL: never again
  look_at          timestamptz,
  created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  deleted          boolean NOT NULL DEFAULT false,
  status           text NOT NULL GENERATED ALWAYS AS (CASE
    WHEN campaign_id IS NOT NULL THEN 'aceito'
    WHEN refusal IS NOT NULL     THEN 'recusado'
    WHEN received_at IS NOT NULL THEN 'recebendo'
    ELSE 'esperando' END) STORED,
  problem          jsonb GENERATED ALWAYS AS (coalesce(refusal, reuse)) STORED,
  CHECK (campaign_id IS NULL OR (refusal IS NULL AND file IS NOT NULL AND object_etag IS NOT NULL)),
  CHECK (reuse IS NULL OR campaign_id IS NOT NULL)
);
CREATE INDEX uploads_company ON uploads (company_id) WHERE NOT deleted;
CREATE INDEX uploads_to_look_for ON uploads (look_at) WHERE look_at IS NOT NULL;

-- Down Migration
DROP TABLE uploads;
