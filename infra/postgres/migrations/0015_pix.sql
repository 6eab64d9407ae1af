-- Up Migration

-- Pix messages, which collectors fetch by streams. At every commit each message is in exactly one of pix_waiting, the batch of
-- an open stream, and pix_deliveries. P1 to P11 are rules of docs/architecture.md.
CREATE TABLE pix_messages (
  -- the order of arrival
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- the receiver's
  ispb text NOT NULL CHECK (ispb ~ '^[0-9]{8}$'),
  end_to_end_id text NOT NULL UNIQUE CHECK (end_to_end_id ~ '^E[0-9]{8}[0-9]{12}[A-Za-z0-9]{11}$'),
  amount numeric(13,2) NOT NULL CHECK (amount > 0),
  payer_name text NOT NULL,
  payer_document text NOT NULL,
  payer_ispb text NOT NULL,
  payer_branch text NOT NULL,
  payer_account text NOT NULL,
  payer_account_type text NOT NULL,
  receiver_name text NOT NULL,
  receiver_document text NOT NULL,
  receiver_branch text NOT NULL,
  receiver_account text NOT NULL,
  receiver_account_type text NOT NULL,
  free_text text NOT NULL DEFAULT '',
  tx_id text NOT NULL,
  paid_at timestamptz NOT NULL,
  -- when names, documents and accounts were emptied
  erased_at timestamptz
);
-- for retention: those that were erased are many, and no later run reads them
CREATE INDEX pix_messages_unerased ON pix_messages (id) WHERE erased_at IS NULL;

-- Vacuumed often and at full speed: each message is a row that dies, and a claim that starts at the front reads the dead.
CREATE TABLE pix_waiting (ispb text NOT NULL, message_id bigint NOT NULL, PRIMARY KEY (ispb, message_id))
  WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);

