import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { isAlive } from '../../../services/process.js';

vi.setConfig({ testTimeout: 30_000 });

/** The built module: signals are tested between real processes, which run JavaScript. */
const BUILT = pathToFileURL(resolve('dist/infra/local/supervise/supervisor.js')).href;

const COMMAND = `
import { Supervisor } from '${BUILT}';
const supervisor = new Supervisor();
supervisor.start({ name: 'child', args: [process.argv[2]], env: process.env, line: (line) => console.log(line) });
try {
  await supervisor.during(new Promise(() => {}));
} catch (error) {
  console.log('ended: ' + error.message);
  console.log('stopped with ' + (await supervisor.stop()));
  process.exit(error.exitCode ?? 0);
}`;

/** A command that runs two programs to their end before its work, as a build precedes the start of what was built. */
const BUILDING = `
import { Supervisor } from '${BUILT}';
const supervisor = new Supervisor();
const program = (...args) => ({ name: 'step', args, env: process.env });
try {
  console.log('first ended with ' + (await supervisor.toItsEnd(program('--eval', 'process.exit(3)'))));
  console.log(await supervisor.during(Promise.resolve('work goes on')));
  console.log('second ended with ' + (await supervisor.toItsEnd(program(process.argv[2]))));
} catch (error) {
  console.log('ended: ' + error.message);
  await supervisor.stop();
  process.exit(error.exitCode);
}`;

/** A child like a compiler: a signal simply ends it. */
const PLAIN = `console.log('child ' + process.pid); setInterval(() => {}, 1000);`;

/**
 * Drains, as a consumer does, and prints which signals it got and how often. It drains for 1.5 s: a second signal would
 * come within 300 ms, and nothing announces that none comes. Also, a Ctrl-C counts as a second one only after 1 s, and the
 * child must still be draining then.
 */
const CHILD = `
let told = 0;
const drain = (signal) => {
  told += 1;
  if (told === 1) { console.log('told ' + signal); setTimeout(() => { console.log('told ' + told + ' times'); process.exit(0); }, 1500); }
};
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, drain);
setInterval(() => {}, 1000);
console.log('child ' + process.pid);`;

const DYING = `console.log('child ' + process.pid); setTimeout(() => { console.error('last words'); process.exit(78); }, 50);`;

let folder = '';
let groups: number[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'disparo-supervisor-'));
  const files = {
    'command.mjs': COMMAND,
    'building.mjs': BUILDING,
    'child.mjs': CHILD,
    'plain.mjs': PLAIN,
    'dying.mjs': DYING,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
});

afterAll(() => {
  for (const group of groups) {
    try {
      process.kill(-group, 'SIGKILL');
    } catch {
      // The whole group has ended, as it should.
    }
  }
  groups = [];
  rmSync(folder, { recursive: true });
});

interface Running {
  process: ChildProcess;
  group: number;
  childPid: number;
  output: () => string;
}

/** Starts a command in its own process group, as a shell does. `before` is a program in front of it that leads the group. */
async function running(child: string, before: string[] = [], command = 'command.mjs'): Promise<Running> {
  const line = [...before, process.execPath, join(folder, command), join(folder, child)];
  const started = spawn(line[0] ?? '', line.slice(1), { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  started.stdout.on('data', (data) => {
    output += data;
  });
  started.stderr.on('data', (data) => {
    output += data;
  });
  const group = started.pid ?? 0;
  groups.push(group);
  await vi.waitUntil(() => /child \d+/.test(output), { timeout: 10_000 });
  return { process: started, group, childPid: Number(/child (\d+)/.exec(output)?.[1]), output: () => output };
}

function words({ output }: Running): string[] {
  return output()
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('child '));
}

test('a signal to the command alone is handed to the child, once', async () => {
  const command = await running('child.mjs');
  process.kill(command.group, 'SIGTERM');
  const [code] = await once(command.process, 'close');

  expect(words(command)).toEqual(['ended: asked to stop', 'told SIGTERM', 'told 1 times', 'stopped with 0']);
  expect(code).toBe(0);
});

test('a signal to the whole group reaches the child once: it is not told again', async () => {
  const command = await running('child.mjs');
  process.kill(-command.group, 'SIGTERM');
  await once(command.process, 'close');

  expect(words(command).toSorted()).toEqual(['ended: asked to stop', 'stopped with 0', 'told 1 times', 'told SIGTERM']);
});

test('Ctrl-C, which the terminal gives to the group and npm hands on to the command, is one', async () => {
  const command = await running('child.mjs');
  process.kill(-command.group, 'SIGINT');
  process.kill(command.group, 'SIGINT');
  const [code] = await once(command.process, 'close');

  expect(words(command).toSorted()).toEqual(['ended: asked to stop', 'stopped with 0', 'told 1 times', 'told SIGINT']);
  expect(code).toBe(0);
});

test('a second Ctrl-C, later, ends all at once', async () => {
  const command = await running('child.mjs');
  process.kill(command.group, 'SIGINT');
  const again = setInterval(() => process.kill(command.group, 'SIGINT'), 200);
  const [code] = await once(command.process, 'exit');
  clearInterval(again);

  expect(code).toBe(130);
  await vi.waitUntil(() => !isAlive(command.childPid));
});

test('the child is told to stop when the process that started the command is gone', async () => {
  // The shell stays, as it has another command to run afterwards.
  const command = await running('child.mjs', ['sh', '-c', '"$0" "$@"; exit 0']);
  process.kill(command.group, 'SIGKILL');
  await once(command.process, 'close');

  expect(words(command)).toEqual([
    'ended: the process that started this is gone',
    'told SIGTERM',
    'told 1 times',
    'stopped with 0',
  ]);
});

test('a child that ends by itself is named with its code, which is the code of the command', async () => {
  const command = await running('dying.mjs');
  const [code] = await once(command.process, 'close');

  expect(words(command)).toEqual(['last words', 'ended: child ended with code 78', 'stopped with 0']);
  expect(code).toBe(78);
});

// The signal comes halfway through the second one.
test('work goes on after a process run to its end; a signal during one is a failure', async () => {
  const command = await running('plain.mjs', [], 'building.mjs');
  process.kill(-command.group, 'SIGINT');
  const [code] = await once(command.process, 'close');

  expect(words(command)).toEqual(['first ended with 3', 'work goes on', 'ended: asked to stop']);
  expect(code).toBe(130);
});
