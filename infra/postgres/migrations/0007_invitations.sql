-- Up Migration
-- Nobody becomes a member before accepting. What is not accepted stands in a table of its own, so that no statement on
-- memberships can take an invited user for a member.

CREATE TABLE invitations (
  company_id text NOT NULL REFERENCES companies,
  user_id    text NOT NULL REFERENCES users,
  -- what the user becomes by accepting
  role       text NOT NULL CHECK (role IN ('owner', 'member')),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- from then on it does not exist, and the dispatcher erases it
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (company_id, user_id)
);
CREATE INDEX invitations_user ON invitations (user_id);
CREATE INDEX invitations_age ON invitations (expires_at);

-- Whoever was added before stays. The default is for processes of the version before, until they are gone.
ALTER TABLE memberships ADD COLUMN accepted_at timestamptz;
UPDATE memberships SET accepted_at = created_at;
ALTER TABLE memberships
  ALTER COLUMN accepted_at SET DEFAULT clock_timestamp(),
  ALTER COLUMN accepted_at SET NOT NULL;

-- Down Migration
ALTER TABLE memberships DROP COLUMN accepted_at;
DROP TABLE invitations;
