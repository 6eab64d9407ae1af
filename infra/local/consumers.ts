import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { EXIT, integerKey, readEnvironment } from '@disparo/contract';
import { LANGUAGE_NAMES, LANGUAGES, type LanguageName } from '@disparo/contract/languages';
import { CommandError } from '../../services/command-error.js';
import { isFree } from '../../services/ports.js';
import { buildOf, requireBinaries, runSteps } from './suites.js';
import type { Session } from './supervise/session.js';
import type { Program } from './supervise/supervisor.js';
import { say } from './supervise/terminal.js';

/** What `--consumer` takes, for a line of usage. */
export const CONSUMER_USAGE = `--consumer=${LANGUAGE_NAMES.join('|')}, several with a comma`;

const DEFAULT: readonly LanguageName[] = ['typescript'];
const LAST_PORT = 65_535;

const TITLES: Record<LanguageName, string> = { typescript: 'TypeScript', rust: 'Rust', go: 'Go' };

/**
 * Takes `--consumer=rust,go`, `--consumer rust` and repetitions of them out of a command's arguments; the languages in the
 * order they are named, or TypeScript. Throws CommandError: `usage`, for an option that there is not.
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

/** The language of that name. Throws CommandError. */
export function languageNamed(name: string): LanguageName {
  const found = LANGUAGE_NAMES.find((language) => language === name);
  if (found) return found;
  throw new CommandError(`There is no consumer "${name}"; there are ${listed(LANGUAGE_NAMES)}`);
}

/** `a Rust consumer`, as a person calls it. */
export function inWords(language: LanguageName): string {
  return `a ${TITLES[language]} consumer`;
}

/** `a, b and c`. */
export function listed(words: readonly string[]): string {
  return new Intl.ListFormat('en-GB').format(words);
}

/** Builds what is not built or no longer of its sources, with the compiler's own progress on the terminal. Throws CommandError. */
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

/** The consumer of a language, as built; its name is the one in its own log. */
export function consumerProgram(language: LanguageName): Omit<Program, 'env'> {
  const [command, ...args] = LANGUAGES[language].command;
  return { name: `consumer-${language}`, ...(command === 'node' ? {} : { command }), args };
}

/**
 * The METRICS_PORT of each consumer, none when it is not set: the one that is set for the first, and for the others, which
 * cannot listen there too, the next free ones. `taken` are ports on which something of ours will listen. Throws
 * ConfigurationError and CommandError.
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
