import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { readEnvironment } from '@disparo/contract';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { freePort } from '../../services/ports.js';
import { createDatabase } from '../../services/postgres.js';
import { runningApis } from './supervise/running-api.js';

vi.setConfig({ testTimeout: 120_000 });

const started: ChildProcess[] = [];

/** Databases and queues of this test alone. They are given by URLs, as a user with their own services gives them. */
let ownEnv: Record<string, string> = {};

beforeAll(async () => {
  const { DATABASE_URL = '', MONGODB_URL = '', RABBITMQ_URL = '' } = readEnvironment();
  const [postgres, mongodb] = [new URL(DATABASE_URL), new URL(MONGODB_URL)];
  postgres.pathname = '/disparo_start_spec';
  mongodb.pathname = '/disparo_start_spec';
  await createDatabase(postgres.href);
  ownEnv = { DATABASE_URL: postgres.href, MONGODB_URL: mongodb.href, RABBITMQ_URL, QUEUE_PREFIX: 'start-spec' };
});

afterAll(() => {
  for (const child of started) child.kill('SIGKILL');
});

function start(port: number, ...args: string[]) {
  const env = { ...process.env, ...ownEnv, API_PORT: String(port) };
  const child = spawn(process.execPath, ['infra/local/run.mjs', 'start', ...args], { env });
  started.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data) => {
      output += data;
    });
  return { child, output: () => output };
}

/** The README's block with this word, which is to be pasted after the lines that `npm start` prints. */
function readmeBlock(word: string): string {
  const blocks = [...readFileSync('README.md', 'utf8').matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(
    ([, text]) => text ?? '',
  );
  return blocks.find((text) => text.includes(word)) ?? `echo 'no block with ${word}'; exit 1`;
}

/** Runs the blocks in a POSIX shell, which ends at the first failure. Returns the output. */
function paste(...blocks: string[]): string {
  return execFileSync('sh', ['-e', '-c', blocks.join('\n')], { encoding: 'utf8', timeout: 60_000 });
}

test('everything comes up, the printed lines work when pasted, and SIGTERM stops all of it', async () => {
  const port = await freePort();
  const { child, output } = start(port);
  await vi.waitUntil(() => output().includes('Ready.') || child.exitCode !== null, { timeout: 90_000 });
  expect(output()).toContain(`http://127.0.0.1:${port}/api/docs`);
  expect(output()).toMatch(/^consumer-typescript \| .*receiving/m);
  expect(output()).not.toMatch(/:\/\/\w+:\w+@/);

  const pasted = /^API=[\s\S]*?messages; echo$/m.exec(output())?.[0] ?? '';
  // The last line does not wait until the consumer has stored the messages, so this repeats it.
  const messages = `until ${pasted.split('\n').at(-1)?.replace('; echo', '')} | grep -q '"sequence":5'; do :; done`;
  const answers = execFileSync('bash', ['-c', `${pasted}\n${messages}`], { encoding: 'utf8', timeout: 30_000 });
  expect(answers).toContain('"total":5');

  expect(paste(pasted, readmeBlock('phone_numbers'))).toMatch(/"total":2,.*"accepted":2/);
  expect(paste(pasted, readmeBlock('/uploads'))).toMatch(/"status":"aceito","campaign_id":"\w{24}".*\n$/);
  expect(runningApis()).toContain(`http://127.0.0.1:${port}`);

  await vi.waitUntil(() => (output().match(/campaign \w{24} enviado: \d of \d messages stored/g) ?? []).length === 5);
  const shown = output().slice(output().indexOf('Ready.'));
  expect(shown).not.toMatch(/answered|RequestId|\(λ: |batch settled|publishing ended|scheduled function/);
  // The printed lines have not scrolled away: two lines a campaign at most, and the upload that was accepted.
  const logged = shown.split('\n').filter((line) => /^[a-z-]+ +\| \d\d:\d\d:\d\d /.test(line));
  expect(logged.length).toBeLessThanOrEqual(12);

  child.kill('SIGTERM');
  const [code] = await once(child, 'close');
  expect(code).toBe(0);
  expect(runningApis()).not.toContain(`http://127.0.0.1:${port}`);
  await expect(fetch(`http://127.0.0.1:${port}/api/health`)).rejects.toThrow();
});

test('a port in use is one line that names API_PORT, before anything is started', async () => {
  const port = await freePort();
  const intruder = createServer().listen(port, '127.0.0.1');
  const { child, output } = start(port);
  const [code] = await once(child, 'close');
  intruder.close();

  expect(output()).toMatch(/^API_PORT: port \d+ of 127\.0\.0\.1 is already in use.*\n$/);
  expect(code).toBe(78);
});

test.each([
  ['JWT_SECRET', 'short', 'must be 32 bytes or more'],
  ['HEAL_AFTER_S', 'abc', 'must be a whole number'],
  ['S3_PORT', '70000', 'must be a whole number from 0 to 65535'],
])('a wrong %s is one line that names it, before anything is started', async (key, value, problem) => {
  ownEnv[key] = value;
  const { child, output } = start(await freePort());
  const [code] = await once(child, 'close');
  delete ownEnv[key];

  expect(output()).toMatch(new RegExp(`^${key}: ${problem}.*\\n$`));
  expect(code).toBe(78);
});

test.each([
  [['--consumer=java'], 'There is no consumer "java"; there are typescript, rust and go\n'],
  [['rust'], 'usage: npm start [-- --consumer=typescript|rust|go, several with a comma]\n'],
])('%j is refused before anything is started', async (args, line) => {
  const { child, output } = start(await freePort(), ...args);
  const [code] = await once(child, 'close');

  expect(output()).toBe(line);
  expect(code).toBe(78);
});