-- Empty (open, no batch, no previous read), holding (a batch, both reads), or closed, which never changes any more.
-- fillfactor: a read changes no column of an index, and so makes its new row on the same page.
CREATE TABLE pix_streams (
  id text PRIMARY KEY CHECK (id ~ '^[0-9a-z]{8}$'),
  ispb text NOT NULL,
  slot smallint NOT NULL CHECK (slot BETWEEN 1 AND 6),
  -- the second parts of the tokens
  current_read text NOT NULL,
  previous_read text,
  -- handed out and not acknowledged, in the order of the messages
  batch bigint[] NOT NULL DEFAULT '{}',
  -- when it last looked for messages from the front, and not behind its last one
  swept_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- how many messages waited again when it was closed
  returned int NOT NULL DEFAULT 0,
  opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL,
  closed_at timestamptz,
  -- disconnect: the client of its start left before it knew of the stream
  closed_by text CHECK (closed_by IN ('collector', 'expiry', 'disconnect')),
  CHECK ((closed_at IS NULL) = (closed_by IS NULL)),
  CHECK (closed_at IS NULL OR batch = '{}'),
  CHECK (cardinality(batch) <= 10),
  CHECK (previous_read IS NULL OR batch <> '{}' OR closed_at IS NOT NULL)
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
-- guard, P1: at most six open streams an ISPB
CREATE UNIQUE INDEX pix_streams_slot ON pix_streams (ispb, slot) WHERE closed_at IS NULL;
-- for those that are deleted a week later
CREATE INDEX pix_streams_closed ON pix_streams (closed_at) WHERE closed_at IS NOT NULL;
-- for the sum of what has waited again, which each scrape asks for
CREATE INDEX pix_streams_returned ON pix_streams (closed_by) INCLUDE (returned) WHERE returned > 0;

-- What streams that are deleted by now have returned. A sum of it and of pix_streams.returned never falls.
CREATE TABLE pix_returned (
  closed_by text PRIMARY KEY CHECK (closed_by IN ('collector', 'expiry', 'disconnect')),
  messages bigint NOT NULL CHECK (messages > 0)
);

-- guard, P3: the key is the message
CREATE TABLE pix_deliveries (
  message_id bigint PRIMARY KEY,
  stream_id text NOT NULL,
  acknowledged_at timestamptz NOT NULL
);

-- Whose ISPB it is. A row stays when the ISPB is unbound, so that no stranger collects what waits.
CREATE TABLE pix_participants (
  ispb text PRIMARY KEY CHECK (ispb ~ '^[0-9]{8}$'),
  company_id text NOT NULL REFERENCES companies,
  key_hash bytea NOT NULL UNIQUE,
  old_key_hash bytea UNIQUE,
  old_key_until timestamptz,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  deleted boolean NOT NULL DEFAULT false
);
CREATE INDEX pix_participants_company ON pix_participants (company_id);

-- The body of an answer: the messages, with commas between them. In PL/pgSQL, which keeps its plan: a function of SQL would be
-- planned at each call.
CREATE FUNCTION pix_render(ids bigint[]) RETURNS text
-- enable_seqscan, jit: a session keeps the plans that it made while the tables were small
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $$
BEGIN
  RETURN (
    SELECT string_agg(json_build_object(
      'endToEndId', end_to_end_id,
      'valor', amount,
      'pagador', json_build_object('nome', payer_name, 'cpfCnpj', payer_document, 'ispb', payer_ispb,
        'agencia', payer_branch, 'contaTransacional', payer_account, 'tipoConta', payer_account_type),
      'recebedor', json_build_object('nome', receiver_name, 'cpfCnpj', receiver_document, 'ispb', ispb,
        'agencia', receiver_branch, 'contaTransacional', receiver_account, 'tipoConta', receiver_account_type),
      'campoLivre', free_text,
      'txId', tx_id,
      'dataHoraPagamento', to_char(paid_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))::text, ',' ORDER BY id)
      FROM pix_messages WHERE id = ANY (ids));
END $$;

-- Ends a stream whose row the caller has locked. What was handed out is acknowledged, or else waits again.
CREATE FUNCTION pix_end(s pix_streams, reason text, acknowledge boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF acknowledge THEN
    INSERT INTO pix_deliveries SELECT m, s.id, clock_timestamp() FROM unnest(s.batch) m;
  ELSE
    INSERT INTO pix_waiting SELECT s.ispb, m FROM unnest(s.batch) m;
  END IF;
  -- for other collectors, and for a poll that waits on this very stream
  PERFORM pg_notify('pix_waiting', s.ispb);
  UPDATE pix_streams SET closed_at = clock_timestamp(), closed_by = reason, batch = '{}',
    returned = CASE WHEN acknowledge THEN 0 ELSE cardinality(s.batch) END
   WHERE id = s.id;
END $$;

-- Ends what is overdue, of one ISPB or of all. Returns how many streams.
CREATE FUNCTION pix_expire(p_ispb text) RETURNS int LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
DECLARE
  s pix_streams;
  n int := 0;
BEGIN
  FOR s IN
    SELECT * FROM pix_streams
     WHERE (p_ispb IS NULL OR ispb = p_ispb) AND closed_at IS NULL AND expires_at < clock_timestamp()
    -- guard, P7: PostgreSQL looks at the row again once it has the lock; a stream that is being read is not overdue
    FOR UPDATE SKIP LOCKED
  LOOP
    PERFORM pix_end(s, 'expiry', false);
    n := n + 1;
  END LOOP;
  RETURN n;
END $$;

-- The same for a look of a poll that waits, which writes only when something is overdue (P11).
CREATE FUNCTION pix_expire_due(p_ispb text) RETURNS int LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM pix_streams WHERE ispb = p_ispb AND closed_at IS NULL AND expires_at < clock_timestamp()) THEN
    RETURN 0;
  END IF;
  RETURN pix_expire(p_ispb);
END $$;

-- One read: acknowledges, claims and rotates; or repeats; or says why not. p_read: of the token that came; p_next: of the next.
CREATE FUNCTION pix_read(p_ispb text, p_stream text, p_read text, p_next text, p_limit int, p_idle interval,
  OUT outcome text, OUT read text, OUT size int, OUT body text)
LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
DECLARE
  s pix_streams;
  ids bigint[];
  low bigint;
  sweep boolean;
BEGIN
  size := 0;
  -- guard, P2: all of a read happens under the lock of its stream, in one transaction
  SELECT * INTO s FROM pix_streams WHERE id = p_stream FOR UPDATE;
  IF NOT FOUND OR s.ispb <> p_ispb THEN
    outcome := 'unknown';
    RETURN;
  END IF;
  IF s.closed_at IS NOT NULL THEN
    outcome := CASE s.closed_by WHEN 'expiry' THEN 'expired' ELSE 'closed' END;
    RETURN;
  END IF;

  -- guard, P6: the answer was lost: the same batch, the same next token, and nothing is acknowledged
  IF s.previous_read = p_read THEN
    size := cardinality(s.batch);
    read := s.current_read;
    IF size > p_limit THEN
      outcome := 'too_many';
      RETURN;
    END IF;
    UPDATE pix_streams SET expires_at = clock_timestamp() + p_idle WHERE id = s.id;
    outcome := 'batch';
    body := pix_render(s.batch);
    RETURN;
  END IF;
  IF s.current_read <> p_read THEN
    outcome := 'superseded';
    RETURN;
  END IF;

  -- who follows the current token has the batch before it (P2, P5)
  INSERT INTO pix_deliveries SELECT m, s.id, clock_timestamp() FROM unnest(s.batch) m;

  -- From the front once a second, else behind the last one: at the front are the dead rows of what was claimed.
  sweep := s.swept_at < clock_timestamp() - interval '1 second';
  low := CASE WHEN sweep THEN 0 ELSE coalesce(s.batch[cardinality(s.batch)], 0) END;
  LOOP
    -- guard, P3: a claim takes the message out of pix_waiting, and passes over those that another claims now
    WITH gone AS (
      DELETE FROM pix_waiting WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM pix_waiting WHERE ispb = p_ispb AND message_id > low
         ORDER BY message_id LIMIT p_limit FOR UPDATE SKIP LOCKED))
      RETURNING message_id)
    SELECT array_agg(message_id ORDER BY message_id) INTO ids FROM gone;
    EXIT WHEN ids IS NOT NULL OR low = 0;
    low := 0;
    sweep := true;
  END LOOP;

  IF ids IS NOT NULL THEN
    -- guard: random tokens may be the same. One that is its own next would bring its batch for ever.
    WHILE p_next IN (s.current_read, s.previous_read) LOOP
      p_next := translate(p_next, '0123456789abcdefghijklmnopqrstuvwxyz', '123456789abcdefghijklmnopqrstuvwxyz0');
    END LOOP;
    -- guard, P4: the token rotates here and nowhere else
    UPDATE pix_streams SET batch = ids, previous_read = current_read, current_read = p_next,
      swept_at = CASE WHEN sweep THEN clock_timestamp() ELSE swept_at END, expires_at = clock_timestamp() + p_idle
     WHERE id = s.id;
    outcome := 'batch';
    read := p_next;
    size := cardinality(ids);
    body := pix_render(ids);
  ELSE
    -- guard, P5: a batch that is acknowledged cannot be asked for again. A poll that goes on waiting writes nothing (P11).
    IF s.batch <> '{}' OR s.expires_at < clock_timestamp() + p_idle - interval '1 second' THEN
      UPDATE pix_streams SET batch = '{}', previous_read = NULL, expires_at = clock_timestamp() + p_idle WHERE id = s.id;
    END IF;
    outcome := 'empty';
    read := s.current_read;
  END IF;
