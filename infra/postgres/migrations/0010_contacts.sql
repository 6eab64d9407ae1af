-- Up Migration
-- Contacts: a group of requests is ONE row, which is ledger, outbox and queue. A job is a line of that row, so its number is
-- known before the insert: job = batch * 1000 + line. Ends are computed from these rows; nobody writes a status.

-- n: the ids n to n + 999 belong to the process that took it. A process that dies leaves a gap.
CREATE SEQUENCE contact_batch_blocks INCREMENT BY 1000 MINVALUE 1000 START 1000;

CREATE TABLE contact_batches (
  id          bigint PRIMARY KEY,
  size        int NOT NULL CHECK (size BETWEEN 1 AND 1000),
  -- one canonical JSON a line; line i, from 0, is job id * 1000 + i; gone when done, so that no second copy stays
  payload     text,
  accepted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- only what `active` shows: nobody claims by it
  started_at  timestamptz,
  done_at     timestamptz,
  attempts    int NOT NULL DEFAULT 0,
  not_before  timestamptz,
  -- the jobs that failed and why: {"99007": "conflict"}
  failed      jsonb NOT NULL DEFAULT '{}',
  CHECK ((done_at IS NULL) = (payload IS NOT NULL)),
  CHECK (done_at IS NULL OR started_at IS NOT NULL)
);
-- No compression: CPU is what is short.
ALTER TABLE contact_batches ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE INDEX contact_batches_owed ON contact_batches (id) WHERE done_at IS NULL;
CREATE INDEX contact_batches_old ON contact_batches (done_at) WHERE done_at IS NOT NULL;

