import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ApiStage } from '../../testing/api-stage.js';
import { Process, ROOT } from '../../testing/process.js';

vi.setConfig({ testTimeout: 300_000 });

let stage: ApiStage;

beforeAll(async () => {
  stage = await ApiStage.open({ start: false });
});

afterAll(() => stage?.close());

/** Runs `npm run migrate` on the stage's database, with `options` behind its URL. Returns exit code and last line. */
async function migrate(options: string, ...args: string[]): Promise<[number | null, string | undefined]> {
  const env = { ...process.env, ...stage.env, DATABASE_URL: `${stage.env.DATABASE_URL}${options}` };
  const command = [process.execPath, 'infra/local/run.mjs', 'migrate', ...args] as const;
  const migration = new Process('npm run migrate', command, { env, cwd: ROOT });
  return [await migration.exited, migration.output.at(-1)];
}

test('each schema is migrated for itself, and is then up to date', async () => {
  await stage.sql('CREATE SCHEMA tenant');
  for (const options of ['', '?options=-c%20search_path%3Dtenant']) {
    expect(await migrate(options)).toEqual([0, expect.stringMatching(/^Migrated up: 0001_accounts, /)]);
    expect(await migrate(options)).toEqual([0, 'Nothing to migrate']);
  }
});

test.each([
  ['-c%20search_path%3Dnowhere', /^DATABASE_URL: no schema of its search_path \(nowhere\) exists/],
  ['-c%20no_such_thing%3D1', /^DATABASE_URL: the server refuses the connection \(unrecognized/],
])('%s ends with 78 and one line', async (options, line) => {
  expect(await migrate(`?options=${options}`)).toEqual([78, expect.stringMatching(line)]);
});

test('a migration that fails ends with 1 and one line that names it', async () => {
  await stage.sql('CREATE SCHEMA taken');
  await stage.sql('CREATE TABLE taken.campaigns (mine int)');
  expect(await migrate('?options=-c%20search_path%3Dtaken')).toEqual([
    1,
    'migration 0002_campaigns failed, and nothing was changed: relation "campaigns" already exists',
  ]);
});
