-- Up Migration
-- Of a file's lines that are no number the first 10,000 are kept. A campaign from before has kept all of its own.

-- so many more were counted and not kept
ALTER TABLE campaigns ADD COLUMN rejects_not_kept int NOT NULL DEFAULT 0 CHECK (rejects_not_kept >= 0);

-- Down Migration
ALTER TABLE campaigns DROP COLUMN rejects_not_kept;
