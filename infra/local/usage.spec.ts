import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { expect, test, vi } from 'vitest';
import { CommandError } from '../../services/command-error.js';
import { runAppCommand } from './supervise/app-command.js';

vi.setConfig({ testTimeout: 120_000 });

const OF_THE_APP = 'functions/commands';
const FOLDERS = ['infra/local', 'bench', OF_THE_APP];
/** Commands that take an unknown argument as a filter of specs, or as an option of the runner. */
const TAKE_FILTERS = ['test', 'conformance'];
/** Commands whose script has another name: it says what module they are for. */
const SCRIPTS: Record<string, string> = { sample: 'billing:sample' };

/** The commands, found as run.mjs finds them. The help of `consumer` is tested with the consumers. */
const files = FOLDERS.flatMap((folder) => readdirSync(folder).map((file) => `${folder}/${file}`))
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))
  .filter((file) => /^export default /m.test(readFileSync(file, 'utf8')));
const commands = files.map((file) => basename(file, '.ts')).filter((command) => command !== 'consumer');

async function refusalOf(command: string, ...args: string[]): Promise<unknown> {
  const file = files.find((one) => basename(one, '.ts') === command) ?? '';
  const { default: run } = await import(/* @vite-ignore */ resolve(file));
  const ended: Promise<number> = file.startsWith(OF_THE_APP) ? runAppCommand(command, run, args) : run(args);
  return ended.catch((error: unknown) => error);
}

test.each(commands)('%s: --help is one line of usage, before anything is started', async (command) => {
  const refusal = await refusalOf(command, '--help');
  expect(refusal).toBeInstanceOf(CommandError);
  expect((refusal as CommandError).message).toMatch(/^usage: npm (?:run |start|test)[^\n]*$/);
});

test.each(commands.filter((command) => !TAKE_FILTERS.includes(command)))(
  '%s: an unknown option is one line, before anything is started',
  async (command) => {
    const refusal = await refusalOf(command, '--no-such-option');
    expect(refusal).toBeInstanceOf(CommandError);
    expect((refusal as CommandError).message).not.toContain('\n');
    expect((refusal as CommandError).exitCode).toBe(78);
  },
);

test('server: a wrong number of processes is refused before anything is started', async () => {
  const message = 'API_PROCESSES: must be a whole number from 1 to 64, not "65"';
  expect(await refusalOf('server', '--processes', '65')).toMatchObject({ message });
});

test('every command that is declared has a script in package.json', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
  for (const command of commands)
    expect(scripts[SCRIPTS[command] ?? command]).toBe(`node infra/local/run.mjs ${command}`);
});

test.each([['--help'], ['-h'], ['check', '--help']])('%s is answered on standard output, as a success', (...args) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['infra/local/run.mjs', 'ledger', ...args], {
    encoding: 'utf8',
  });
  expect([status, stdout, stderr]).toEqual([0, 'usage: npm run ledger -- check [campaign]\n', '']);
});
