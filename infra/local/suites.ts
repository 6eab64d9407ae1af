import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT } from '@disparo/contract';
import { LANGUAGE_NAMES, LANGUAGES, type LanguageName } from '@disparo/contract/languages';
import { CommandError } from '../../services/command-error.js';
import type { Step } from './steps.js';

/** Programs that must be on the PATH, and where each comes from. */
type Tools = Record<string, string>;

/** What `npm test` does for one language. */
interface Suite {
  /** What the build needs, and what the checks need in addition. */
  tools: { build: Tools; checks: Tools };
  checks: Step[];
  build: Step[];
}

/** A set of cases: those on the consumer of one language, or those that start several consumers at once. */
type CasesOf = LanguageName | 'all';

const VITEST = 'node_modules/vitest/vitest.mjs';
const KNOWN_FAILING = 'consumer/conformance/known-failing';
const RUST = 'consumer/rust';
const GO = 'consumer/go';
const STATICCHECK = 'honnef.co/go/tools/cmd/staticcheck@v0.7.0';
const GO_FROM = 'https://go.dev/dl';
const CC_FROM = 'a C compiler, such as the package gcc';

/** The suite of each language. TypeScript is already built when this runs, and the runner runs its specs. */
const SUITES: Record<LanguageName, Suite> = {
  typescript: { tools: { build: {}, checks: {} }, checks: [], build: [] },
  rust: {
    tools: { build: { cargo: 'https://rustup.rs', cc: CC_FROM }, checks: {} },
    checks: [
      cargo('fmt', '--check'),
      cargo('clippy', '--release', '--all-targets', '--', '-D', 'warnings'),
      cargo('test', '--release'),
    ],
    build: [cargo('build', '--release')],
  },
  go: {
    // The race detector needs a C compiler.
    tools: { build: { go: GO_FROM }, checks: { gofmt: GO_FROM, cc: CC_FROM } },
    checks: [
      { command: 'gofmt', args: ['-l', '.'], cwd: GO, listMeans: 'gofmt would change these' },
      { command: 'go', args: ['vet', './...'], cwd: GO },
      { command: 'go', args: ['run', STATICCHECK, './...'], cwd: GO },
      { command: 'go', args: ['test', '-race', './...'], cwd: GO },
    ],
    build: [{ command: 'go', args: ['build', '-o', 'bin/consumer', './cmd/consumer'], cwd: GO }],
  },
};

/** A cargo step that builds into the folder where the consumer is expected, whatever CARGO_TARGET_DIR is set to. */
function cargo(...args: string[]): Step {
  return { command: 'cargo', args, cwd: RUST, env: { CARGO_TARGET_DIR: 'target' } };
}

/** The checks, the unit tests and the build of a language: what it does before the runner. */
export function preparationOf(language: LanguageName): Step[] {
  return [...SUITES[language].checks, ...SUITES[language].build];
}

/** The whole suite of a language: its preparation, then the runner with its specs or conformance cases. */
export function suiteOf(language: LanguageName): Step[] {
  return [...preparationOf(language), language === 'typescript' ? typescriptSpecs([]) : conformanceOf(language, [])];
}

/** The steps that build a language's consumer. */
export function buildOf(language: LanguageName): Step[] {
  return SUITES[language].build;
}

/** Every TypeScript spec, including the conformance of the TypeScript consumer. */
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
  return { command: process.execPath, args: [VITEST, 'run', ...filters], env };
}

/** Throws one line when no case matches the filters: the runner would run nothing and pass. */
export function requireCases(of: readonly CasesOf[], filters: string[]): void {
  if (filters.length === 0 || of.some((which) => casesOf(which, filters).length > 0)) return;
  throw new CommandError(`There is no case that matches ${filters.join(' ')}`);
}

/** Throws one line when a list of known failures names a case that does not exist: nobody would notice that line. */
export function requireKnownCases(of: readonly CasesOf[], folder = KNOWN_FAILING): void {
  for (const which of of) {
    const list = join(folder, `${which}.txt`);
    const named = readFileSync(list, 'utf8').split('\n').filter(Boolean);
    const cases = new Set(named.length === 0 ? [] : casesOf(which, []));
    const unknown = named.filter((name) => !cases.has(name));
    if (unknown.length > 0) throw new CommandError(`${list}: there is no case ${unknown.join(', no case ')}`);
  }
}

/** `title > name` of the cases that the runner would run. */
function casesOf(which: CasesOf, filters: string[]): string[] {
  const { stdout, status } = spawnSync(process.execPath, [VITEST, 'list', ...filters, '--json'], {
    env: { ...process.env, CONSUMER: which },
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  if (status !== 0) throw new CommandError('The cases could not be listed', EXIT.bug);
  return (JSON.parse(stdout) as { name: string }[]).map(({ name }) => name);
}

/** Throws one line when a program that the build of a consumer needs is missing, before anything is started. */
export function requireBuildTools(languages: readonly LanguageName[], command: Command): void {
  requireTools('A consumer cannot be built', languages, ({ build }) => build, command);
}

/** Throws one line when a program that a suite needs is missing, before anything is started. */
export function requireToolchains(languages: readonly LanguageName[], command: Command): void {
  requireTools('A suite cannot be run', languages, ({ build, checks }) => ({ ...build, ...checks }), command);
}

/** The same command for another language, to propose in the message. */
type Command = (language: LanguageName) => string;

function requireTools(
  failure: string,
  languages: readonly LanguageName[],
  wanted: (tools: Suite['tools']) => Tools,
  command: Command,
): void {
  const absent = (language: LanguageName) =>
    Object.entries(wanted(SUITES[language].tools))
      .filter(([name]) => spawnSync(name, ['--help'], { stdio: 'ignore' }).error)
      .map(([name, from]) => `no ${name} (${from})`);
  const missing = languages.flatMap((language) => {
    const programs = absent(language);
    return programs.length === 0 ? [] : [`${language}: ${programs.join(', ')}`];
  });
  if (missing.length === 0) return;
  const able = LANGUAGE_NAMES.filter((language) => absent(language).length === 0);
  throw new CommandError(
    `${failure}, as a program is not on the PATH: ${missing.join('; ')}. What can be done: ${able.map(command).join(', or ')}`,
  );
}

/** Throws CommandError when a consumer that is to be started is not built. */
export function requireBinaries(languages: readonly LanguageName[] = LANGUAGE_NAMES): void {
  const missing = languages.map((language) => LANGUAGES[language].binary).filter((binary) => !existsSync(binary));
  if (missing.length > 0) throw new CommandError(`Not built: ${missing.join(', ')}`);
}
