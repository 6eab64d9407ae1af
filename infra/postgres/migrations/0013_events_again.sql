-- Up Migration

-- What comes again: an event is the same by its key, the name of its type and its message, whatever is registered by now. What
-- is refused now and was stored before is a duplicate; what was discarded and comes again is open again in quarantine.
-- keep: conflicts and refused rows go into quarantine (queue), or are told only (HTTP, replay).
-- messages: of a refused row what it said, if that may be an event: the name of its type, a blank, the SHA-256 of its message.
CREATE OR REPLACE FUNCTION store_events(at_version bigint, keep boolean, ns int[], clients text[], types int[], keys text[], messages text[], bodies bytea[], occurred timestamptz[], reasons text[], details text[], companies text[])
-- enable_seqscan: a session keeps the plans that it made while the tables were small, and they would read all of larger ones
-- jit: until PostgreSQL 18 a scan that is off and needed all the same looks so dear that each call is compiled, 30 ms
RETURNS TABLE (n int, outcome text, event_id bigint) LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  ids bigint[];
  mine boolean[];
  helds bigint[];
  sames boolean[];
  told int;
BEGIN
  -- guard: what the batch was triaged with is still what is registered; a change waits for us, we wait for a change
  PERFORM FROM event_registry WHERE version = at_version FOR SHARE;
  IF NOT FOUND THEN RETURN QUERY SELECT -1, 'stale_registry'::text, NULL::bigint; RETURN; END IF;
  -- ids before the insert: which rows are ours is then a comparison of ids, whatever the plan
  SELECT array_agg(nextval('events_id_seq')) INTO ids FROM unnest(ns);
  -- guard: in the order of the key: two consumers wait, never in a circle; the first to commit has it
  WITH put AS (
    INSERT INTO events (id, company_id, client_id, type_id, dedupe_key, content, message, occurred_at)
    SELECT DISTINCT ON (client_id, key) id, company_id, client_id, type_id, key, sha256(convert_to(message, 'UTF8')), message, occurred_at
      FROM unnest(ids, ns, clients, types, keys, messages, occurred, reasons, companies)
        AS g(id, n, client_id, type_id, key, message, occurred_at, reason, company_id)
     WHERE reason IS NULL ORDER BY client_id, key, n
    ON CONFLICT (client_id, dedupe_key) DO NOTHING RETURNING id, company_id, client_id, type_id),
  -- guard: owed deliveries are born in the transaction that stores the event
  owed AS (
    INSERT INTO event_deliveries (event_id, endpoint_id, due_at)
    SELECT p.id, e.id, clock_timestamp()
      FROM put p
      JOIN event_types t ON t.id = p.type_id
      JOIN event_endpoints e ON e.company_id = p.company_id AND NOT e.deleted AND e.disabled_at IS NULL
       AND (e.client_id IS NULL OR e.client_id = p.client_id) AND (e.type_names IS NULL OR t.name = ANY (e.type_names)))
  -- in a select list the ids of put are hashed; a join with them may be planned as a nested loop
  SELECT array_agg(id IN (SELECT id FROM put) ORDER BY place) INTO mine FROM unnest(ids) WITH ORDINALITY AS g(id, place);
  IF true = ALL (mine) THEN
    RETURN QUERY SELECT g.n, 'stored'::text, g.id FROM unnest(ns, ids) AS g(n, id);
    RETURN;
  END IF;
  -- a NEXT statement (fresh snapshot) sees what another consumer committed while we waited. What is ours is not looked for: its key is null
  SELECT array_agg(CASE WHEN g.mine THEN g.id ELSE e.id END ORDER BY g.place),
         array_agg(CASE
           WHEN g.mine THEN true
           WHEN g.reason IS NULL THEN e.content = sha256(convert_to(g.message, 'UTF8')) AND (e.type_id = g.type_id
             -- guard: the same bytes may be of a newer version now, and are no conflict
             OR (SELECT name FROM event_types WHERE id = e.type_id) = (SELECT name FROM event_types WHERE id = g.type_id))
           -- guard: refused now, stored before
           ELSE g.message = (SELECT name FROM event_types WHERE id = e.type_id) || ' ' || encode(e.content, 'hex') END
           ORDER BY g.place)
    INTO helds, sames
    FROM unnest(ids, mine, clients, types, keys, messages, reasons) WITH ORDINALITY AS g(id, mine, client_id, type_id, key, message, reason, place)
    LEFT JOIN events e ON e.client_id = g.client_id AND e.dedupe_key = CASE WHEN NOT g.mine THEN g.key END;
  -- guard: retention has deleted what the insert met: nothing is stored, and the same call may be repeated
  IF EXISTS (SELECT FROM unnest(reasons, helds) AS g(reason, held) WHERE reason IS NULL AND held IS NULL) THEN
    RAISE 'an event that the batch met was deleted meanwhile' USING ERRCODE = 'serialization_failure';
  END IF;
  RETURN QUERY SELECT g.n, CASE WHEN held = id THEN 'stored' ELSE 'duplicate' END, held
    FROM unnest(ids, ns, helds, sames) AS g(id, n, held, same) WHERE same;
  GET DIAGNOSTICS told = ROW_COUNT;
  IF told = cardinality(ns) THEN RETURN; END IF;
  IF keep THEN
    -- guard: in the order of source_key, as above
    INSERT INTO event_quarantine AS q (company_id, client_id, reason, detail, dedupe_key, source_key, body)
    SELECT DISTINCT ON (6) company_id, client_id, coalesce(reason, 'conflicting_duplicate'), coalesce(detail, 'event ' || held), key,
           CASE WHEN reason IS NULL THEN 'c:' || client_id ELSE 'q' END || ':' || key || ':' || encode(sha256(body), 'hex'), body
      FROM unnest(ns, clients, keys, bodies, reasons, details, companies, helds, sames)
        AS g(n, client_id, key, body, reason, detail, company_id, held, same)
     WHERE same IS NOT TRUE ORDER BY 6, n
    -- guard: nobody would see what was discarded before, nor a company what came before its client was registered
    ON CONFLICT (source_key) DO UPDATE SET
      company_id = coalesce(excluded.company_id, q.company_id), client_id = coalesce(excluded.client_id, q.client_id),
      reason = excluded.reason, detail = excluded.detail,
      -- the same bytes, unless somebody has erased those of a message that had ended
      body = excluded.body,
      received_at = CASE WHEN q.resolved_at IS NULL THEN q.received_at ELSE excluded.received_at END,
      resolved_at = NULL, resolution = NULL
    -- guard: one that was replayed is an event
    WHERE q.resolution IS DISTINCT FROM 'replayed';
  END IF;
  -- a NEXT statement again: of a row that is locked now, how it has ended
  RETURN QUERY SELECT g.n, CASE WHEN q.id IS NULL THEN 'quarantined' ELSE 'duplicate' END, coalesce(q.event_id, held)
    FROM unnest(ns, clients, keys, bodies, reasons, helds, sames) AS g(n, client_id, key, body, reason, held, same)
    LEFT JOIN event_quarantine q ON keep AND q.resolution = 'replayed'
     AND q.source_key = CASE WHEN g.reason IS NULL THEN 'c:' || g.client_id ELSE 'q' END || ':' || key || ':' || encode(sha256(g.body), 'hex')
   WHERE same IS NOT TRUE;
