import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { EXIT, integerKey, readEnvironment } from '@disparo/contract';
import { LANGUAGE_NAMES, LANGUAGES, type LanguageName } from '@disparo/contract/languages';
import { CommandError } from '../../services/command-error.js';
import { isFree } from '../../services/ports.js';
import { runSteps } from './steps.js';
import { buildOf, requireBinaries } from './suites.js';
import type { Session } from './supervise/session.js';
import type { ChildOptions } from './supervise/supervisor.js';
import { say } from './supervise/terminal.js';

/** The `--consumer` option in a usage line. */
export const CONSUMER_USAGE = `--consumer=${LANGUAGE_NAMES.join('|')}, several with a comma`;

const DEFAULT: readonly LanguageName[] = ['typescript'];
const LAST_PORT = 65_535;

const TITLES: Record<LanguageName, string> = { typescript: 'TypeScript', rust: 'Rust', go: 'Go' };

/**
 * Takes `--consumer=rust,go`, `--consumer rust` and repetitions of them out of a command's arguments. Returns the languages
 * in the order of the arguments, TypeScript by default. Throws CommandError; for an unknown option it is `usage`.
 */
export function parseConsumers(args: string[], usage: string): { languages: readonly LanguageName[]; rest: string[] } {
  const { values, positionals } = parse(args, usage);
  if (values.consumer === undefined) return { languages: DEFAULT, rest: positionals };
  const names = values.consumer.flatMap((list) => list.split(','));
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  const languages = names.map(languageNamed);
  if (twice !== undefined) throw new CommandError(`--consumer: ${twice} is named twice, and each language starts one`);
  return { languages, rest: positionals };
}

function parse(args: string[], usage: string) {
  try {
    return parseArgs({ args, options: { consumer: { type: 'string', multiple: true } }, allowPositionals: true });
  } catch {
    throw new CommandError(`usage: ${usage}`);
  }
}

/** The language of that name. Throws CommandError when there is none. */
export function languageNamed(name: string): LanguageName {
  const found = LANGUAGE_NAMES.find((language) => language === name);
  if (found) return found;
  throw new CommandError(`There is no consumer "${name}"; there are ${listed(LANGUAGE_NAMES)}`);
}

/** The consumer in words, as in `a Rust consumer`. */
export function inWords(language: LanguageName): string {
  return `a ${TITLES[language]} consumer`;
}

/** The words as a list in a sentence: `a, b and c`. */
export function listed(words: readonly string[]): string {
  return new Intl.ListFormat('en-GB').format(words);
}

/** Builds the consumers that are not up to date, with the compiler's own output on the terminal. Throws CommandError. */
export async function buildConsumers({ supervisor, env }: Session, languages: readonly LanguageName[]): Promise<void> {
  for (const language of languages) {
    const steps = buildOf(language);
    if (steps.length === 0) continue;
    if (!existsSync(LANGUAGES[language].binary))
      say(`The ${TITLES[language]} consumer is built first, which can take minutes`);
    const code = await runSteps(supervisor, env, steps);
    if (code !== 0)
      throw new CommandError(`The ${TITLES[language]} consumer was not built; the lines above say why`, EXIT.bug);
  }
  requireBinaries(languages);
}

/** The built consumer of a language, under the name that it has in its own log. */
export function consumerProcess(language: LanguageName): Omit<ChildOptions, 'env'> {
  const [command, ...args] = LANGUAGES[language].command;
  return { name: `consumer-${language}`, ...(command === 'node' ? {} : { command }), args };
}

/**
 * The METRICS_PORT of each consumer; empty when it is not set. The first one has the port that is set, the others the next
 * free ones. `taken` are ports on which another process of ours will listen. Throws ConfigurationError and CommandError.
 */
export async function metricsPorts(
  consumers: number,
  taken: readonly number[],
  environment = readEnvironment(),
): Promise<number[]> {
  if (environment.METRICS_PORT === undefined) return [];
  const first = integerKey(environment, 'METRICS_PORT');
  const ports = [first];
  for (let port = first + 1; ports.length < consumers; port++) {
    if (port > LAST_PORT) throw new CommandError(`METRICS_PORT: no port after ${first} is free for a further consumer`);
    if (!taken.includes(port) && (await isFree(port, '0.0.0.0'))) ports.push(port);
  }
  return ports;
}
