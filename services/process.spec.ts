import { expect, test } from 'vitest';
import { run } from './process.js';

const TIMEOUT_MS = 10_000;

test('a command that has ended has its whole output read, however many end at once', async () => {
  const said: string[] = [];
  for (let round = 0; round < 50; round++) {
    const crowd = Array.from({ length: 8 }, () =>
      run('sh', ['-c', 'echo out; echo err >&2'], { timeoutMs: TIMEOUT_MS }),
    );
    said.push(...(await Promise.all(crowd)).map(({ output }) => output));
  }
  expect(new Set(said)).toEqual(new Set(['out\nerr\n']));
});

test('a daemon that a command leaves behind, with its streams open, is not waited for', async () => {
  const { code, output } = await run('sh', ['-c', 'sleep 600 & echo $!'], { timeoutMs: TIMEOUT_MS });
  process.kill(Number(output));
  expect(code).toBe(0);
});

test('a command that is not there has code 127, one out of time 124', async () => {
  expect((await run('no-such-command', [], { timeoutMs: TIMEOUT_MS })).code).toBe(127);
  expect((await run('sleep', ['600'], { timeoutMs: 50 })).code).toBe(124);
});
