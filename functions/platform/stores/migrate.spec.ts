import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { readEnvironment } from '@disparo/contract';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrate } from './migrate.js';

const adminUrl = readEnvironment().DATABASE_URL ?? '';
const name = `test_${randomBytes(6).toString('hex')}`;
const url = new URL(adminUrl);
url.pathname = `/${name}`;
const all = readdirSync('infra/postgres/migrations')
  .map((file) => file.replace(/\.sql$/, ''))
  .sort();
let admin: pg.Client;

beforeAll(async () => {
  admin = new pg.Client(adminUrl);
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
});

afterAll(async () => {
  await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
  await admin.end();
});

test('processes that migrate together wait for each other, and each migration runs once', async () => {
  const ran = await Promise.all([migrate(url.href), migrate(url.href), migrate(url.href)]);
  expect(ran.flat()).toEqual(all);
});

test('each migration can be undone, one at a time, and done again', async () => {
  for (const last of all.toReversed()) expect(await migrate(url.href, 'down')).toEqual([last]);
  expect(await migrate(url.href)).toEqual(all);
  expect(await migrate(url.href)).toEqual([]);
});
