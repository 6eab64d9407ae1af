import { LANGUAGE_NAMES, type LanguageName } from '@disparo/contract/languages';
import { CommandError } from '../../services/command-error.js';
import { buildOf, conformanceOf, requireBuildTools, runSteps } from './suites.js';
import { Interrupted, Supervisor } from './supervise/supervisor.js';

const USAGE = `usage: npm run faults -- [${LANGUAGE_NAMES.join('|')}|all] [--minutes n]`;
const DEFAULT_MINUTES = 3;

/**
 * `npm run faults [-- typescript|rust|go|all] [--minutes n]`: campaigns of 50,000 under faults at random, on each consumer in
 * turn, with services of the run's own. FAULTS_SEED repeats a schedule. Answers the first exit code that is not 0.
 */
export default async function faults(args: string[]): Promise<number> {
  const { languages, minutes } = parse(args);
  requireBuildTools(languages, (language) => `npm run faults -- ${language}`);
  const supervisor = new Supervisor();
  const env = { ...process.env, FAULTS: 'full', FAULTS_MINUTES: String(minutes) };
  try {
    const built = await runSteps(supervisor, env, languages.flatMap(buildOf));
    if (built !== 0) return built;
    const codes: number[] = [];
    for (const language of languages)
      codes.push(await runSteps(supervisor, env, [conformanceOf(language, ['faults/faults.spec'])]));
    return codes.find((code) => code !== 0) ?? 0;
  } catch (error) {
    if (error instanceof Interrupted) return error.exitCode;
    throw error;
  } finally {
    await supervisor.stop();
  }
}

function parse(args: string[]): { languages: LanguageName[]; minutes: number } {
  const at = args.indexOf('--minutes');
  const minutes = at < 0 ? DEFAULT_MINUTES : Number(args[at + 1]);
  const [which = 'all', ...others] = at < 0 ? args : args.toSpliced(at, 2);
  const languages = LANGUAGE_NAMES.filter((name) => which === 'all' || which === name);
  if (languages.length === 0 || others.length > 0 || !Number.isInteger(minutes) || minutes < 1)
    throw new CommandError(USAGE);
  return { languages, minutes };
}
