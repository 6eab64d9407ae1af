import { ConfigurationError, refusal } from '@disparo/contract';
import pg from 'pg';
import { isAway } from './postgres.js';

/** What a pooler says when it refuses a connection: all under one code, which a lost connection has too. */
const POOLER: readonly [RegExp, string][] = [
  [
    /unsupported startup parameter.*: options/,
    'the pooler does not take `options`; say ALTER ROLE ... SET search_path instead',
  ],
  [/unsupported startup parameter/, 'the pooler does not take an option of the URL'],
  [/^no such database|^database ".*" does not exist/, 'the database does not exist'],
  [/^no such user|^password authentication failed/, 'the user or the password is wrong'],
];
const INSUFFICIENT_PRIVILEGE = '42501';

/**
 * What a failed connection to PostgreSQL means. A ConfigurationError where the server itself refuses it with an error that
 * waiting does not heal, for example an unknown parameter in `options`. Any other error, and one that refusal() knows, is
 * returned unchanged.
 */
export function cannotConnect(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  const pooler = POOLER.find(([pattern]) => pattern.test(error.message));
  if (pooler) return new ConfigurationError('DATABASE_URL', pooler[1]);
  if (error.code === INSUFFICIENT_PRIVILEGE)
    return new ConfigurationError('DATABASE_URL', 'the user may not connect to this database');
  if (refusal(error) !== undefined || isAway(error)) return error;
  return new ConfigurationError('DATABASE_URL', `the server refuses the connection (${error.message})`);
}
