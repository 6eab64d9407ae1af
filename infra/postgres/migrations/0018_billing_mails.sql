-- Up Migration
-- Mails are begun one by one, by their keys. Joined with the arrays, each begin read all mails that wait, of all companies, for as long as
-- statistics were old. And what the sweep finds is counted: where a company lets it go again, a mail that ends its worker each time
-- would go out every ten minutes for ever.

-- The caller commits this BEFORE the first byte of DATA, so that each mail that may have gone out is on record (B1). A claim that
-- somebody else has taken over begins nothing (B3). Returns those that may be sent.
CREATE OR REPLACE FUNCTION billing_begin_send(seqs bigint[], numbers int[], attempts int[])
RETURNS TABLE (seq bigint, number int, attempt int) LANGUAGE plpgsql AS $$
DECLARE
  closed boolean;
  begun timestamptz;
BEGIN
  -- guard: lock the debts first, else a payment committed after the snapshot is not seen (B5)
  PERFORM FROM billing_debts d WHERE d.seq = ANY (seqs) ORDER BY d.seq FOR UPDATE;
  FOR i IN 1 .. cardinality(seqs) LOOP
    SELECT d.paid_at IS NOT NULL OR d.cancelled_at IS NOT NULL INTO closed FROM billing_debts d WHERE d.seq = seqs[i];
    UPDATE billing_deliveries v
       SET began_at = CASE WHEN NOT closed THEN clock_timestamp() END,
           outcome = CASE WHEN closed THEN 'dispensada' END, outcome_at = CASE WHEN closed THEN clock_timestamp() END,
           claimed_until = CASE WHEN NOT closed THEN v.claimed_until END
     WHERE v.seq = seqs[i] AND v.number = numbers[i] AND v.attempt = attempts[i]
       AND v.claimed_until IS NOT NULL AND v.outcome IS NULL AND v.began_at IS NULL
     RETURNING v.began_at INTO begun;
    CONTINUE WHEN NOT FOUND OR begun IS NULL;
    INSERT INTO billing_attempts (seq, number, attempt, began_at) VALUES (seqs[i], numbers[i], attempts[i], begun);
    seq := seqs[i];
    number := numbers[i];
    attempt := attempts[i];
    RETURN NEXT;
  END LOOP;
END $$;

-- Begun and not heard of for ten minutes: held for a person, which is never pending by itself (B4), or, where the company asks for
-- it (again), pending under the same Message-ID, unless more attempts had a response than AGAIN_MINUTES of send/verdict.ts has waits.
-- Ten minutes: no worker can hand it over any more by then (B12: 30 s after its begin at most, and 120 s for sending). It never
-- touches an outcome (B10).
CREATE OR REPLACE FUNCTION billing_sweep(co int, again boolean) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  locked bigint[];
  n int;
BEGIN
  SELECT array_agg(l.seq) INTO locked FROM (
    SELECT d.seq FROM billing_debts d WHERE d.seq IN (
      SELECT seq FROM billing_deliveries
       WHERE company_no = co AND outcome IS NULL AND held_at IS NULL AND began_at < clock_timestamp() - interval '10 minutes')
     ORDER BY d.seq FOR UPDATE) l;
  -- a late answer writes over it
  UPDATE billing_attempts a SET response = 'unknown: its worker was not heard of for ten minutes'
    FROM billing_deliveries v
   WHERE v.seq = ANY (locked) AND v.company_no = co AND v.outcome IS NULL AND v.held_at IS NULL
     AND v.began_at < clock_timestamp() - interval '10 minutes'
     AND a.seq = v.seq AND a.number = v.number AND a.attempt = v.attempt AND a.response IS NULL;
  -- guard: of locked debts alone; one whose ten minutes ended while this waited may just be paid
  WITH swept AS (
    SELECT v.seq, v.number, d.paid_at IS NOT NULL OR d.cancelled_at IS NOT NULL AS closed,
           again AND (SELECT count(*) FROM billing_attempts a
                       WHERE a.seq = v.seq AND a.number = v.number AND a.response IS NOT NULL) <= 6 AS goes
      FROM billing_deliveries v JOIN billing_debts d ON d.seq = v.seq
     WHERE v.seq = ANY (locked) AND v.company_no = co AND v.outcome IS NULL AND v.held_at IS NULL
       AND v.began_at < clock_timestamp() - interval '10 minutes')
  UPDATE billing_deliveries v
     SET held_at = CASE WHEN NOT s.goes THEN clock_timestamp() END, began_at = CASE WHEN NOT s.goes THEN began_at END,
         claimed_until = NULL,
         outcome = CASE WHEN s.goes AND s.closed THEN 'dispensada' END,
         outcome_at = CASE WHEN s.goes AND s.closed THEN clock_timestamp() END
    FROM swept s
   WHERE v.seq = s.seq AND v.number = s.number;
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;

