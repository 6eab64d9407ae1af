import type { Supervisor } from './supervise/supervisor.js';
import { say } from './supervise/terminal.js';

/** One program of a suite, run to its end. */
export interface Step {
  command: string;
  args: string[];
  /** The folder, from the root. */
  cwd?: string;
  /** Variables on top of our own environment. */
  env?: Record<string, string>;
  /** For a program that exits with 0 in any case and lists what is wrong: what its list means. */
  listMeans?: string;
}

/** For steps that run while others have the terminal. */
interface Aside {
  /** What they print is added to these lines, in place of the terminal. */
  printed: string[];
  /** They have the lowest priority: they take the time in which the others wait. */
  nice?: boolean;
}

/**
 * Runs steps one after the other, as children of the command. Returns the exit code of the first that fails, else 0. Throws
 * Interrupted.
 */
export async function runSteps(
  supervisor: Supervisor,
  env: NodeJS.ProcessEnv,
  steps: Step[],
  aside?: Aside,
): Promise<number> {
  for (const step of steps) {
    const code = await runStep(supervisor, env, step, aside);
    if (code !== 0) return code;
  }
  return 0;
}

async function runStep(
  supervisor: Supervisor,
  env: NodeJS.ProcessEnv,
  step: Step,
  aside: Aside | undefined,
): Promise<number> {
  const { command, args, cwd, listMeans } = step;
  const print = (line: string) => void (aside ? aside.printed.push(line) : say(line));
  const shown = command === process.execPath ? 'vitest' : [command, ...args].join(' ');
  print(`> ${cwd ? `${cwd}: ` : ''}${shown}${step.env?.CONSUMER ? `, CONSUMER=${step.env.CONSUMER}` : ''}`);
  const listed: string[] = [];
  const line = listMeans ? (text: string) => void listed.push(text) : aside && print;
  const code = await supervisor.toItsEnd({
    name: shown,
    ...(aside?.nice ? { command: 'nice', args: ['-n', '19', command, ...args] } : { command, args }),
    env: { ...env, ...step.env },
    ...(cwd ? { cwd } : {}),
    ...(line ? { line } : {}),
  });
  if (listed.length === 0) return code;
  for (const text of [`${listMeans}:`, ...listed]) print(text);
  return code || 1;
}
