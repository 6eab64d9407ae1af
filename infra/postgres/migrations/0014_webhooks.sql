-- Up Migration

-- Webhooks: what is owed to endpoints goes out. Lock order of the sender: an endpoint, then its deliveries; of an answer: one
-- delivery, then its endpoint. claim_deliveries passes over locked rows of both, so there is no circle.
ALTER TABLE event_endpoints
  ADD COLUMN created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- since when it is called, or called again
  ADD COLUMN enabled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ADD COLUMN last_success_at timestamptz,
  -- of the failures in a row: when the first one was. Of use while failures > 0.
  ADD COLUMN failing_since timestamptz,
  -- member: somebody did it; gone: it answered 410; failing: five days without a success
  ADD COLUMN disabled_reason text CHECK (disabled_reason IN ('member', 'gone', 'failing'));
CREATE INDEX event_deliveries_due ON event_deliveries (endpoint_id, due_at) WHERE due_at IS NOT NULL;
-- for their count and their replay, by the event
CREATE INDEX event_deliveries_dead ON event_deliveries (endpoint_id, event_id) WHERE dead_at IS NOT NULL;
-- for the age of the oldest
CREATE INDEX event_deliveries_dead_at ON event_deliveries (endpoint_id, dead_at) WHERE dead_at IS NOT NULL;
-- id: the order in which they are listed. No foreign key: the log of an event that retention has deleted may stay.
CREATE TABLE event_attempts (id bigint GENERATED ALWAYS AS IDENTITY, event_id bigint NOT NULL, endpoint_id text NOT NULL, attempt int NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(), status int, error text, took_ms int NOT NULL, response text, PRIMARY KEY (event_id, endpoint_id, attempt));
CREATE INDEX event_attempts_endpoint ON event_attempts (endpoint_id, id);
CREATE INDEX event_attempts_at ON event_attempts (at);

-- Due deliveries of endpoints that may be called now. busy: endpoints that are passed over.
CREATE FUNCTION claim_deliveries(max_endpoints int, per_endpoint int, lease interval, busy text[] DEFAULT '{}')
-- enable_seqscan, jit: as for store_events, a session keeps the plans that it made while the tables were small
RETURNS TABLE (endpoint_id text, event_id bigint, attempt int, at timestamptz, claimed timestamptz) LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  e record;
  take int;
  got int;
  stamp timestamptz := clock_timestamp();
BEGIN
  FOR e IN
    SELECT p.* FROM event_endpoints p
     WHERE NOT p.deleted AND p.disabled_at IS NULL AND p.id <> ALL (busy)
       AND (p.open_until IS NULL OR p.open_until < clock_timestamp()) AND p.next_slot_at < clock_timestamp() + interval '1 s'
       -- one row of the index an endpoint. EXISTS would read all that it owes later, since clock_timestamp() is no bound of a
       -- scan, and with a variable it may be planned as a join with all that is owed.
       AND (SELECT d.due_at FROM event_deliveries d WHERE d.endpoint_id = p.id AND d.due_at IS NOT NULL ORDER BY d.due_at LIMIT 1) < stamp
     ORDER BY p.next_slot_at, p.id LIMIT max_endpoints
    -- guard: one claimer an endpoint: rate and breaker hold across senders. FOR UPDATE would make the intake wait: storing an
    -- event needs the key of its endpoint.
    FOR NO KEY UPDATE SKIP LOCKED
  LOOP
    stamp := clock_timestamp();
    -- guard: at most one second of slots ahead; half open (failures >= 5): one probe only
    take := CASE WHEN e.failures >= 5 THEN 1
      ELSE least(per_endpoint, greatest(1, floor(e.rate_per_s * extract(epoch FROM (clock_timestamp() + interval '1 s' - greatest(e.next_slot_at, clock_timestamp())))))::int) END;
    -- guard: the lease is due_at itself; attempts count claims, so that a late answer of an older claim is void
    RETURN QUERY WITH
      due AS (SELECT d.event_id FROM event_deliveries d WHERE d.endpoint_id = e.id AND d.due_at < stamp
        ORDER BY d.due_at, d.event_id LIMIT take FOR UPDATE SKIP LOCKED),
      taken AS (UPDATE event_deliveries d SET due_at = clock_timestamp() + lease, attempts = d.attempts + 1
        FROM due WHERE d.endpoint_id = e.id AND d.event_id = due.event_id RETURNING d.event_id, d.attempts)
      SELECT e.id, t.event_id, t.attempts,
        greatest(e.next_slot_at, clock_timestamp()) + (row_number() OVER (ORDER BY t.event_id) - 1) * interval '1 s' / e.rate_per_s, stamp
        FROM taken t;
    GET DIAGNOSTICS got = ROW_COUNT;
    UPDATE event_endpoints SET
      next_slot_at = greatest(next_slot_at, clock_timestamp()) + got * interval '1 s' / rate_per_s,
      open_until = CASE WHEN failures >= 5 AND got > 0 THEN clock_timestamp() + lease ELSE open_until END,
      probing_since = CASE WHEN failures >= 5 AND got > 0 THEN stamp END
     WHERE id = e.id;
  END LOOP;
