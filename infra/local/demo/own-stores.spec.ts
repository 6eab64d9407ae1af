import { readEnvironment } from '@disparo/contract';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NOWHERE } from '../../../services/bring-up.js';
import { type OwnDatabase, onServer, ownDatabase, ownName } from '../../../testing/databases.js';
import { ownTables } from './own-stores.js';

const role = ownName('role');
let given: OwnDatabase;
/** As a user who may create nothing in it. */
let url: string;

beforeAll(async () => {
  given = await ownDatabase();
  await onServer(given.url, `CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
  const asRole = new URL(given.url);
  [asRole.username, asRole.password] = [role, 'secret'];
  url = `${asRole.href}?options=-c%20statement_timeout%3D5000&application_name=mine`;
});

afterAll(async () => {
  await given?.drop();
  await onServer(readEnvironment().DATABASE_URL ?? '', `DROP ROLE IF EXISTS ${role}`);
});

const tablesIn = (DATABASE_URL: string) =>
  ownTables({ urls: { ...NOWHERE, DATABASE_URL }, own: new Set(), release: async () => {} });

test('a user who may not create the schema is told how, in one line', async () => {
  await expect(tablesIn(url)).rejects.toMatchObject({
    exitCode: 78,
    message: expect.stringMatching(/^DATABASE_URL: [^\n]*CREATE SCHEMA disparo_demo AUTHORIZATION[^\n]*$/),
  });
});

test('a schema that is there is taken, and the options of the URL stay', async () => {
  await onServer(given.url, `CREATE SCHEMA disparo_demo AUTHORIZATION ${role}`);
  const settings =
    "SELECT current_schema() AS schema, current_setting('statement_timeout') AS timeout, current_setting('application_name') AS name";
  expect(await onServer(await tablesIn(url), settings)).toEqual([
    { schema: 'disparo_demo', timeout: '5s', name: 'mine' },
  ]);
});
