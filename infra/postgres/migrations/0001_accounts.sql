-- Up Migration
-- Who uses Disparo. Every delete is a soft delete: what is deleted keeps its row and frees its unique values.

CREATE TABLE users (
  id         text PRIMARY KEY,
  email      text NOT NULL,
  -- scrypt with its parameters and its salt, never the password
  password   text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  deleted    boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX users_email ON users (lower(email)) WHERE NOT deleted;

CREATE TABLE companies (
  id         text PRIMARY KEY,
  name       text NOT NULL,
  -- CNPJ without punctuation, 14 characters
  document   text NOT NULL CHECK (document ~ '^[0-9A-Z]{12}[0-9]{2}$'),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  deleted    boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX companies_document ON companies (document) WHERE NOT deleted;

CREATE TABLE memberships (
  company_id text NOT NULL REFERENCES companies,
  user_id    text NOT NULL REFERENCES users,
  role       text NOT NULL CHECK (role IN ('owner', 'member')),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  deleted    boolean NOT NULL DEFAULT false,
  PRIMARY KEY (company_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id, company_id) WHERE NOT deleted;

-- The tenants of a user: what every statement on a company's data begins with.
CREATE VIEW living_memberships AS
  SELECT m.user_id, m.company_id, m.role
    FROM memberships m
    JOIN companies c ON c.id = m.company_id AND NOT c.deleted
    JOIN users u ON u.id = m.user_id AND NOT u.deleted
   WHERE NOT m.deleted;

-- Failed logins of the last minute, so that the count holds over all processes. Older rows are removed with each new one.
CREATE TABLE login_failures (
  email     text NOT NULL,
  failed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX login_failures_email ON login_failures (email, failed_at);
CREATE INDEX login_failures_age ON login_failures (failed_at);

-- Down Migration
DROP VIEW living_memberships;
DROP TABLE login_failures, memberships, companies, users;
