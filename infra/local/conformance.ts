import { LANGUAGE_NAMES } from '@disparo/contract/languages';
import { CommandError } from '../../services/command-error.js';
import { runSteps } from './steps.js';
import {
  buildOf,
  conformanceAcross,
  conformanceOf,
  requireBinaries,
  requireBuildTools,
  requireCases,
  requireKnownCases,
} from './suites.js';
import { withServices } from './supervise/session.js';
import { say } from './supervise/terminal.js';

/**
 * `npm run conformance -- typescript|rust|go|all [--full] [filters]`: builds a consumer and runs the cases on it, on real
 * services. `all` adds the cases that start several languages at once; `--full` runs long cases in full length. Runs every
 * language and returns the first exit code that is not 0.
 */
export default async function conformance(args: string[]): Promise<number> {
  const [which, ...filters] = args.filter((arg) => arg !== '--full');
  const length = args.includes('--full') ? { CONFORMANCE: 'full' } : {};
  const languages = LANGUAGE_NAMES.filter((name) => which === 'all' || which === name);
  if (languages.length === 0)
    throw new CommandError(`usage: npm run conformance -- ${LANGUAGE_NAMES.join('|')}|all [--full] [filter]`);
  const suites = which === 'all' ? ([...languages, 'all'] as const) : languages;
  requireKnownCases(suites);
  requireCases(suites, filters);
  requireBuildTools(languages, (language) => `npm run conformance -- ${language}`);
  let quiet = false;
  const untilRunning = (line: string) => {
    if (!quiet) say(line);
  };
  // A filter may match cases of only one language, or only those across languages.
  const options = which === 'all' && filters.length > 0 ? [...filters, '--passWithNoTests'] : filters;
  return withServices(untilRunning, { wait: true }, async ({ supervisor, env: given }) => {
    quiet = true;
    const env = { ...given, ...length };
    const built = await runSteps(supervisor, env, languages.flatMap(buildOf));
    if (built !== 0) return built;
    const codes: number[] = [];
    for (const language of languages) codes.push(await runSteps(supervisor, env, [conformanceOf(language, options)]));
    if (which === 'all') {
      requireBinaries();
      codes.push(await runSteps(supervisor, env, [conformanceAcross(options)]));
    }
    return codes.find((code) => code !== 0) ?? 0;
  });
}
