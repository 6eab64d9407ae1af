import { readEnvironment } from '@disparo/contract';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiStage } from '../../testing/api-stage.js';
import { onServer, ownName } from '../../testing/databases.js';
import { accepted, someNumbers } from './campaigns/fixtures.js';
import { TransactionPooler } from './transaction-pooler.js';

const stranger = ownName();
let stage: ApiStage;
let url: string;

beforeAll(async () => {
  stage = await ApiStage.open({ start: false });
  url = stage.env.DATABASE_URL;
  await stage.sql(`CREATE ROLE ${stranger} LOGIN PASSWORD 'secret'`);
});

afterAll(async () => {
  await stage?.close();
  await onServer(readEnvironment().DATABASE_URL ?? '', `DROP ROLE ${stranger}`);
});

/** Starts the server on a URL and stops it again. Returns a campaign that it accepted. */
async function campaignBy(databaseUrl: string): Promise<string> {
  await stage.start({ env: { DATABASE_URL: databaseUrl } });
  expect((await stage.api('GET', '/api/health')).status).toBe(200);
  const user = await stage.user();
  const { id } = await accepted(stage, user, await stage.company(user), someNumbers(10));
  expect(await stage.stop()).toBe(0);
  return id;
}

test('the server makes its tables in the schema of its URL, and keeps to it', async () => {
  await stage.sql('CREATE SCHEMA tenant');
  const id = await campaignBy(`${url}?options=-c%20search_path%3Dtenant`);
  expect(await stage.sql('SELECT id, published FROM tenant.campaigns')).toEqual([{ id, published: 10 }]);
  expect(await stage.sql(`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`)).toEqual([]);
});

test('the server works behind a transaction pooler', async () => {
  const pooler = await TransactionPooler.open(url, 3);
  try {
    const id = await campaignBy(pooler.url);
    expect(await stage.sql('SELECT id, published FROM public.campaigns')).toEqual([{ id, published: 10 }]);
  } finally {
    await pooler.close();
  }
});

test.each([
  ['may not create tables', 'none', /^DATABASE_URL: user "\w+" may not create tables in schema "public"/],
  ['may not use its tables', 'public', /^DATABASE_URL: user "\w+" may not read the table "migrations"/],
  ['has no schema', 'nowhere', /^DATABASE_URL: no schema of its search_path \(nowhere\) exists/],
])('a server whose user %s ends with 78 and one line', async (_, where, line) => {
  const told = new URL(url);
  told.username = stranger;
  told.password = 'secret';
  if (where === 'none')
    await stage.sql('DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC');
  else if (where === 'public') await campaignBy(url);
  else told.search = `?options=-c%20search_path%3D${where}`;
  const from = stage.output.length;
  stage.spawn({ DATABASE_URL: told.href });
  expect(await stage.exited()).toBe(78);
  const lines = stage.output.slice(from).filter((each) => !each.startsWith('{'));
  expect(lines).toEqual([expect.stringMatching(line)]);
});
