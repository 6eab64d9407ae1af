-- Up Migration

-- The same rules, a third of the time less: a line is parsed once, and where every line of a call was new there is nothing to
-- compare it with.
CREATE OR REPLACE FUNCTION store_contacts(jobs bigint[], lines text[]) RETURNS TABLE (job bigint, reason text) LANGUAGE plpgsql AS $$
DECLARE stored int;
BEGIN
  PERFORM keep_contacts();
  -- guard: in the order of the user's id: two workers never wait for each other in a circle
  WITH first AS (
    -- OFFSET 0: else the planner writes the parsing of a line into each place that uses it
    SELECT DISTINCT ON ((u->>'id')::uuid) g.job, (u->>'id')::uuid AS id, sha256(convert_to(line, 'UTF8')) AS content, u
      FROM (SELECT g.job, g.line, g.line::jsonb AS u FROM unnest(jobs, lines) AS g(job, line) OFFSET 0) AS g
     ORDER BY (u->>'id')::uuid, g.job),
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
      FROM fresh f, jsonb_array_elements(u->'team'->'projects') WITH ORDINALITY x(v, ord)),
  l AS (
    INSERT INTO contact_logs
    SELECT f.job, x.ord - 1, (x.v->>'date')::date, x.v->>'action'
      FROM fresh f, jsonb_array_elements(u->'logs') WITH ORDINALITY x(v, ord))
  SELECT count(*) INTO stored FROM fresh;
  IF stored = cardinality(jobs) THEN RETURN; END IF;
  -- guard: a NEXT statement, with a fresh snapshot: who holds the id now, with which content
  RETURN QUERY
    SELECT g.job, 'conflict'::text
      FROM unnest(jobs, lines) AS g(job, line)
      JOIN contacts c ON c.id = (g.line::jsonb->>'id')::uuid
     WHERE c.job <> g.job AND c.content <> sha256(convert_to(g.line, 'UTF8'));
END $$;

-- Down Migration

CREATE OR REPLACE FUNCTION store_contacts(jobs bigint[], lines text[]) RETURNS TABLE (job bigint, reason text) LANGUAGE plpgsql AS $$
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
