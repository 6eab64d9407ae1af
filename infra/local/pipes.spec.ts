import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiStage } from '../../testing/api-stage.js';

let stage: ApiStage;

beforeAll(async () => {
  stage = await ApiStage.open();
});

afterAll(() => stage?.close());

/** Runs a program whose reader leaves after the first piece, or at once. Returns its exit code and its standard error. */
async function leftBy(program: string[], { atOnce = false } = {}): Promise<[number | null, string]> {
  const child = spawn(process.execPath, program, { env: { ...process.env, ...stage.env } });
  let complaint = '';
  child.stderr.on('data', (data) => (complaint += data));
  if (atOnce) child.stdout.destroy();
  else child.stdout.once('data', () => child.stdout.destroy());
  const [code] = (await once(child, 'close')) as [number | null];
  return [code, complaint];
}

test('--watch ends when nobody reads it any more', async () => {
  expect(await leftBy(['infra/local/run.mjs', 'status', '--watch'])).toEqual([0, '']);
});

test('a run of the Postman collection ends when nobody reads it any more', async () => {
  expect(await leftBy(['infra/local/run.mjs', 'postman', stage.url])).toEqual([75, '']);
});

test.each([
  ['dead-letters', 'list'],
  ['ledger', 'check'],
  ['retention', '--older-than', '30', '--dry-run'],
])('%s does its work and complains of nothing when nobody reads', async (...command) => {
  expect(await leftBy(['infra/local/run.mjs', ...command], { atOnce: true })).toEqual([0, '']);
});

test.each([['dead-letters', 'list'], ['dispatch']])('nor does the program of %s by itself', async (...command) => {
  expect(await leftBy(['dist/bundle/command.js', ...command], { atOnce: true })).toEqual([0, '']);
});

test('a program that writes on and on is stopped when the reader of the command leaves', async () => {
  const endless = 'setInterval(() => console.log("again"), 5)';
  const command = `
    import { Supervisor } from './dist/infra/local/supervise/supervisor.js';
    process.exit(await new Supervisor().foreground({ name: 'endless', args: ['-e', ${JSON.stringify(endless)}], env: process.env }));`;
  expect(await leftBy(['--input-type=module', '-e', command])).toEqual([0, '']);
});
