import { LANGUAGE_NAMES, type LanguageName } from '@disparo/contract/languages';
import { CommandError } from '../../services/command-error.js';
import {
  conformanceAcross,
  requireBinaries,
  requireKnownCases,
  requireToolchains,
  runSteps,
  suiteOf,
  typescriptSpecs,
} from './suites.js';
import { withServices } from './supervise/session.js';
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
    const code = await runSteps(supervisor, env, LANGUAGE_NAMES.flatMap(suiteOf));
    if (code !== 0) return code;
    requireBinaries();
    return runSteps(supervisor, env, [conformanceAcross([])]);
  });
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
