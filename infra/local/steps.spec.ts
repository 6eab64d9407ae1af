import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

const built = (file: string) => pathToFileURL(resolve('dist/infra/local', file)).href;

/** A command that runs steps aside and others on the terminal, at the same time. */
const COMMAND = `
import { runSteps } from '${built('steps.js')}';
import { Supervisor } from '${built('supervise/supervisor.js')}';
const [aside, terminal, nice] = JSON.parse(process.argv[1]);
const step = (code) => ({ command: 'node', args: ['--eval', code] });
const supervisor = new Supervisor();
const printed = [];
const codes = await Promise.all([
  runSteps(supervisor, process.env, terminal.map(step)),
  runSteps(supervisor, process.env, aside.map(step), { printed, nice }),
]);
await supervisor.stop();
console.log(JSON.stringify({ codes, printed: printed.filter((line) => !line.startsWith('>')) }));
process.exit(0);`;

async function ran(aside: string[], terminal: string[], nice = false): Promise<string[]> {
  const args = ['--input-type=module', '--eval', COMMAND, JSON.stringify([aside, terminal, nice])];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  await once(child, 'close');
  return output.split('\n').filter((line) => line !== '' && !line.startsWith('>'));
}

test('what steps aside print is kept, on either stream, and never reaches the terminal', async () => {
  const aside = ["console.log('kept'); console.error('kept, too')", "console.log('then this')"];
  const [shown, result] = await ran(aside, ["console.log('shown')"]);
  const { codes, printed } = JSON.parse(result ?? '{}') as { codes: number[]; printed: string[] };
  expect([shown, codes, printed.toSorted()]).toEqual(['shown', [0, 0], ['kept', 'kept, too', 'then this']]);
});

test('the first step aside that fails ends them, and not the others', async () => {
  const output = await ran(['process.exit(3)', "console.log('never')"], ['', "console.log('goes on')"]);
  expect(output).toEqual(['goes on', JSON.stringify({ codes: [0, 3], printed: [] })]);
});

test('steps aside have the lowest priority, and those on the terminal our own', async () => {
  const priority = "console.log(require('node:os').getPriority())";
  const [own, result] = await ran([priority], [priority], true);
  expect([own, JSON.parse(result ?? '{}')]).toEqual(['0', { codes: [0, 0], printed: ['19'] }]);
});
