-- Up Migration
-- What a campaign's phone numbers come to when they are not needed any more: `npm run retention`. The counters stay, the
-- numbers go: phone_numbers of an erased campaign is empty, and a number that was forgotten alone is a line of its own, '-'.

ALTER TABLE campaigns
  -- when its erasure began: from then on nobody reads its numbers
  ADD COLUMN erasing_at timestamptz,
  -- when the last of them was gone; NULL with erasing_at set: a run was stopped in the middle, and the next one goes on
  ADD COLUMN erased_at timestamptz,
  -- only what can never be published again; none of these three is ever taken back
  ADD CONSTRAINT campaigns_erased_are_finished
    CHECK (erasing_at IS NULL OR deleted OR cancelled_at IS NOT NULL OR stored = total),
  ADD CONSTRAINT campaigns_erased_after_erasing CHECK (erased_at IS NULL OR erasing_at IS NOT NULL);

-- Down Migration
ALTER TABLE campaigns DROP COLUMN erased_at, DROP COLUMN erasing_at;