END $$;

-- Opens a stream and reads it for the first time.
CREATE FUNCTION pix_start(p_ispb text, p_stream text, p_read text, p_next text, p_limit int, p_idle interval,
  OUT outcome text, OUT read text, OUT size int, OUT body text, OUT retry_after int)
LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
DECLARE
  free smallint;
BEGIN
  -- guard, P1: one start an ISPB at a time, which looks for a slot in a statement after it has the lock
  PERFORM pg_advisory_xact_lock(hashtextextended(p_ispb, 7409));
  PERFORM pix_expire(p_ispb);
  SELECT n INTO free FROM generate_series(1, 6) n
   WHERE NOT EXISTS (SELECT FROM pix_streams s WHERE s.ispb = p_ispb AND s.slot = n AND s.closed_at IS NULL)
   ORDER BY n LIMIT 1;
  IF free IS NULL THEN
    outcome := 'full';
    SELECT greatest(1, ceil(extract(epoch FROM min(expires_at) - clock_timestamp())))::int INTO retry_after
      FROM pix_streams WHERE ispb = p_ispb AND closed_at IS NULL;
    RETURN;
  END IF;
  INSERT INTO pix_streams (id, ispb, slot, current_read, expires_at)
    VALUES (p_stream, p_ispb, free, p_read, clock_timestamp() + p_idle);
  SELECT r.outcome, r.read, r.size, r.body INTO outcome, read, size, body
    FROM pix_read(p_ispb, p_stream, p_read, p_next, p_limit, p_idle) r;
END $$;