-- Down Migration
CREATE OR REPLACE FUNCTION billing_begin_send(seqs bigint[], numbers int[], attempts int[])
RETURNS TABLE (seq bigint, number int, attempt int) LANGUAGE plpgsql AS $$
BEGIN
  -- guard: lock the debts first, else a payment committed after the snapshot is not seen (B5)
  PERFORM FROM billing_debts d WHERE d.seq = ANY (seqs) ORDER BY d.seq FOR UPDATE;
  UPDATE billing_deliveries v SET outcome = 'dispensada', outcome_at = clock_timestamp(), claimed_until = NULL
    FROM unnest(seqs, numbers, attempts) b(s, n, a), billing_debts d
   WHERE (v.seq, v.number, v.attempt) = (b.s, b.n, b.a) AND v.claimed_until IS NOT NULL AND v.outcome IS NULL AND v.began_at IS NULL
     AND d.seq = v.seq AND (d.paid_at IS NOT NULL OR d.cancelled_at IS NOT NULL);
  RETURN QUERY
  WITH begun AS (
    UPDATE billing_deliveries v SET began_at = clock_timestamp() FROM unnest(seqs, numbers, attempts) b(s, n, a)
     WHERE (v.seq, v.number, v.attempt) = (b.s, b.n, b.a) AND v.claimed_until IS NOT NULL AND v.outcome IS NULL AND v.began_at IS NULL
     RETURNING v.seq, v.number, v.attempt, v.began_at),
  noted AS (
    INSERT INTO billing_attempts (seq, number, attempt, began_at)
      SELECT begun.seq, begun.number, begun.attempt, begun.began_at FROM begun)
  SELECT begun.seq, begun.number, begun.attempt FROM begun;
END $$;

CREATE OR REPLACE FUNCTION billing_sweep(co int, again boolean) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  locked bigint[];
  n int;
BEGIN
  SELECT array_agg(l.seq) INTO locked FROM (
    SELECT d.seq FROM billing_debts d WHERE d.seq IN (
      SELECT seq FROM billing_deliveries
       WHERE company_no = co AND outcome IS NULL AND held_at IS NULL AND began_at < clock_timestamp() - interval '10 minutes')
     ORDER BY d.seq FOR UPDATE) l;
  -- guard: of locked debts alone; one whose ten minutes ended while this waited may just be paid
  UPDATE billing_deliveries v
     SET held_at = CASE WHEN again THEN NULL ELSE clock_timestamp() END, began_at = CASE WHEN again THEN NULL ELSE began_at END,
         claimed_until = NULL,
         outcome = CASE WHEN again AND (d.paid_at IS NOT NULL OR d.cancelled_at IS NOT NULL) THEN 'dispensada' END,
         outcome_at = CASE WHEN again AND (d.paid_at IS NOT NULL OR d.cancelled_at IS NOT NULL) THEN clock_timestamp() END
    FROM billing_debts d
   WHERE d.seq = v.seq AND d.seq = ANY (locked) AND v.company_no = co AND v.outcome IS NULL AND v.held_at IS NULL
     AND v.began_at < clock_timestamp() - interval '10 minutes';
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;
