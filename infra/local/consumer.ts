import { EXIT } from '@disparo/contract';
import { LANGUAGE_NAMES } from '@disparo/contract/languages';
import { CommandError } from '../../services/command-error.js';
import { buildConsumers, consumerProcess, languageNamed } from './consumers.js';
import { requireBuildTools } from './suites.js';
import { prettyLine } from './supervise/log-line.js';
import { runAlone } from './supervise/session.js';
import { say } from './supervise/terminal.js';

const USAGE = `npm run consumer [-- ${LANGUAGE_NAMES.join('|')}]`;
const HELP = [
  `usage: ${USAGE}`,
  '',
  'One consumer, TypeScript unless another language is named; built first where needed. It reads .env and the environment',
  '(.env.example) and runs next to npm start or without it. On Ctrl-C it finishes the current batch and stops.',
  'Its lines are those of npm start: "receiving" means that it has the queue, "standing by" that another consumer has it.',
];

/** `npm run consumer [-- typescript|rust|go]`: builds and runs one consumer. Returns its exit code. */
export default async function consumer([name = 'typescript', ...rest]: string[]): Promise<number> {
  if (name === '--help' || name === '-h') {
    for (const line of HELP) say(line);
    return EXIT.drained;
  }
  if (rest.length > 0 || name.startsWith('-')) throw new CommandError(`usage: ${USAGE}`);
  const language = languageNamed(name);
  requireBuildTools([language], (other) => `npm run consumer -- ${other}`);
  const options = { ...consumerProcess(language), line: (line: string) => say(prettyLine(line)) };
  return runAlone(options, (session) => buildConsumers(session, [language]));
}