-- DELETE of a collector, which acknowledges with the current token alone; or the end of a start whose client has left
-- ('disconnect'), which never does.
CREATE FUNCTION pix_close(p_ispb text, p_stream text, p_read text, p_reason text) RETURNS text
LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
DECLARE
  s pix_streams;
BEGIN
  SELECT * INTO s FROM pix_streams WHERE id = p_stream FOR UPDATE;
  IF NOT FOUND OR s.ispb <> p_ispb THEN RETURN 'unknown'; END IF;
  IF p_read NOT IN (s.current_read, coalesce(s.previous_read, '')) THEN
    RETURN CASE WHEN s.closed_by = 'expiry' THEN 'expired' ELSE 'superseded' END;
  END IF;
  IF s.closed_at IS NOT NULL THEN
    RETURN CASE s.closed_by WHEN 'expiry' THEN 'expired' ELSE 'closed' END;
  END IF;
  PERFORM pix_end(s, p_reason, p_reason = 'collector' AND p_read = s.current_read);
  RETURN 'closed';
END $$;

-- Test messages, all in one pass, of 500 people with valid CPFs.
CREATE FUNCTION pix_generate(p_ispb text, p_number int) RETURNS void LANGUAGE sql AS $$
  WITH people AS MATERIALIZED (
    SELECT array_agg(s || d1 || (s2 + 2 * d1) * 10 % 11 % 10) AS doc,
           array_agg(f[1 + s::int % 6] || ' ' || l[1 + s::int / 7 % 6]) AS name
      FROM (SELECT s, sum(substr(s, i, 1)::int * (12 - i)) AS s2, sum(substr(s, i, 1)::int * (11 - i)) * 10 % 11 % 10 AS d1
              FROM (SELECT lpad((random() * 999999999)::int::text, 9, '0') AS s FROM generate_series(1, 500)) a,
                   generate_series(1, 9) i
             GROUP BY s) b,
           (SELECT ARRAY['Ana','Bruno','Carla','Isabela','João','Marcos'] f,
                   ARRAY['Almeida','Barbosa','Gomes','Lima','Oliveira','Santos'] l) n),
  r AS MATERIALIZED (
    SELECT translate(encode(uuid_send(gen_random_uuid()), 'base64'), '+/=' || chr(10), 'kQ') AS t,
           1 + floor(random() * 499)::int AS a, 1 + floor(random() * 499)::int AS b,
           (ARRAY['00000000','00360305','60701190','60746948','90400888','18236120','10573521','00416968'])[1 + floor(random() * 8)::int] AS ispb,
           random() AS x, random() AS y
      FROM generate_series(1, p_number)),
  made AS (
    INSERT INTO pix_messages (ispb, end_to_end_id, amount,
      payer_name, payer_document, payer_ispb, payer_branch, payer_account, payer_account_type,
      receiver_name, receiver_document, receiver_branch, receiver_account, receiver_account_type, tx_id, paid_at)
    SELECT p_ispb,
           'E' || r.ispb || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDDHH24MI') || substr(t, 1, 8) || substr(t, 13, 3),
           (1 + floor(x * 999999)) / 100,
           name[a], doc[a], r.ispb, lpad((x * 9999)::int::text, 4, '0'), lpad((y * 9999999)::int::text, 7, '0'),
           (ARRAY['CACC','SVGS','SLRY','TRAN'])[1 + floor(x * 4)::int],
           name[b], doc[b], lpad((y * 9999)::int::text, 4, '0'), lpad((x * 9999999)::int::text, 7, '0'),
           (ARRAY['CACC','SVGS','SLRY','TRAN'])[1 + floor(y * 4)::int],
           lower(substr(t, 1, 8) || substr(t, 13, 9)), date_trunc('milliseconds', now())
      FROM r, people
    RETURNING id)
  INSERT INTO pix_waiting SELECT p_ispb, id FROM made;
  SELECT pg_notify('pix_waiting', p_ispb);
$$;

-- Down Migration

DROP FUNCTION pix_generate(text, int);
DROP FUNCTION pix_close(text, text, text, text);
DROP FUNCTION pix_start(text, text, text, text, int, interval);
DROP FUNCTION pix_read(text, text, text, text, int, interval);
DROP FUNCTION pix_expire_due(text);
DROP FUNCTION pix_expire(text);
DROP FUNCTION pix_end(pix_streams, text, boolean);
DROP FUNCTION pix_render(bigint[]);
DROP TABLE pix_participants, pix_deliveries, pix_returned, pix_streams, pix_waiting, pix_messages;