END $$;

-- The end of an attempt. False: it changed nothing, since a later claim has taken its place, or the delivery is at its end.
-- lock_timeout: who changes an endpoint may have its row for seconds; then this fails and is said again. Settlings of that
-- endpoint that wait would hold all connections of a sender.
CREATE FUNCTION settle_delivery(ep text, ev bigint, at_attempt int, ok boolean, dead boolean, wait interval, status int, error text, took_ms int, body text, claimed timestamptz)
RETURNS boolean LANGUAGE plpgsql SET enable_seqscan = off SET jit = off SET lock_timeout = '250ms' AS $$
DECLARE
  first boolean;
BEGIN
  INSERT INTO event_attempts (event_id, endpoint_id, attempt, status, error, took_ms, response)
    VALUES (ev, ep, at_attempt, status, error, took_ms, body) ON CONFLICT DO NOTHING;
  -- guard: a sender that got no answer of ours says it again: a failure counts once
  first := FOUND;
  -- guard: only what is not at its end, and of failures only that of the claim that is still the last one, in the round that
  -- it was claimed for: a replay begins another. A success counts late, too.
  UPDATE event_deliveries SET
    due_at = CASE WHEN ok OR dead THEN NULL ELSE clock_timestamp() + wait END,
    delivered_at = CASE WHEN ok THEN clock_timestamp() END,
    dead_at = CASE WHEN dead AND NOT ok THEN clock_timestamp() END
   WHERE endpoint_id = ep AND event_id = ev AND due_at IS NOT NULL AND (ok OR (attempts = at_attempt AND round_from < attempts AND first));
  IF NOT FOUND THEN RETURN false; END IF;
  -- guard: what was in flight when the breaker opened does not count again
  IF ok THEN
    UPDATE event_endpoints SET failures = 0, open_until = NULL, last_success_at = clock_timestamp()
     -- not at each success: every one would make the next wait for its row
     WHERE id = ep AND (failures > 0 OR last_success_at IS NULL OR last_success_at < clock_timestamp() - interval '1 minute');
  ELSE
    UPDATE event_endpoints SET failures = failures + 1,
      failing_since = CASE WHEN failures = 0 THEN clock_timestamp() ELSE failing_since END,
      open_until = CASE WHEN failures + 1 >= 5 THEN clock_timestamp() + least(interval '10 min', interval '30 s' * power(2, least(failures - 4, 10))) END
     WHERE id = ep AND (failures < 5 OR probing_since <= claimed);
  END IF;
  RETURN true;
END $$;

-- Down Migration

DROP FUNCTION settle_delivery(text, bigint, int, boolean, boolean, interval, int, text, int, text, timestamptz);
DROP FUNCTION claim_deliveries(int, int, interval, text[]);
DROP TABLE event_attempts;
DROP INDEX event_deliveries_due, event_deliveries_dead, event_deliveries_dead_at;
ALTER TABLE event_endpoints DROP COLUMN disabled_reason, DROP COLUMN failing_since, DROP COLUMN last_success_at, DROP COLUMN enabled_at, DROP COLUMN created_at;
