import { LANGUAGE_NAMES } from '../../consumer/conformance/runner/languages.js';
import { CommandError } from './command-error.js';
import { buildConsumers, consumerProgram, languageNamed } from './consumers.js';
import { requireBuildTools } from './suites.js';
import { runAlone } from './supervise/session.js';

/** `npm run consumer [-- typescript|rust|go]`: one consumer, built first. Answers its exit code. */
export default async function consumer([name = 'typescript', ...rest]: string[]): Promise<number> {
  if (rest.length > 0) throw new CommandError(`usage: npm run consumer [-- ${LANGUAGE_NAMES.join('|')}]`);
  const language = languageNamed(name);
  requireBuildTools([language], (other) => `npm run consumer -- ${other}`);
  return runAlone(consumerProgram(language), (session) => buildConsumers(session, [language]));
}