CREATE TABLE contacts (
  job        bigint PRIMARY KEY,
  id         uuid NOT NULL UNIQUE,
  -- SHA-256 of the canonical line
  content    bytea NOT NULL,
  name       text NOT NULL,
  age        int NOT NULL,
  score      double precision NOT NULL,
  active     boolean NOT NULL,
  country    text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- The rows of a contact hang on its job: keys that grow, not random ones. No foreign keys: they cost half the speed, and
-- store_contacts is the only writer. The duty `contacts-check` looks in their place.
CREATE TABLE contact_teams (
  job    bigint PRIMARY KEY,
  name   text NOT NULL,
  leader boolean NOT NULL
);
CREATE TABLE contact_projects (
  job       bigint NOT NULL,
  position  int NOT NULL,
  name      text NOT NULL,
  completed boolean NOT NULL,
  PRIMARY KEY (job, position)
);
CREATE TABLE contact_logs (
  job      bigint NOT NULL,
  position int NOT NULL,
  date     date NOT NULL,
  action   text NOT NULL CHECK (action IN ('login', 'logout')),
  PRIMARY KEY (job, position)
);

-- Holds off forget_contact for the rest of the transaction. Between the insert and the comparison of store_contacts the rows
-- that are compared must not go: a job with other content would count as stored.
CREATE FUNCTION keep_contacts() RETURNS void LANGUAGE sql AS $$
  SELECT pg_advisory_xact_lock_shared('contacts'::regclass::oid::int, 0)
$$;

-- Stores lines into the four tables. Returns the jobs that conflict.
CREATE FUNCTION store_contacts(jobs bigint[], lines text[]) RETURNS TABLE (job bigint, reason text) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM keep_contacts();
  -- guard: in the order of the user's id: two workers never wait for each other in a circle
  WITH given AS (SELECT g.job, g.line, g.line::jsonb AS u FROM unnest(jobs, lines) AS g(job, line)),
  first AS (
    SELECT DISTINCT ON ((u->>'id')::uuid) g.job, (u->>'id')::uuid AS id, sha256(convert_to(line, 'UTF8')) AS content, u
      FROM given g ORDER BY (u->>'id')::uuid, g.job),
  -- guard: the first to commit has the id; everyone else is compared below
  put AS (
    INSERT INTO contacts (job, id, content, name, age, score, active, country)
    SELECT f.job, f.id, f.content, u->>'name', (u->>'age')::int, (u->>'score')::float8, (u->>'active')::boolean, u->>'country'
      FROM first f ORDER BY f.id
    ON CONFLICT (id) DO NOTHING RETURNING contacts.job),
  fresh AS MATERIALIZED (SELECT f.job, f.u FROM first f JOIN put p ON p.job = f.job ORDER BY f.job),
  t AS (
    INSERT INTO contact_teams
    SELECT f.job, u->'team'->>'name', (u->'team'->>'leader')::boolean FROM fresh f),
  p AS (
    INSERT INTO contact_projects
    SELECT f.job, x.ord - 1, x.v->>'name', (x.v->>'completed')::boolean
      FROM fresh f, jsonb_array_elements(u->'team'->'projects') WITH ORDINALITY x(v, ord))
  INSERT INTO contact_logs
  SELECT f.job, x.ord - 1, (x.v->>'date')::date, x.v->>'action'
    FROM fresh f, jsonb_array_elements(u->'logs') WITH ORDINALITY x(v, ord);
  -- guard: a NEXT statement, with a fresh snapshot: who holds the id now, with which content
  RETURN QUERY
    SELECT g.job, 'conflict'::text
      FROM unnest(jobs, lines) AS g(job, line)
      JOIN contacts c ON c.id = (g.line::jsonb->>'id')::uuid
     WHERE c.job <> g.job AND c.content <> sha256(convert_to(g.line, 'UTF8'));
END $$;

-- Brings some started batches to their end, all in one transaction. Returns those that it ended.
CREATE FUNCTION process_contacts(at_most int) RETURNS TABLE (batch bigint, size int, failures int) LANGUAGE plpgsql AS $$
DECLARE
  ids bigint[]; js bigint[]; ls text[]; bad jsonb := '{}'; r record;
BEGIN
  -- guard: whoever holds the row lock works; a worker that is killed lets go at once; nobody waits
  SELECT array_agg(b.id ORDER BY b.id) INTO ids
    FROM (SELECT k.id FROM contact_batches k
           WHERE k.done_at IS NULL AND k.started_at IS NOT NULL
             AND (k.not_before IS NULL OR k.not_before < clock_timestamp())
           ORDER BY k.id LIMIT at_most FOR UPDATE SKIP LOCKED) b;
  IF ids IS NULL THEN RETURN; END IF;
  SELECT array_agg(b.id * 1000 + x.ord - 1 ORDER BY b.id, x.ord), array_agg(x.line ORDER BY b.id, x.ord) INTO js, ls
    FROM contact_batches b, string_to_table(b.payload, E'\n') WITH ORDINALITY x(line, ord)
   WHERE b.id = ANY (ids) AND b.done_at IS NULL;
  BEGIN
    SELECT coalesce(jsonb_object_agg(s.job::text, s.reason), '{}') INTO bad FROM store_contacts(js, ls) s;
  EXCEPTION WHEN data_exception OR integrity_constraint_violation THEN
    bad := '{}';
    -- each for itself: its neighbours are not touched
    FOR i IN 1 .. array_length(js, 1) LOOP
      BEGIN
        FOR r IN SELECT * FROM store_contacts(ARRAY[js[i]], ARRAY[ls[i]]) LOOP
          bad := bad || jsonb_build_object(r.job::text, r.reason);
        END LOOP;
      EXCEPTION WHEN data_exception OR integrity_constraint_violation THEN
        bad := bad || jsonb_build_object(js[i]::text, 'refused_by_store:' || SQLSTATE);
      END;
    END LOOP;
  END;
  -- guard: done once (the row is locked and was looked at under the lock)
  RETURN QUERY
    UPDATE contact_batches b
       SET done_at = clock_timestamp(), payload = NULL,
           failed = coalesce((SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(bad) e WHERE e.key::bigint / 1000 = b.id), '{}')
     WHERE b.id = ANY (ids) AND b.done_at IS NULL
    RETURNING b.id, b.size, (SELECT count(*)::int FROM jsonb_object_keys(b.failed));
  PERFORM pg_notify('contacts_done', array_to_string(ids, ' '));
END $$;

-- Forgets one contact: its rows in all four tables. Returns how many contacts went, 0 or 1.
CREATE FUNCTION forget_contact(who uuid) RETURNS int LANGUAGE plpgsql AS $$
DECLARE gone bigint;
BEGIN
  -- guard: waits for the workers that compare with its row, and they for the end of this
  PERFORM pg_advisory_xact_lock('contacts'::regclass::oid::int, 0);
  DELETE FROM contacts WHERE id = who RETURNING job INTO gone;
  IF gone IS NULL THEN RETURN 0; END IF;
  DELETE FROM contact_teams WHERE job = gone;
  DELETE FROM contact_projects WHERE job = gone;
  DELETE FROM contact_logs WHERE job = gone;
  RETURN 1;
END $$;

-- Down Migration
DROP FUNCTION forget_contact(uuid);
DROP FUNCTION process_contacts(int);
DROP FUNCTION store_contacts(bigint[], text[]);
DROP FUNCTION keep_contacts();
DROP TABLE contact_logs, contact_projects, contact_teams, contacts, contact_batches;
DROP SEQUENCE contact_batch_blocks;
