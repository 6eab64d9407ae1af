import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { LANGUAGE_NAMES, LANGUAGES, type LanguageName } from '../../consumer/conformance/runner/languages.js';
import { CommandError } from './command-error.js';
import type { Supervisor } from './supervise/supervisor.js';
import { say } from './supervise/terminal.js';

/** One program of a suite, run to its end. */
export interface Step {
  command: string;
  args: string[];
  /** From the root. */
  cwd?: string;
  /** On top of ours. */
  env?: Record<string, string>;
  /** It answers 0 however it went, and lists what is wrong: what such a list means. */
  listMeans?: string;
}

/** What `npm test` does for one language. */
interface Suite {
  /** Programs that must be on the PATH, and where they come from. */
  toolchain: { commands: string[]; from: string };
  checks: Step[];
  build: Step[];
}

const RUST = 'consumer/rust';
const GO = 'consumer/go';

/** By the language that a suite tests. TypeScript is built already when this runs, and its specs are the runner's. */
const SUITES: Record<LanguageName, Suite> = {
  typescript: { toolchain: { commands: [], from: '' }, checks: [], build: [] },
  rust: {
    toolchain: { commands: ['cargo'], from: 'https://rustup.rs' },
    checks: [
      { command: 'cargo', args: ['fmt', '--check'], cwd: RUST },
      { command: 'cargo', args: ['clippy', '--release', '--all-targets', '--', '-D', 'warnings'], cwd: RUST },
      { command: 'cargo', args: ['test', '--release'], cwd: RUST },
    ],
    build: [{ command: 'cargo', args: ['build', '--release'], cwd: RUST }],
  },
  go: {
    toolchain: { commands: ['go', 'gofmt'], from: 'https://go.dev/dl' },
    checks: [
      { command: 'gofmt', args: ['-l', '.'], cwd: GO, listMeans: 'gofmt would change these' },
      { command: 'go', args: ['vet', './...'], cwd: GO },
      { command: 'go', args: ['test', '-race', './...'], cwd: GO },
    ],
    build: [{ command: 'go', args: ['build', '-o', 'bin/consumer', './cmd/consumer'], cwd: GO }],
  },
};

/** The checks, the unit tests and the build of a language, then the runner on what is left of it. */
export function suiteOf(language: LanguageName): Step[] {
  const { checks, build } = SUITES[language];
  return [...checks, ...build, language === 'typescript' ? typescriptSpecs([]) : conformanceOf(language, [])];
}

/** The build of a language's consumer. */
export function buildOf(language: LanguageName): Step[] {
  return SUITES[language].build;
}

/** Every TypeScript spec, conformance of the TypeScript consumer among them. */
export function typescriptSpecs(filters: string[]): Step {
  return vitest({}, filters);
}

/** The conformance cases, on the consumer of one language. */
export function conformanceOf(language: LanguageName, filters: string[]): Step {
  return vitest({ CONSUMER: language }, filters);
}

/** The cases that start several languages at once. */
export function conformanceAcross(filters: string[]): Step {
  return vitest({ CONSUMER: 'all' }, filters);
}

function vitest(env: Record<string, string>, filters: string[]): Step {
  return { command: process.execPath, args: ['node_modules/vitest/vitest.mjs', 'run', ...filters], env };
}

/** Throws one line that says which suites cannot be run for want of a toolchain, before anything is started. */
export function requireToolchains(languages: readonly LanguageName[], command: string): void {
  const missing = languages.flatMap((language) => {
    const { commands, from } = SUITES[language].toolchain;
    const absent = commands.filter((name) => spawnSync(name, ['--help'], { stdio: 'ignore' }).error);
    return absent.length === 0 ? [] : [{ language, says: `${language}: no ${absent.join(', no ')} (${from})` }];
  });
  if (missing.length === 0) return;
  const suites = missing.length === 1 ? 'A suite' : 'Suites';
  const left = LANGUAGE_NAMES.filter((name) => missing.every(({ language }) => language !== name));
  throw new CommandError(
    `${suites} cannot be run, as a program is not on the PATH: ${missing.map(({ says }) => says).join('; ')}. ` +
      `One that can: ${left.map((name) => command.replace('LANGUAGE', name)).join(' or ')}`,
  );
}

/** Throws when a consumer that the next step starts is not there. */
export function requireBinaries(): void {
  const missing = Object.values(LANGUAGES).filter(({ binary }) => !existsSync(binary));
  if (missing.length > 0) throw new CommandError(`Not built: ${missing.map(({ binary }) => binary).join(', ')}`);
}

/** Runs steps one after the other, as children of the command. Answers the exit code of the first that fails. */
export async function runSteps(supervisor: Supervisor, env: NodeJS.ProcessEnv, steps: Step[]): Promise<number> {
  for (const step of steps) {
    const code = await runStep(supervisor, env, step);
    if (code !== 0) return code;
  }
  return 0;
}

async function runStep(supervisor: Supervisor, env: NodeJS.ProcessEnv, step: Step): Promise<number> {
  const { command, args, cwd, listMeans } = step;
  const shown = command === process.execPath ? 'vitest' : [command, ...args].join(' ');
  say(`> ${cwd ? `${cwd}: ` : ''}${shown}${step.env?.CONSUMER ? `, CONSUMER=${step.env.CONSUMER}` : ''}`);
  const listed: string[] = [];
  const code = await supervisor.foreground({
    name: shown,
    command,
    args,
    env: { ...env, ...step.env },
    ...(cwd ? { cwd } : {}),
    ...(listMeans ? { line: (line: string) => listed.push(line) } : {}),
  });
  if (listed.length === 0) return code;
  for (const line of [`${listMeans}:`, ...listed]) say(line);
  return code || 1;
}
