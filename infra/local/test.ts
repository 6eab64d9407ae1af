import { LANGUAGE_NAMES, type LanguageName } from '@disparo/contract/languages';
import { CommandError } from '../../services/command-error.js';
import { runSteps } from './steps.js';
import {
  conformanceAcross,
  conformanceOf,
  preparationOf,
  requireBinaries,
  requireKnownCases,
  requireToolchains,
  suiteOf,
  typescriptSpecs,
} from './suites.js';
import { withServices } from './supervise/session.js';
import type { Supervisor } from './supervise/supervisor.js';
import { say } from './supervise/terminal.js';

/**
 * `npm test [-- --only typescript|rust|go] [-- filters]`: the suites of the three languages on real services, and the cases
 * across them. Filters choose TypeScript specs. Returns the exit code of the first step that fails.
 */
export default async function test(args: string[]): Promise<number> {
  const { only, filters } = parse(args);
  const chosen = filters.length > 0 ? 'typescript' : only;
  requireToolchains(chosen ? [chosen] : LANGUAGE_NAMES, (language) => `npm test -- --only ${language}`);
  requireKnownCases(only ? [only] : [...LANGUAGE_NAMES, 'all']);
  // The runner's summary must be the last output, so we print nothing after it.
  let quiet = false;
  const untilRunning = (line: string) => {
    if (!quiet) say(line);
  };
  return withServices(untilRunning, { wait: true }, async ({ supervisor, env: { CONSUMER: _, ...env } }) => {
    quiet = true;
    if (filters.length > 0) return runSteps(supervisor, env, [typescriptSpecs(filters)]);
    if (only) return runSteps(supervisor, env, suiteOf(only));
    return everything(supervisor, env);
  });
}

/**
 * The suites of all languages. Most of the time the TypeScript specs wait: for an outage, a lease, a process to start. In that
 * time Rust and Go are checked and built, at the lowest priority, as a first build takes more than ten minutes of processor
 * time. Returns the exit code of the first step that fails.
 */
async function everything(supervisor: Supervisor, env: NodeJS.ProcessEnv): Promise<number> {
  const others = LANGUAGE_NAMES.filter((language) => language !== 'typescript');
  const printed: string[] = [];
  const [specs, prepared] = await Promise.all([
    runSteps(supervisor, env, suiteOf('typescript')),
    runSteps(supervisor, env, others.flatMap(preparationOf), { printed, nice: true }),
  ]);
  // What failed must be the last output.
  if (specs !== 0 && prepared === 0) return specs;
  for (const line of printed) say(line);
  if (specs !== 0 || prepared !== 0) return specs || prepared;
  requireBinaries();
  const cases = others.map((language) => conformanceOf(language, []));
  return runSteps(supervisor, env, [...cases, conformanceAcross([])]);
}

const USAGE = `npm test [-- --only ${LANGUAGE_NAMES.join('|')}] [-- filters of TypeScript specs]`;

function parse(args: string[]): { only: LanguageName | undefined; filters: string[] } {
  if (args.includes('--help')) throw new CommandError(`usage: ${USAGE}`);
  const at = args.indexOf('--only');
  if (at < 0) return { only: undefined, filters: args };
  const only = LANGUAGE_NAMES.find((name) => name === args[at + 1]);
  if (!only) throw new CommandError(`--only takes one of: ${LANGUAGE_NAMES.join(', ')}`);
  const filters = args.toSpliced(at, 2);
  if (only !== 'typescript' && filters.length > 0)
    throw new CommandError(
      `A filter chooses TypeScript specs; a case on one consumer: npm run conformance -- ${only} filter`,
    );
  return { only, filters };
}
