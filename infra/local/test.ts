import { LANGUAGE_NAMES, type LanguageName } from '../../consumer/conformance/runner/languages.js';
import { CommandError } from './command-error.js';
import { requireToolchains, runSteps, type Step, suiteOf, typescriptSpecs } from './suites.js';
import { withServices } from './supervise/session.js';
import { say } from './supervise/terminal.js';

/** Rust and Go are asked for by name until their list of cases is whole. */
const BY_DEFAULT: readonly LanguageName[] = ['typescript'];

/**
 * `npm test [-- --only typescript|rust|go] [-- filters]`: the suites on real services. Filters choose TypeScript specs.
 * Answers the exit code of the first step that fails.
 */
export default async function test(args: string[]): Promise<number> {
  const { only, filters } = parse(args);
  const languages = only ? [only] : BY_DEFAULT;
  requireToolchains(languages, 'npm test -- --only LANGUAGE');
  // The runner's own last lines are to be the last: nothing of ours follows them.
  let quiet = false;
  const untilRunning = (line: string) => {
    if (!quiet) say(line);
  };
  return withServices(untilRunning, { wait: true }, async ({ supervisor, env: { CONSUMER: _, ...env } }) => {
    quiet = true;
    return runSteps(supervisor, env, steps(languages, filters));
  });
}

function steps(languages: readonly LanguageName[], filters: string[]): Step[] {
  return filters.length > 0 ? [typescriptSpecs(filters)] : languages.flatMap(suiteOf);
}

function parse(args: string[]): { only: LanguageName | undefined; filters: string[] } {
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