END $$;

-- for the count of a company's clients, which has a limit
CREATE INDEX event_clients_company ON event_clients (company_id) WHERE NOT deleted;

-- Down Migration

DROP INDEX event_clients_company;
CREATE OR REPLACE FUNCTION store_events(at_version bigint, keep boolean, ns int[], clients text[], types int[], keys text[], messages text[], bodies bytea[], occurred timestamptz[], reasons text[], details text[], companies text[])
RETURNS TABLE (n int, outcome text, event_id bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE ids bigint[];
BEGIN
  -- guard: what the batch was triaged with is still what is registered; a change waits for us, we wait for a change
  PERFORM FROM event_registry WHERE version = at_version FOR SHARE;
  IF NOT FOUND THEN RETURN QUERY SELECT -1, 'stale_registry'::text, NULL::bigint; RETURN; END IF;
  -- ids before the insert: which rows are ours is then a comparison of ids, whatever the plan
  SELECT array_agg(nextval('events_id_seq')) INTO ids FROM unnest(ns);
  WITH first AS MATERIALIZED (SELECT DISTINCT ON (client_id, key) * FROM unnest(ids, ns, clients, types, keys, messages, occurred, reasons, companies)
      AS g(id, n, client_id, type_id, key, message, occurred_at, reason, company_id) WHERE reason IS NULL ORDER BY client_id, key, n),
  -- guard: in the order of the key: two consumers wait, never in a circle; the first to commit has it
  put AS (INSERT INTO events (id, company_id, client_id, type_id, dedupe_key, content, message, occurred_at)
    SELECT id, company_id, client_id, type_id, key, sha256(convert_to(message, 'UTF8')), message, occurred_at FROM first ORDER BY client_id, key
    ON CONFLICT (client_id, dedupe_key) DO NOTHING RETURNING id, company_id, client_id, type_id)
  -- guard: owed deliveries are born in the transaction that stores the event
  INSERT INTO event_deliveries (event_id, endpoint_id, due_at) SELECT p.id, e.id, clock_timestamp() FROM put p JOIN event_types t ON t.id = p.type_id JOIN event_endpoints e ON e.company_id = p.company_id AND NOT e.deleted
    AND e.disabled_at IS NULL AND (e.client_id IS NULL OR e.client_id = p.client_id) AND (e.type_names IS NULL OR t.name = ANY (e.type_names));
  -- a NEXT statement (fresh snapshot) sees what another consumer committed while we waited
  RETURN QUERY WITH seen AS MATERIALIZED (SELECT g.*, e.id AS held, e.type_id = g.type_id AND e.content = sha256(convert_to(g.message, 'UTF8')) AS same
      FROM unnest(ids, ns, clients, types, keys, messages, bodies, reasons, companies) AS g(id, n, client_id, type_id, key, message, body, reason, company_id)
      JOIN events e ON e.client_id = g.client_id AND e.dedupe_key = g.key WHERE g.reason IS NULL),
  bad AS (INSERT INTO event_quarantine (company_id, client_id, reason, detail, dedupe_key, source_key, body)
    SELECT DISTINCT ON (6) company_id, client_id, 'conflicting_duplicate', 'event ' || held, key, 'c:' || client_id || ':' || key || ':' || encode(sha256(body), 'hex'), body FROM seen WHERE keep AND NOT same ORDER BY 6, n ON CONFLICT (source_key) DO NOTHING)
  SELECT s.n, CASE WHEN held = id THEN 'stored' WHEN same THEN 'duplicate' ELSE 'quarantined' END, s.held FROM seen s;
  RETURN QUERY WITH bad AS (INSERT INTO event_quarantine (company_id, client_id, reason, detail, dedupe_key, source_key, body)
    SELECT DISTINCT ON (6) company_id, client_id, reason, detail, key, 'q:' || key || ':' || encode(sha256(body), 'hex'), body FROM unnest(ns, clients, keys, bodies, reasons, details, companies) AS g(n, client_id, key, body, reason, detail, company_id)
    WHERE reason IS NOT NULL ORDER BY 6, n ON CONFLICT (source_key) DO NOTHING)
  SELECT g.n, 'quarantined'::text, NULL::bigint FROM unnest(ns, reasons) AS g(n, reason) WHERE reason IS NOT NULL;
END $$;
