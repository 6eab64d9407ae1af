import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freePort, isFree } from '../../services/ports.js';
import { metricsPorts, parseConsumers } from './consumers.js';

test.each([
  { args: [], languages: ['typescript'], rest: [] },
  { args: ['numbers.txt'], languages: ['typescript'], rest: ['numbers.txt'] },
  { args: ['--consumer=rust'], languages: ['rust'], rest: [] },
  { args: ['--consumer', 'rust', 'numbers.txt'], languages: ['rust'], rest: ['numbers.txt'] },
  { args: ['--consumer=go,typescript'], languages: ['go', 'typescript'], rest: [] },
  { args: ['--consumer=rust', 'numbers.txt', '--consumer=go'], languages: ['rust', 'go'], rest: ['numbers.txt'] },
])('$args names the consumers $languages, in that order', ({ args, languages, rest }) => {
  expect(parseConsumers(args, 'npm start')).toEqual({ languages, rest });
});

test.each([
  [['--consumer=java'], 'There is no consumer "java"; there are typescript, rust and go'],
  [['--consumer=rust,'], 'There is no consumer ""; there are typescript, rust and go'],
  [['--consumer=rust', '--consumer=go,rust'], '--consumer: rust is named twice, and each language starts one'],
  [['--consumer'], 'usage: npm start'],
  [['--consumers=rust'], 'usage: npm start'],
])('%j is refused', (args, message) => {
  expect(() => parseConsumers(args, 'npm start')).toThrow(message);
});

test('without METRICS_PORT no consumer listens', async () => {
  expect(await metricsPorts(3, [], {})).toEqual([]);
});

test('the first consumer has METRICS_PORT, each other one the next free port', async () => {
  const first = await fourFreePorts();
  const neighbour = createServer().listen(first + 1, '127.0.0.1');
  const ports = await metricsPorts(2, [first + 2], { METRICS_PORT: String(first) });
  neighbour.close();

  expect(ports).toEqual([first, first + 3]);
});

test('a METRICS_PORT after which there is no port for the others is refused', async () => {
  await expect(metricsPorts(2, [], { METRICS_PORT: '65535' })).rejects.toThrow(
    'METRICS_PORT: no port after 65535 is free for a further consumer',
  );
});

test.each([
  {
    command: ['start', '--consumer=typescript,rust'],
    line: /^A consumer cannot be built, .*: rust: no cargo \(https:\/\/rustup\.rs\), .*\. What can be done: npm start -- --consumer=typescript\n$/,
  },
  {
    command: ['consumer', 'go'],
    line: /^A consumer cannot be built, .*: go: no go \(https:\/\/go\.dev\/dl\)\. What can be done: npm run consumer -- typescript\n$/,
  },
  {
    command: ['test'],
    line: /^A suite cannot be run, .*: rust: no cargo \(.*; go: no go \(.*\. What can be done: npm test -- --only typescript\n$/,
  },
])('$command on a machine without Rust and Go is one line, before anything is started', ({ command, line }) => {
  const empty = mkdtempSync(join(tmpdir(), 'disparo-path-'));
  const env = { ...process.env, PATH: empty };
  const run = spawnSync(process.execPath, ['infra/local/run.mjs', ...command], { env, encoding: 'utf8' });
  rmSync(empty, { recursive: true });

  expect(`${run.stdout}${run.stderr}`).toMatch(line);
  expect(run.status).toBe(78);
});

test.each(['--help', '-h'])('npm run consumer -- %s says how it is used and starts nothing', (flag) => {
  const run = spawnSync(process.execPath, ['infra/local/run.mjs', 'consumer', flag], { encoding: 'utf8' });

  expect(run.stdout).toMatch(/^usage: npm run consumer \[-- typescript\|rust\|go\]\n/);
  expect(run.status).toBe(0);
});

/** The first of four ports in a row on which nothing listens. */
async function fourFreePorts(): Promise<number> {
  for (;;) {
    const first = await freePort();
    const free = await Promise.all([1, 2, 3].map((after) => isFree(first + after, '0.0.0.0')));
    if (free.every(Boolean)) return first;
  }
}
