import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type OwnDatabase, ownDatabase } from '../../../testing/databases.js';
import { migrate } from './migrate.js';

const all = readdirSync('infra/postgres/migrations')
  .map((file) => file.replace(/\.sql$/, ''))
  .sort();
let database: OwnDatabase;

beforeAll(async () => {
  database = await ownDatabase();
});

afterAll(async () => {
  await database.drop();
});

test('processes that migrate together wait for each other, and each migration runs once', async () => {
  const ran = await Promise.all([migrate(database.url), migrate(database.url), migrate(database.url)]);
  expect(ran.flat()).toEqual(all);
});

test('each migration can be undone, one at a time, and done again', async () => {
  for (const last of all.toReversed()) expect(await migrate(database.url, 'down')).toEqual([last]);
  expect(await migrate(database.url)).toEqual(all);
  expect(await migrate(database.url)).toEqual([]);
});
