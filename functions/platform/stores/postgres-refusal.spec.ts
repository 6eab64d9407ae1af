import { ConfigurationError } from '@disparo/contract';
import pg from 'pg';
import { expect, test } from 'vitest';
import { cannotConnect } from './postgres-refusal.js';

function said(message: string, code: string): unknown {
  return Object.assign(new pg.DatabaseError(message, message.length, 'error'), { code });
}

// What pgbouncer 1.18 says, word for word; later versions have better codes and the same words.
test.each([
  ['password authentication failed', '08P01', 'the user or the password is wrong'],
  ['no such database: app', '08P01', 'the database does not exist'],
  ['database "app" does not exist', '08P01', 'the database does not exist'],
  ['unsupported startup parameter: options', '08P01', 'the pooler does not take `options`; say ALTER ROLE'],
  ['unsupported startup parameter: statement_timeout', '08P01', 'the pooler does not take an option of the URL'],
  ['permission denied for database "app"', '42501', 'the user may not connect to this database'],
  ['unrecognized configuration parameter "x"', '42704', 'the server refuses the connection (unrecognized'],
])('no waiting heals: %s', (message, code, words) => {
  const refused = cannotConnect(said(message, code));
  expect(refused).toBeInstanceOf(ConfigurationError);
  expect((refused as Error).message).toContain(`DATABASE_URL: ${words}`);
});

test.each([
  ['the database system is starting up', '57P03'],
  ['sorry, too many clients already', '53300'],
  ['no more connections allowed (max_client_conn)', '08P01'],
])('is waited for: %s', (message, code) => {
  const error = said(message, code);
  expect(cannotConnect(error)).toBe(error);
});
