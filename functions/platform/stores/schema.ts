/**
 * SQL for the schema of our tables: one scalar, null where no schema of the search_path exists and is open to the user. It
 * is the schema where PostgreSQL makes new tables, `current_schema()`, with one exception. In the default path a schema with
 * the user's own name comes first. If it was made after the tables, it must not hide those further on in the path, where
 * this user may change them.
 *
 * campaign_chunks stands for all tables: it comes with the first migrations, and nobody else has one.
 */
export const HOME_SQL = `coalesce(
  (SELECT n.nspname
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = to_regclass('campaign_chunks')
      AND current_schema() = current_user
      AND current_setting('search_path') LIKE '%"$user"%'
      AND has_table_privilege(c.oid, 'UPDATE')),
  current_schema())`;

/** SQL for whether that schema has the tables: those of another schema further on in the search_path are somebody else's. */
export const IS_MIGRATED_SQL = `SELECT EXISTS (
  SELECT FROM pg_catalog.pg_class c
   WHERE c.oid = to_regclass('campaign_chunks') AND c.relnamespace = to_regnamespace(quote_ident(${HOME_SQL}))) AS migrated`;
